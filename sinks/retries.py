"""Trying again while a broker or the database is away: bounded, ever more seldom, never in step with others."""

import random
import time
from collections.abc import Callable
from typing import Final

RETRY_DELAY_SECONDS_MIN: Final = 0.1
_GROWTH: Final = 2.0


class Retries:
    """Delays between attempts: doubling up to a maximum, half of each left to chance, while an outage may last.

    `clock` is monotonic and in seconds.
    """

    def __init__(
        self, *, delay_seconds_max: float, outage_seconds_max: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._delay_seconds_max = delay_seconds_max
        self._outage_seconds_max = outage_seconds_max
        self._clock = clock
        self._since: float | None = None
        self._delay_seconds = RETRY_DELAY_SECONDS_MIN

    def delay_seconds(self, error: Exception) -> float:
        """Return how long to wait after an attempt that failed. Raises `error` when the outage has lasted too long."""
        now = self._clock()
        if self._since is None:
            self._since = now
        if now - self._since > self._outage_seconds_max:
            raise error
        delay = min(self._delay_seconds, self._delay_seconds_max)
        self._delay_seconds = min(self._delay_seconds * _GROWTH, self._delay_seconds_max)
        return delay * random.uniform(0.5, 1.0)

    def succeeded(self) -> None:
        """The outage, if there was one, is over."""
        self._since = None
        self._delay_seconds = RETRY_DELAY_SECONDS_MIN
