"""Notices that a process has stopped making progress although there is something to do."""

import time
from collections.abc import Callable
from typing import Final

_COMPLAIN_SHARE: Final = 0.25
"""The share of the longest stall allowed after which the process says that it is not ready."""


class StalledError(RuntimeError):
    """No progress for too long while there was lag; the process ends so that another can try."""


class Liveness:
    """Told lag and progress now and then; any change of progress counts, so a long restore is progress."""

    def __init__(self, stall_seconds_max: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stall_seconds_max = stall_seconds_max
        self._clock = clock
        self._progress = -1
        self._since = clock()

    def note(self, lag: int, progress: int) -> float:
        """Take note of the lag, and of a number that changes with progress; return the seconds of the present stall.

        Raises StalledError when the stall has lasted longer than allowed.
        """
        now = self._clock()
        if lag <= 0 or progress != self._progress:
            self._progress = progress
            self._since = now
            return 0.0
        stalled = now - self._since
        if stalled > self._stall_seconds_max:
            raise StalledError(f"no progress for {stalled:.0f} s although {lag} events wait: ending, to be restarted")
        return stalled

    def complaint(self) -> str | None:
        """Return why the process is not ready, or None."""
        stalled = self._clock() - self._since
        if stalled > self._stall_seconds_max * _COMPLAIN_SHARE and self._progress >= 0:
            return f"no progress for {stalled:.0f} s"
        return None
