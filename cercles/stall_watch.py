"""Notices that a process no longer gets on, says so, and ends it in bounded time, whatever it hangs in.

It runs in a thread of its own and needs nothing of the others: neither the event loop nor the main thread, which may be
inside a C call that waits for a server for ever. What it can't see is a C call that never gives the interpreter's lock
back; then `/healthz` does not answer either.
"""

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from prometheus_client import Gauge

from cercles.exit_codes import EXIT_FAILED
from cercles.process import Process

LOOK_SECONDS: Final = 1.0
"""Time between two looks, and all that one adds to a stall: a process that was suspended did not stall meanwhile."""

COMPLAIN_SHARE: Final = 0.25
"""The share of the longest stall allowed after which the process says that it is not ready."""

GRACE_SECONDS: Final = 10.0
"""Time to stop once it is asked to because of a stall: what processes promise."""

SPEAK_SECONDS_MAX: Final = 2.0
"""Longest wait for a last word: what hangs may hold the log's lock, or be the log itself."""

STANDING_NAMED_MAX: Final = 5

log = structlog.get_logger(__name__)


class StallWatch:
    """Looks once a second whether the process makes headway, from `start` until the process has ended.

    Without headway for a quarter of `seconds_max` there is a `complaint`, for `/readyz`; after `seconds_max` there is a
    `verdict`, the stacks of all threads are logged, and `stop` is set. A process that has not ended `GRACE_SECONDS`
    later is ended with exit code 1, by `end`.
    """

    def __init__(
        self, process: Process, seconds_max: float, stop: threading.Event, *, end: Callable[[int], object] = os._exit
    ) -> None:
        self.verdict: str | None = None
        """Why the process has to end, or None."""
        self._process = process
        self._seconds_max = seconds_max
        self._stop = stop
        self._end = end
        self._made = process.headway.made
        self._stalled_seconds = 0.0
        self._gauge = Gauge(
            "cercles_process_stalled_seconds",
            "Time without progress although there is something to do; 0 while the process gets on",
            registry=process.registry,
        )

    def start(self) -> None:
        """Begin to look. Nothing stops it but the end of the process, which might hang even on its way out."""
        threading.Thread(target=self._run, name="stall-watch", daemon=True).start()

    def look(self) -> None:
        """Look once; to be called every `LOOK_SECONDS`."""
        made = self._process.headway.made
        self._stalled_seconds = self._stalled_seconds + LOOK_SECONDS if made == self._made else 0.0
        self._made = made
        self._gauge.set(self._stalled_seconds)
        if self.verdict is None and self._stalled_seconds >= self._seconds_max:
            self.verdict = f"{self._in_words()}: ending, to be started again"
            _in_bounded_time(self._log_stacks)
            _in_bounded_time(self._stop.set)

    def complaint(self) -> str | None:
        """Return why the process is not ready, or None."""
        if self._stalled_seconds > self._seconds_max * COMPLAIN_SHARE:
            return self._in_words()
        return None

    def _run(self) -> None:
        try:
            while self.verdict is None:
                time.sleep(LOOK_SECONDS)
                self.look()
            time.sleep(GRACE_SECONDS)
            _in_bounded_time(self._log_end)
        finally:
            self._end(EXIT_FAILED)

    def _in_words(self) -> str:
        standing = sorted(self._process.headway.standing.items())
        named = [f"{name} at {place}" for name, place in standing[:STANDING_NAMED_MAX]]
        if len(standing) > len(named):
            named.append(f"{len(standing) - len(named)} more")
        return f"no progress for {self._stalled_seconds:.0f} s" + (f" ({', '.join(named)})" if named else "")

    def _log_stacks(self) -> None:
        log.error("process_stalled", process=self._process.name, reason=self.verdict, stack=_stacks())

    def _log_end(self) -> None:
        reason = f"{self.verdict}; it did not stop within {GRACE_SECONDS:g} s"
        log.error("process_ended", process=self._process.name, reason=reason)


def _stacks() -> str:
    """Return where every thread is just now, the innermost call last."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    stacks = []
    for ident, frame in sys._current_frames().items():  # noqa: SLF001 - documented, the name notwithstanding
        if ident != threading.get_ident():
            stacks.append(f"Thread {names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}")
    return "\n".join(stacks)


def _in_bounded_time(action: Callable[[], object]) -> None:
    thread = threading.Thread(target=action, name="stall-watch-word", daemon=True)
    with suppress(RuntimeError):  # that no further thread can be started may be why the process stands still
        thread.start()
        thread.join(SPEAK_SECONDS_MAX)
