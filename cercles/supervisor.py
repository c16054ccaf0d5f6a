"""Keeps the parts of an embedded stack alive: starts them in order, restarts what dies, stops them in order."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cercles.exit_codes import EXIT_SETTINGS
from cercles.parts import Part, StartError, await_all

BACKOFF_FIRST_SECONDS: Final = 0.5
BACKOFF_SECONDS_MAX: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""Who has run this long has recovered: its next death counts as the first again."""

FAILURES_MAX: Final = 10
"""Deaths in a row, none of them after `STEADY_SECONDS`, after which the supervisor gives the stack up."""


class HopelessError(Exception):
    """A part dies again and again, or its settings are wrong: starting it again can't help."""


@dataclass(slots=True)
class _Watch:
    part: Part
    started_at: float = 0.0
    failures: int = 0
    restart_at: float | None = None


class Supervisor:
    """Runs stages of parts. Stages start in their order and stop in the opposite one; parts of a stage stop together.

    Every method is to be called from one thread. `say` gets each restart in words.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[Part]],
        *,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stages = [[_Watch(part) for part in stage] for stage in stages]
        self._say = say
        self._clock = clock

    def start(self) -> None:
        """Start every part that is not running, in order. Raises StartError."""
        for stage in self._stages:
            for watch in stage:
                if not watch.part.is_running():
                    self._start(watch)

    def tend(self) -> None:
        """Look after every part once, and restart those whose time has come; to be called several times a second.

        Raises HopelessError when a part can't be kept alive.
        """
        for stage in self._stages:
            for watch in stage:
                if watch.restart_at is not None:
                    if self._clock() >= watch.restart_at:
                        self._restart(watch)
                elif watch.part.is_running():
                    watch.part.tend()
                else:
                    self._note_death(watch)

    def restarts(self) -> int:
        """Return how many parts are dead just now and wait for their restart."""
        return sum(watch.restart_at is not None for stage in self._stages for watch in stage)

    def stop(self) -> None:
        """Stop everything, the last stage first. A part that does not stop in time is ended by force."""
        for stage in reversed(self._stages):
            await_all([watch.part for watch in stage])

    def _start(self, watch: _Watch) -> None:
        watch.restart_at = None
        watch.started_at = self._clock()
        watch.part.start()

    def _restart(self, watch: _Watch) -> None:
        try:
            self._start(watch)
        except StartError as error:
            self._schedule(watch, f"{watch.part.name} did not start: {error}")

    def _note_death(self, watch: _Watch) -> None:
        part, code = watch.part, watch.part.exit_code()
        why = f"{part.name} ended{'' if code is None else f' ({_in_words(code)})'}"
        if code is None or code >= 0:  # whom a signal ended, had no time to say why
            why += f": {part.last_words() or 'no last words'}"
        if code == EXIT_SETTINGS:
            raise HopelessError(why)
        self._schedule(watch, why)

    def _schedule(self, watch: _Watch, why: str) -> None:
        lived_seconds = self._clock() - watch.started_at
        watch.failures = 1 if lived_seconds >= STEADY_SECONDS else watch.failures + 1
        if watch.failures > FAILURES_MAX:
            raise HopelessError(f"{why}. It has now died {watch.failures} times in a row")
        delay_seconds = min(BACKOFF_SECONDS_MAX, BACKOFF_FIRST_SECONDS * 2 ** (watch.failures - 1))
        watch.restart_at = self._clock() + delay_seconds
        self._say(f"{why}. It starts again in {delay_seconds:g} s")


def _in_words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
