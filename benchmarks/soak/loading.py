"""Starts the load, tells it how fast to be, and keeps what it says."""

import subprocess
import sys
import threading
from types import TracebackType
from typing import IO, Final, Self

import msgspec

from benchmarks.soak.load import Order, Report, Task

_STOP_SECONDS_MAX: Final = 60.0


class Loading:
    """The load as a process, for the length of the block."""

    def __init__(self, task: Task) -> None:
        self.reports: list[Report] = []
        """What it has said so far, a line each second; another thread adds to it."""
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.soak.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._listening = threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True)
        self._listening.start()
        self._say(task)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def go(self, events_per_second: float | None) -> None:
        """Post at that rate from now on; 0 pauses, None is as fast as posts are answered. Raises OSError."""
        self._say(Order(events_per_second))

    def stop(self) -> Report:
        """End it, once everything under way is answered; its last word. Raises RuntimeError when it failed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        code = self._process.wait(_STOP_SECONDS_MAX)
        self._listening.join()
        if code != 0 or not self.reports:
            raise RuntimeError(f"the load ended with {code}")
        return self.reports[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def _say(self, words: Task | Order) -> None:
        if self._process.stdin is None:
            raise RuntimeError("the load has no input")
        self._process.stdin.write(msgspec.json.encode(words) + b"\n")
        self._process.stdin.flush()

    def _listen(self, said: IO[bytes]) -> None:
        for line in said:
            self.reports.append(msgspec.json.decode(line, type=Report))
