"""Ends the supervising commands in order: the first Ctrl-C, SIGTERM or SIGHUP interrupts, later ones don't disturb."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody asked to stop. Not an error, and so not to be taken for one."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted, once, wherever the main thread is when somebody asks to stop.

    What then stops the parts, in the `finally` of whoever started them, is not interrupted again. Main thread only.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a signal handler
        for one in SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        raise Interrupted(signal.Signals(number).name)

    before = {one: signal.signal(one, interrupt) for one in SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
