"""The lane with producers that misbehave in ways a broker can't be made to show: each is a small stub."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from prometheus_client import CollectorRegistry

from producers import lane
from producers.blocking import BlockingPublisher
from producers.lane import Lane
from producers.metrics import PublisherMetrics
from producers.packing import PartitionQueue
from producers.publishing import BrokerAwayError, Publisher, PublishingBounds, Record
from schemas.connections import KafkaConnection
from schemas.headway import Headway
from tests.gateway.test_publisher import wait_until

RECORD = Record("topic", b"key", b"value")
SECONDS_MAX = 0.4


class ProducerStub:
    """A producer that takes record batches of one partition and never says what became of them."""

    made = 0

    def __init__(self, **options: Any) -> None:
        assert options["enable_idempotence"] is True
        assert options["acks"] == "all"
        ProducerStub.made += 1
        self.records: list[int] = []
        self.listeners: list[Callable[[Any], None]] = []
        self.cluster = SimpleNamespace(
            add_listener=self.listeners.append, partitions_for_topic=lambda _: self.partitions()
        )
        self.client = SimpleNamespace(cluster=self.cluster, force_metadata_update=self.at_once)
        self._sender = SimpleNamespace(close=self.at_once)
        self._message_accumulator = SimpleNamespace(fail_all=lambda _: None)

    def partitions(self) -> set[int]:
        """Return one partition."""
        return {0}

    async def start(self) -> None:
        """Have connected."""

    async def stop(self) -> None:
        """Have closed."""

    async def at_once(self) -> None:
        """Have done whatever it is."""

    def hear_of_the_cluster(self) -> None:
        """Tell the listeners what brokers have just said."""
        for listener in self.listeners:
            listener(self.cluster)

    def create_batch(self) -> BatchBuilder:
        """Return a real record batch."""
        return BatchBuilder(lane.BATCH_BYTES_MAX, 0)

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> "asyncio.Future[Any]":
        """Take a record batch, of so many records."""
        assert (topic, partition) == ("topic", 0)
        self.records.append(batch.record_count())
        return asyncio.get_running_loop().create_future()


class AnsweringProducer(ProducerStub):
    """Acknowledges every record batch at that offset."""

    offset = 5

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> "asyncio.Future[Any]":
        """Acknowledge at once."""
        future = await super().send_batch(batch, topic, partition=partition)
        future.set_result(SimpleNamespace(offset=self.offset))
        return future


class ForgetfulProducer(AnsweringProducer):
    """Acknowledges, but can't say where: a repeat of which the broker knows no more than that it is one."""

    offset = -1


class RefusedProducer(ProducerStub):
    """Is told by the broker that it won't have the record batch."""

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> "asyncio.Future[Any]":
        """Fail at once."""
        future = await super().send_batch(batch, topic, partition=partition)
        future.set_exception(KafkaError("refused"))
        return future


class FaultyProducer(ProducerStub):
    """Has a bug."""

    def partitions(self) -> set[int]:
        """Fail in a way that nobody expects."""
        raise ZeroDivisionError("a bug")


class StubbornProducer(AnsweringProducer):
    """Can't be closed in order."""

    async def stop(self) -> None:
        """Fail."""
        raise KafkaError("could not flush")


class EndlessProducer(AnsweringProducer):
    """Never has closed."""

    async def stop(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()


class EndlesslyConnecting(ProducerStub):
    """Never has connected."""

    async def start(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()


class ChangingProducer(AnsweringProducer):
    """Finds as many partitions of its topic as there are just now."""

    there: ClassVar[set[int]] = {0}

    def partitions(self) -> set[int]:
        """Return those that are there."""
        return self.there


@contextmanager
def async_publisher_with(
    producer: Callable[..., ProducerStub | AIOKafkaProducer],
    monkeypatch: pytest.MonkeyPatch,
    registry: CollectorRegistry | None = None,
) -> Iterator[Publisher]:
    """Give a publisher, for an event loop, with such producers."""
    ProducerStub.made = 0
    monkeypatch.setattr(lane, "AIOKafkaProducer", producer)
    monkeypatch.setattr(lane, "RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(lane, "TURN_SECONDS_MAX", 0.1)
    monkeypatch.setattr(lane, "DISCARD_SECONDS_MAX", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as broker:
        yield Publisher(
            KafkaConnection(bootstrap_servers=f"127.0.0.1:{broker.getsockname()[1]}"),
            ["topic"],
            PublisherMetrics(registry or CollectorRegistry()),
            PublishingBounds(seconds_max=SECONDS_MAX),
        )


@contextmanager
def publisher_with(
    producer: Callable[..., ProducerStub | AIOKafkaProducer],
    monkeypatch: pytest.MonkeyPatch,
    registry: CollectorRegistry | None = None,
) -> Iterator[tuple[BlockingPublisher, Publisher]]:
    """Run a publisher with such producers. Gives its face for threads, and itself to be looked at."""
    with async_publisher_with(producer, monkeypatch, registry) as inner:
        publisher = BlockingPublisher(inner)
        publisher.start()
        try:
            yield publisher, inner
        finally:
            publisher.close()


def test_a_producer_that_never_answers_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is the publisher's own; what the stuck producer holds is dropped, and another one is made."""
    registry = CollectorRegistry()
    with publisher_with(ProducerStub, monkeypatch, registry) as (publisher, inner):
        wait_until(lambda: publisher.not_ready() is None)
        began = time.monotonic()
        with pytest.raises(BrokerAwayError):
            publisher.publish_and_wait([RECORD])
        assert SECONDS_MAX * 0.9 < time.monotonic() - began < SECONDS_MAX + 1
        wait_until(lambda: ProducerStub.made == 2)
        wait_until(lambda: inner.in_flight == (0, 0))
    failures = {
        reason: registry.get_sample_value("cercles_publish_failures_total", {"reason": reason})
        for reason in ("timed_out", "refused")
    }
    assert failures == {"timed_out": 1, "refused": None}


def test_what_queues_behind_a_stuck_producer_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was told 503 in the queue has sent nothing, and nothing is left in flight."""
    made: list[ProducerStub] = []

    def make(**options: Any) -> ProducerStub:
        made.append(ProducerStub(**options))
        return made[-1]

    with publisher_with(make, monkeypatch) as (publisher, inner):
        wait_until(lambda: publisher.not_ready() is None)
        first = publisher.submit([RECORD])
        wait_until(lambda: made[0].records == [1])
        second = publisher.submit([RECORD])
        assert [type(one.exception()) for one in (first, second)] == [BrokerAwayError, BrokerAwayError]
        wait_until(lambda: inner.in_flight == (0, 0))
    assert sum(sum(producer.records) for producer in made) == 1


def test_what_comes_while_a_record_batch_is_under_way_shares_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """One record batch of a partition at a time; nobody waits for company, and many share one acknowledgement."""
    go_on = threading.Event()

    class SlowProducer(AnsweringProducer):
        async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> "asyncio.Future[Any]":
            answer = await super().send_batch(batch, topic, partition=partition)
            await asyncio.to_thread(go_on.wait)
            return answer

    made: list[ProducerStub] = []

    def make(**options: Any) -> ProducerStub:
        made.append(SlowProducer(**options))
        return made[-1]

    with publisher_with(make, monkeypatch) as (publisher, inner):
        wait_until(lambda: publisher.not_ready() is None)
        futures = [publisher.submit([RECORD])]
        wait_until(lambda: made[0].records == [1])
        futures += [publisher.submit([RECORD, RECORD]) for _ in range(3)]
        wait_until(lambda: inner.in_flight[0] == 7)
        go_on.set()
        offsets = [[position.offset for position in one.result()] for one in futures]
        assert made[0].records == [1, 6]
        assert offsets == [[5], [5, 6], [7, 8], [9, 10]]


@pytest.mark.parametrize("producer", [RefusedProducer, ForgetfulProducer])
def test_a_producer_is_trusted_until_its_first_failure(
    monkeypatch: pytest.MonkeyPatch, producer: type[ProducerStub]
) -> None:
    """The numbers of its record batches have a gap then, which no broker lets pass: another one is made at once."""
    with publisher_with(producer, monkeypatch) as (publisher, inner):
        wait_until(lambda: publisher.not_ready() is None)
        began = time.monotonic()
        with pytest.raises(BrokerAwayError):
            publisher.publish_and_wait([RECORD])
        assert time.monotonic() - began < SECONDS_MAX
        wait_until(lambda: ProducerStub.made == 2 and publisher.not_ready() is None)
        assert inner.in_flight == (0, 0)


def test_what_is_no_broker_is_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something listens there, and does not speak Kafka."""
    monkeypatch.setattr(lane, "CONNECT_SECONDS_MAX", 0.3)
    with publisher_with(AIOKafkaProducer, monkeypatch) as (publisher, _):
        wait_until(lambda: "no broker answers" in (publisher.not_ready() or ""))


def test_an_unexpected_error_is_logged_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lane never ends before the process."""
    with publisher_with(FaultyProducer, monkeypatch) as (publisher, _):
        wait_until(lambda: ProducerStub.made >= 2)
        assert publisher.not_ready() is not None


@pytest.mark.parametrize("producer", [StubbornProducer, EndlessProducer])
def test_a_producer_that_can_not_be_closed_is_dropped(
    monkeypatch: pytest.MonkeyPatch, producer: type[ProducerStub]
) -> None:
    """Stopping takes no longer for it."""
    with publisher_with(producer, monkeypatch) as (publisher, _):
        wait_until(lambda: publisher.not_ready() is None)
        (position,) = publisher.publish_and_wait([RECORD])
        assert str(position) == "0:5"
        began = time.monotonic()
    assert time.monotonic() - began < 1


def test_nothing_is_published_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed publisher refuses, and so does one that has not been started."""
    with publisher_with(AnsweringProducer, monkeypatch) as (publisher, inner):
        wait_until(lambda: publisher.not_ready() is None)
        assert publisher.publish_and_wait([]) == []
    for one in (publisher, BlockingPublisher(inner)):
        with pytest.raises(BrokerAwayError):
            one.publish_and_wait([RECORD])
        one.close()


class HangingProducer(ProducerStub):
    """Blocks the event loop in `send_batch`, until it is let go."""

    go_on = threading.Event()

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> "asyncio.Future[Any]":
        """Hang."""
        self.go_on.wait()
        return await super().send_batch(batch, topic, partition=partition)


def made_within(publisher: BlockingPublisher, seconds: float) -> bool:
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
    with publisher_with(AnsweringProducer, monkeypatch) as (publisher, _):
        wait_until(lambda: publisher.not_ready() is None)
        assert made_within(publisher, 10)
        publisher.publish_and_wait([RECORD])
        assert made_within(publisher, 10)


def test_a_lane_that_hangs_makes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever blocks the event loop blocks its turns."""
    HangingProducer.go_on.clear()
    with publisher_with(HangingProducer, monkeypatch) as (publisher, _):
        wait_until(lambda: publisher.not_ready() is None)
        future = publisher.submit([RECORD])
        wait_until(lambda: publisher.under_way().get("oldest publication") == 1)
        assert not made_within(publisher, lane.TURN_SECONDS_MAX * 3)
        HangingProducer.go_on.set()
        assert isinstance(future.exception(), BrokerAwayError)
        assert made_within(publisher, 10)


def test_a_publication_that_is_never_settled_is_no_headway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although the lane goes on, and later ones are settled."""

    def make(**options: Any) -> ProducerStub:
        return AnsweringProducer(**options) if ProducerStub.made else ProducerStub(**options)

    monkeypatch.setattr(PartitionQueue, "drop", lambda *_: None)
    with publisher_with(make, monkeypatch) as (publisher, _):
        wait_until(lambda: publisher.not_ready() is None)
        with pytest.raises(BrokerAwayError):
            publisher.publish_and_wait([RECORD])
        wait_until(lambda: ProducerStub.made == 2 and publisher.not_ready() is None)
        publisher.publish_and_wait([RECORD])
        assert not made_within(publisher, lane.TURN_SECONDS_MAX * 3)


def test_an_outage_is_headway(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was in flight has failed at its deadline; the lane goes on asking for brokers."""

    async def out_of_reach(_: Lane) -> bool:
        return False

    with publisher_with(ProducerStub, monkeypatch) as (publisher, _):
        wait_until(lambda: publisher.not_ready() is None)
        monkeypatch.setattr(Lane, "_within_reach", out_of_reach)
        with pytest.raises(BrokerAwayError):
            publisher.publish_and_wait([RECORD])
        wait_until(lambda: "within reach" in (publisher.not_ready() or ""))
        assert "oldest publication" not in publisher.under_way()
        assert made_within(publisher, 10)


def test_a_stopping_publisher_finishes_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a publication's time: what was handed over before the end is acknowledged, and its caller is told."""

    class LateProducer(ProducerStub):
        async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> "asyncio.Future[Any]":
            future = await super().send_batch(batch, topic, partition=partition)
            asyncio.get_running_loop().call_later(SECONDS_MAX / 4, future.set_result, SimpleNamespace(offset=7))
            return future

    with publisher_with(LateProducer, monkeypatch) as (publisher, inner):
        wait_until(lambda: publisher.not_ready() is None)
        future = publisher.submit([RECORD])
        wait_until(lambda: inner.in_flight[0] == 1)
    assert [str(position) for position in future.result(0)] == ["0:7"]


def test_a_topic_that_has_gone_is_sent_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what is about to be sent is dropped: aiokafka would have the broker make the topic anew."""
    made: list[ChangingProducer] = []

    def make(**options: Any) -> ProducerStub:
        made.append(ChangingProducer(**options))
        return made[-1]

    async def lose_it(publisher: Publisher) -> None:
        async with publisher:
            await asyncio.to_thread(wait_until, lambda: publisher.not_ready() is None)
            publishing = asyncio.create_task(publisher.publish([RECORD]))
            await asyncio.sleep(0)  # until it queues
            assert publisher.in_flight[0] == 1
            monkeypatch.setattr(ChangingProducer, "there", set[int]())
            made[0].hear_of_the_cluster()
            with pytest.raises(BrokerAwayError):
                await publishing
            assert publisher.in_flight == (0, 0)
            await asyncio.to_thread(wait_until, lambda: "`cercles topics` makes it" in (publisher.not_ready() or ""))
            assert made[0].records == []
            monkeypatch.setattr(ChangingProducer, "there", {0})
            await asyncio.to_thread(wait_until, lambda: publisher.not_ready() is None)
            assert await publisher.publish([RECORD])

    with async_publisher_with(make, monkeypatch) as publisher:
        asyncio.run(lose_it(publisher))


def test_a_topic_with_another_number_of_partitions_is_sent_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Campaigns would change their partition; it stays so until somebody has done something about it."""
    made: list[ChangingProducer] = []

    def make(**options: Any) -> ProducerStub:
        made.append(ChangingProducer(**options))
        return made[-1]

    async def grow(publisher: Publisher) -> None:
        async with publisher:
            await asyncio.to_thread(wait_until, lambda: publisher.not_ready() is None)
            monkeypatch.setattr(ChangingProducer, "there", {0, 1})
            made[0].hear_of_the_cluster()
            with pytest.raises(BrokerAwayError):
                await publisher.publish([RECORD])
            await asyncio.to_thread(wait_until, lambda: "has 2 partitions and had 1" in (publisher.not_ready() or ""))
            await asyncio.to_thread(wait_until, lambda: ProducerStub.made > 3)
            assert "has 2 partitions and had 1" in (publisher.not_ready() or "")

    with async_publisher_with(make, monkeypatch) as publisher:
        asyncio.run(grow(publisher))


def test_a_lane_that_is_connecting_ends_as_fast_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops does not wait for a broker that says nothing."""
    monkeypatch.setattr(lane, "CONNECT_SECONDS_MAX", 60)
    with publisher_with(EndlesslyConnecting, monkeypatch) as (publisher, _):
        wait_until(lambda: ProducerStub.made == 1)
        began = time.monotonic()
        publisher.close()
        assert time.monotonic() - began < lane.END_SECONDS_MAX
        assert publisher.not_ready() == lane.STOPPING


def test_a_lane_that_looks_for_a_broker_ends_as_fast_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses it has been given."""
    looking = threading.Event()

    async def look_for_ever(_: Lane) -> bool:
        looking.set()
        await asyncio.Event().wait()
        return False

    monkeypatch.setattr(Lane, "_within_reach", look_for_ever)
    with publisher_with(ProducerStub, monkeypatch) as (publisher, _):
        assert looking.wait(10)
        began = time.monotonic()
        publisher.close()
        assert time.monotonic() - began < lane.END_SECONDS_MAX


def test_a_topic_that_was_not_named_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the publication is sent, and nothing stays in flight for ever."""
    with publisher_with(AnsweringProducer, monkeypatch) as (publisher, inner):
        wait_until(lambda: publisher.not_ready() is None)
        with pytest.raises(KeyError):
            publisher.publish_and_wait([RECORD, Record("other", b"key", b"value")])
        assert inner.in_flight == (0, 0)
        assert "oldest publication" not in inner.under_way()
        publisher.publish_and_wait([RECORD])


def test_a_canceled_publication_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker may have it, and nobody was told."""
    registry = CollectorRegistry()
    with publisher_with(ProducerStub, monkeypatch, registry) as (publisher, inner):
        wait_until(lambda: publisher.not_ready() is None)
        future = publisher.submit([RECORD])
        wait_until(lambda: inner.in_flight[0] == 1)
        future.cancel()
        canceled = ("cercles_publish_failures_total", {"reason": "canceled"})
        wait_until(lambda: registry.get_sample_value(*canceled) == 1)
