"""The real processes, as operations starts them: `cercles sink`, `cercles gateway` and the others."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

STOP_SECONDS_MAX: Final = 15.0
WAIT_SECONDS_MAX: Final = 120.0


@contextmanager
def program(module: str, *arguments: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `python -m MODULE` for the length of the block. Raises RuntimeError, with its log, when it ends badly."""
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", module, *arguments],
            env=os.environ | environment,
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
            raise RuntimeError(f"{module} ended with {process.returncode}:\n{output.read().decode()}")


def command(name: str, environment: dict[str, str]) -> AbstractContextManager["subprocess.Popen[bytes]"]:
    """Run `cercles NAME` for the length of the block, as `program` does."""
    return program("cercles", name, **{"CERCLES_LOG_LEVEL": "WARNING"} | environment)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], bool], what: str, seconds_between: float = 0.05) -> None:
    """Wait until the condition holds. Raises TimeoutError that says for what."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {WAIT_SECONDS_MAX:g} s until {what}")
        time.sleep(seconds_between)
