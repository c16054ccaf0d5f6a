"""What waits costs nothing to those that come after it."""

import time

from schemas.events import encode
from stream_processors.resolver.state import ResolverState
from tests.resolver.events import Record, fold, link, refund


def seconds_to_release(facts: int) -> float:
    """Return how long it takes to say so many waiting facts, each by its link, the oldest first."""
    payments = [f"stripe:pi_{number}" for number in range(facts)]
    state = ResolverState()
    told = [
        Record(offset, encode(event), event.data.payment_id.encode())
        for offset, event in enumerate([*map(refund, payments), *map(link, payments)])
    ]
    fold(state, *told[:facts])
    started = time.perf_counter()
    assert len(fold(state, *told[facts:]).resolved) == facts
    return time.perf_counter() - started


def test_twenty_times_as_many_take_about_twenty_times_as_long() -> None:
    """With a plain dictionary, which has to be searched from its front, it was a hundred times as long."""
    few = min(seconds_to_release(3_000) for _ in range(5))
    many = min(seconds_to_release(60_000) for _ in range(2))
    assert many < few * 60
