"""A running `cercles up`, and waiting for what it does."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

WAIT_SECONDS_MAX = 60


class Stack:
    """A running `cercles up`, and what it printed."""

    def __init__(self, process: subprocess.Popen[str], printed: str) -> None:
        self.process = process
        self.printed = printed

    def address(self, name: str) -> str:
        found = re.search(rf"^{name}  +(\S+)$", self.printed, re.MULTILINE)
        assert found is not None
        return found.group(1)

    def line(self, beginning: str) -> str:
        return next(line for line in self.printed.splitlines() if beginning in line)

    def campaign(self, campaign_id: str) -> dict[str, Any] | None:
        answer = httpx.get(f"{self.address('reader')}/v1/campaigns/{campaign_id}", timeout=WAIT_SECONDS_MAX)
        content: dict[str, Any] = answer.json()
        return content if answer.is_success else None


@contextmanager
def up(data: Path) -> Iterator[Stack]:
    command = [sys.executable, "-m", "cercles", "up", "--data", str(data)]
    with (data.parent / "up.err").open("a") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        with process:
            assert process.stdout is not None
            printed = ""
            for line in process.stdout:
                printed += line
                if line.startswith("What became of it"):
                    break
            assert process.poll() is None, (data.parent / "up.err").read_text()
            yield Stack(process, printed)
            if process.poll() is None:
                process.terminate()


def eventually(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.2)
