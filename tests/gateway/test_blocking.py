"""A publisher for threads: whatever its event loop does, nobody waits for ever, and all are told the same error."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, cast

import pytest

from producers import blocking
from producers.blocking import BlockingPublisher
from producers.publication import BrokerAwayError, Position, Record
from producers.publishing import Publisher

RECORD = Record("topic", b"key", b"value")


class SilentPublisher:
    """Takes records, and never says what became of them."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """End at once."""

    async def publish(self, records: Sequence[Record]) -> list[Position]:
        """Wait for ever."""
        assert records
        self.asked.set()
        await asyncio.Event().wait()
        return []


def silent() -> tuple[BlockingPublisher, SilentPublisher]:
    inner = SilentPublisher()
    return BlockingPublisher(cast("Publisher", inner)), inner


def test_no_answer_is_an_error_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever holds the event loop up, who waits is told that the records may not be there."""
    monkeypatch.setattr(blocking, "CLOSE_SECONDS_MAX", 0.2)
    publisher, _ = silent()
    publisher.start()
    with pytest.raises(BrokerAwayError, match="no answer"):
        publisher.publish_and_wait([RECORD])
    publisher.close()


def test_the_end_of_the_loop_is_told_to_who_waits() -> None:
    """As an error of the publisher's, which every caller expects."""
    publisher, inner = silent()
    publisher.start()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(publisher.publish_and_wait, [RECORD])
        assert inner.asked.wait(10)
        publisher.close()
        assert isinstance(waiting.exception(10), BrokerAwayError)


def test_a_loop_that_has_just_closed_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call may meet it while its thread still ends."""
    publisher, _ = silent()
    publisher.start()
    publisher.close()
    monkeypatch.setattr(publisher, "_thread", threading.current_thread())
    with pytest.raises(BrokerAwayError, match="stopping"):
        publisher.publish_and_wait([RECORD])


def test_without_an_event_loop_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without free file descriptors ends in words, where it waited for ever."""

    def no_loop() -> Any:
        raise OSError("too many open files")

    monkeypatch.setattr(asyncio, "new_event_loop", no_loop)
    publisher, _ = silent()
    with pytest.raises(OSError, match="too many open files"):
        publisher.start()
    publisher.close()


def test_without_a_thread_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is the event loop left open."""

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    publisher, _ = silent()
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(RuntimeError, match="new thread"):
        publisher.start()
    publisher.close()
