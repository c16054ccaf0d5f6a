"""The real processes, as operations starts them: `cercles sink`, `cercles gateway` and the others."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

STOP_SECONDS_MAX: Final = 15.0
WAIT_SECONDS_MAX: Final = 120.0


@contextmanager
def command(name: str, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `cercles NAME` for the length of the block. Raises RuntimeError, with its log, when it does not end well."""
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "cercles", name],
            env=os.environ | {"CERCLES_LOG_LEVEL": "WARNING"} | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield process
            process.terminate()
            process.wait(STOP_SECONDS_MAX)
        finally:
            process.kill()
        if process.returncode != 0:
            output.seek(0)
            raise RuntimeError(f"cercles {name} ended with {process.returncode}:\n{output.read().decode()}")


def wait_until(condition: Callable[[], bool], what: str, seconds_between: float = 0.05) -> None:
    """Wait until the condition holds. Raises TimeoutError that says for what."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {WAIT_SECONDS_MAX:g} s until {what}")
        time.sleep(seconds_between)
