"""A process that stands still although there is something to do says so, and ends after a bounded time."""

import pytest

from stream_processors.shell.liveness import Liveness, StalledError


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


def test_no_lag_is_no_stall() -> None:
    """However long nothing happens."""
    clock = Clock()
    liveness = Liveness(60, clock)
    for _ in range(10):
        clock.now += 50
        assert liveness.note(lag=0, progress=5) == 0
        assert liveness.complaint() is None


def test_any_progress_ends_a_stall() -> None:
    """A long restore is progress, though nothing is acknowledged meanwhile."""
    clock = Clock()
    liveness = Liveness(60, clock)
    for progress in range(20):
        clock.now += 40
        assert liveness.note(lag=1000, progress=progress) == 0


def test_a_stall_is_said_first_and_ends_the_process_at_last() -> None:
    """Not ready after a quarter of the time allowed; an error after all of it."""
    clock = Clock()
    liveness = Liveness(60, clock)
    liveness.note(lag=5, progress=1)
    clock.now += 10
    assert liveness.note(lag=5, progress=1) == 10
    assert liveness.complaint() is None
    clock.now += 10
    liveness.note(lag=5, progress=1)
    assert liveness.complaint() == "no progress for 20 s"
    clock.now += 41
    with pytest.raises(StalledError, match="no progress for 61 s although 5 events wait"):
        liveness.note(lag=5, progress=1)


def test_a_process_that_no_longer_measures_is_not_ready_either() -> None:
    """When its own loop hangs, nobody takes note any more."""
    clock = Clock()
    liveness = Liveness(60, clock)
    liveness.note(lag=0, progress=1)
    clock.now += 30
    assert liveness.complaint() == "no progress for 30 s"
