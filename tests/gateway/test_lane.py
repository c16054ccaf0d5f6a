"""The lane with producers that misbehave in ways a broker can't be made to show: each is a small fake."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.future import Future
from prometheus_client import CollectorRegistry

from producers import lane
from producers.lane import Lane
from producers.metrics import PublisherMetrics
from producers.publishing import BrokerAwayError, Publisher, PublishingBounds, Record
from schemas.connections import KafkaConnection
from schemas.headway import Headway
from tests.gateway.test_publisher import wait_until

RECORD = Record("topic", b"key", b"value")
SECONDS_MAX = 0.4


class ProducerStub:
    """A producer that takes records and never says what became of them, until it is closed by force."""

    made = 0

    def __init__(self, **options: Any) -> None:
        assert options["enable_idempotence"] is True
        assert options["acks"] == "all"
        ProducerStub.made += 1
        self.futures: list[Future] = []
        self._sender = self

    def partitions_for(self, _: str) -> set[int]:
        """Return one partition."""
        return {0}

    def send(self, *_: object, **__: object) -> Future:
        """Take a record."""
        self.futures.append(Future())
        return self.futures[-1]

    def force_close(self) -> None:
        """Drop what is held."""
        for future in self.futures:
            if not future.is_done:
                future.failure(KafkaError("closed by force"))

    def join(self, timeout: float) -> None:
        """Have ended."""

    def close(self, timeout: float) -> None:
        """Have closed."""


class AnsweringProducer(ProducerStub):
    """Acknowledges every record at that offset."""

    offset = 5

    def send(self, *_: object, **__: object) -> Future:
        """Acknowledge at once."""
        return super().send().success(SimpleNamespace(partition=0, offset=self.offset))


class ForgetfulProducer(AnsweringProducer):
    """Acknowledges, but can't say where: a repeat of which the broker knows no more than that it is one."""

    offset = -1


class FaultyProducer(ProducerStub):
    """Has a bug."""

    def partitions_for(self, _: str) -> set[int]:
        """Fail in a way that nobody expects."""
        raise ZeroDivisionError("a bug")


class SlowProducer(ProducerStub):
    """Blocks in `send`, as the real one does while it waits for metadata."""

    def send(self, *_: object, **__: object) -> Future:
        """Take a record after more than a publication's time."""
        time.sleep(SECONDS_MAX * 2)
        return super().send()


class StubbornProducer(AnsweringProducer):
    """Can't be closed in order."""

    def close(self, timeout: float) -> None:  # noqa: ARG002 - a keyword of the real one
        """Fail as the real one does."""
        raise KafkaError("could not flush")


@contextmanager
def publisher_with(
    producer: Callable[..., ProducerStub], monkeypatch: pytest.MonkeyPatch, registry: CollectorRegistry | None = None
) -> Iterator[Publisher]:
    ProducerStub.made = 0
    monkeypatch.setattr(lane, "KafkaProducer", producer)
    monkeypatch.setattr(lane, "RECONNECT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as broker:
        publisher = Publisher(
            KafkaConnection(bootstrap_servers=f"127.0.0.1:{broker.getsockname()[1]}"),
            ["topic"],
            PublisherMetrics(registry or CollectorRegistry()),
            PublishingBounds(seconds_max=SECONDS_MAX),
        )
        publisher.start()
        try:
            yield publisher
        finally:
            publisher.close()


def publish_async(publisher: Publisher) -> None:
    asyncio.run(publisher.publish([RECORD]))


def publish_blocking(publisher: Publisher) -> None:
    publisher.publish_and_wait([RECORD])


@pytest.mark.parametrize("publish", [publish_async, publish_blocking])
def test_a_producer_that_never_answers_is_replaced(
    monkeypatch: pytest.MonkeyPatch, publish: Callable[[Publisher], None]
) -> None:
    """The deadline is the publisher's own; what the stuck producer holds is dropped, and another one is made."""
    registry = CollectorRegistry()
    with publisher_with(ProducerStub, monkeypatch, registry) as publisher:
        wait_until(lambda: publisher.not_ready() is None)
        began = time.monotonic()
        with pytest.raises(BrokerAwayError):
            publish(publisher)
        assert SECONDS_MAX * 0.9 < time.monotonic() - began < SECONDS_MAX + 1
        wait_until(lambda: ProducerStub.made == 2)
        wait_until(lambda: publisher.in_flight == (0, 0))
    failures = {
        reason: registry.get_sample_value("cercles_publish_failures_total", {"reason": reason})
        for reason in ("timed_out", "refused")
    }
    assert failures == {"timed_out": 1, "refused": None}


def test_what_queues_behind_a_stuck_producer_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was told 503 in the queue has sent nothing, and nothing is left in flight."""
    made: list[SlowProducer] = []

    def make(**options: Any) -> SlowProducer:
        made.append(SlowProducer(**options))
        return made[-1]

    async def two_at_once(publisher: Publisher) -> list[Any]:
        return await asyncio.gather(*(publisher.publish([RECORD]) for _ in range(2)), return_exceptions=True)

    with publisher_with(make, monkeypatch) as publisher:
        wait_until(lambda: publisher.not_ready() is None)
        outcomes = asyncio.run(two_at_once(publisher))
        assert [type(outcome) for outcome in outcomes] == [BrokerAwayError, BrokerAwayError]
        wait_until(lambda: publisher.in_flight == (0, 0))
    assert sum(len(producer.futures) for producer in made) == 1


def test_what_is_no_broker_is_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something listens there, and does not speak Kafka."""
    monkeypatch.setattr(lane, "BOOTSTRAP_SECONDS_MAX", 0.3)
    with publisher_with(KafkaProducer, monkeypatch) as publisher:
        wait_until(lambda: "no broker answers" in (publisher.not_ready() or ""))


def test_an_acknowledgement_without_a_position_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told a position that is not one; sending again is safe."""
    with publisher_with(ForgetfulProducer, monkeypatch) as publisher:
        wait_until(lambda: publisher.not_ready() is None)
        with pytest.raises(BrokerAwayError):
            publisher.publish_and_wait([RECORD])


def test_an_unexpected_error_is_logged_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lane never ends before the process."""
    with publisher_with(FaultyProducer, monkeypatch) as publisher:
        wait_until(lambda: ProducerStub.made >= 2)
        assert publisher.not_ready() is not None


def test_a_producer_that_can_not_be_closed_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopping takes no longer for it."""
    with publisher_with(StubbornProducer, monkeypatch) as publisher:
        wait_until(lambda: publisher.not_ready() is None)
        (position,) = publisher.publish_and_wait([RECORD])
        assert str(position) == "0:5"
        began = time.monotonic()
    assert time.monotonic() - began < 1


def test_nothing_is_published_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed publisher refuses."""
    with publisher_with(AnsweringProducer, monkeypatch) as publisher:
        wait_until(lambda: publisher.not_ready() is None)
        assert publisher.publish_and_wait([]) == []
    with pytest.raises(BrokerAwayError):
        publisher.publish_and_wait([RECORD])


class HangingProducer(ProducerStub):
    """Never returns from `send`, until it is let go."""

    go_on = threading.Event()

    def send(self, *_: object, **__: object) -> Future:
        """Hang."""
        self.go_on.wait()
        return super().send()


def made_within(publisher: Publisher, seconds: float) -> bool:
    """Note what is under way, again and again; return whether that was headway."""
    headway = Headway()
    headway.note(publisher.under_way())
    until = time.monotonic() + seconds
    while headway.made == 1 and time.monotonic() < until:
        time.sleep(0.02)
        headway.note(publisher.under_way())
    return headway.made > 1


def test_an_idle_lane_makes_headway(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks around at least every second."""
    with publisher_with(AnsweringProducer, monkeypatch) as publisher:
        wait_until(lambda: publisher.not_ready() is None)
        assert made_within(publisher, 10)
        publisher.publish_and_wait([RECORD])
        assert made_within(publisher, 10)


def test_a_lane_that_hangs_makes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although everybody who waits is answered in time."""
    HangingProducer.go_on.clear()
    with publisher_with(HangingProducer, monkeypatch) as publisher:
        wait_until(lambda: publisher.not_ready() is None)
        with pytest.raises(BrokerAwayError):
            publisher.publish_and_wait([RECORD])
        assert publisher.under_way()["oldest publication"] == 1
        assert not made_within(publisher, lane.TURN_SECONDS_MAX * 3)
        HangingProducer.go_on.set()
        assert made_within(publisher, 10)


def test_a_publication_that_is_never_settled_is_no_headway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although the lane goes on, and later ones are settled."""

    class LosingProducer(AnsweringProducer):
        def send(self, *what: object, **_: object) -> Future:
            return Future() if what[1] == b"lost" else super().send()

    with publisher_with(LosingProducer, monkeypatch) as publisher:
        wait_until(lambda: publisher.not_ready() is None)
        with pytest.raises(BrokerAwayError):
            publisher.publish_and_wait([Record("topic", b"key", b"lost")])
        wait_until(lambda: ProducerStub.made == 2 and publisher.not_ready() is None)
        publisher.publish_and_wait([RECORD])
        assert not made_within(publisher, lane.TURN_SECONDS_MAX * 3)


def test_an_outage_is_headway(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was in flight has failed at its deadline; the lane goes on asking for brokers."""
    with publisher_with(ProducerStub, monkeypatch) as publisher:
        wait_until(lambda: publisher.not_ready() is None)
        monkeypatch.setattr(Lane, "_within_reach", lambda _: False)
        with pytest.raises(BrokerAwayError):
            publisher.publish_and_wait([RECORD])
        wait_until(lambda: "within reach" in (publisher.not_ready() or ""))
        assert "oldest publication" not in publisher.under_way()
        assert made_within(publisher, 10)


def test_what_comes_just_as_the_brokers_go_away_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """It passed the look at whether they are there, and is queued when nobody serves the queue any more."""
    with publisher_with(AnsweringProducer, monkeypatch) as publisher:
        wait_until(lambda: publisher.not_ready() is None)
        monkeypatch.setattr(Lane, "_within_reach", lambda _: False)
        publisher._lane._suspect.set()
        publisher._lane._queue.put(None)
        wait_until(lambda: "within reach" in (publisher.not_ready() or ""))
        publisher._lane.away = None
        with pytest.raises(BrokerAwayError):
            publisher.publish_and_wait([RECORD])
        wait_until(lambda: publisher.in_flight == (0, 0))
