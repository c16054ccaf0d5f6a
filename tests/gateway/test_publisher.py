"""Writing to the log: one suite for the real broker and for the fake of the other tests, then the real one alone."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.sender import Sender
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from kafka.partitioner import DefaultPartitioner
from prometheus_client import CollectorRegistry

from cercles.embedded.kafka import EmbeddedKafka
from producers import lane
from producers.blocking import BlockingPublisher
from producers.metrics import PublisherMetrics
from producers.publishing import (
    BrokerAwayError,
    Position,
    Publisher,
    Publishing,
    PublishingBounds,
    Record,
    TooMuchInFlightError,
)
from schemas.connections import KafkaConnection
from schemas.topics import DEAD_LETTERS, LOG, PARTITIONS_EMBEDDED
from tests.gateway.fake_log import FakeLog

HEADERS = (("content-type", b"application/cloudevents+json"),)
TOPICS = (LOG.name, DEAD_LETTERS.name)
SECONDS_MAX = 2.0


def record(number: int, campaign: str = "campaign") -> Record:
    return Record(LOG.name, campaign.encode(), b"event-%d" % number, HEADERS)


def publish(publishing: Publishing, records: Sequence[Record]) -> list[Position]:
    return asyncio.run(publishing.publish(records))


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s")
        time.sleep(0.02)


def a_publisher(
    bootstrap_servers: str, topics: Sequence[str] = TOPICS, bounds: PublishingBounds | None = None
) -> Publisher:
    return Publisher(
        KafkaConnection(bootstrap_servers=bootstrap_servers),
        topics,
        PublisherMetrics(CollectorRegistry()),
        bounds or PublishingBounds(seconds_max=SECONDS_MAX),
    )


class FromAnyLoop:
    """The real publisher as what the fake is: something that the event loop of any test may ask."""

    def __init__(self, publisher: BlockingPublisher) -> None:
        self._publisher = publisher

    async def publish(self, records: Sequence[Record]) -> list[Position]:
        """Write the records."""
        return await asyncio.wrap_future(self._publisher.submit(records))

    def not_ready(self) -> str | None:
        """Return why nothing can be written just now, or None."""
        return self._publisher.not_ready()


@contextmanager
def publisher_to(
    bootstrap_servers: str,
    *,
    ready: bool = True,
    topics: Sequence[str] = TOPICS,
    bounds: PublishingBounds | None = None,
) -> Iterator[BlockingPublisher]:
    publisher = BlockingPublisher(a_publisher(bootstrap_servers, topics, bounds))
    publisher.start()
    try:
        if ready:
            wait_until(lambda: publisher.not_ready() is None)
        yield publisher
    finally:
        publisher.close()


def read_all(bootstrap_servers: str, topic: str) -> dict[Position, tuple[bytes | None, bytes, list[tuple[str, bytes]]]]:
    """Return everything on a topic: key, value and headers by position."""
    found: dict[Position, tuple[bytes | None, bytes, list[tuple[str, bytes]]]] = {}
    with closing(KafkaConsumer(bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS_EMBEDDED)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        left = sum(consumer.end_offsets(partitions).values())
        while len(found) < left:
            for batch in consumer.poll(timeout_ms=500).values():
                for one in batch:
                    found[Position(one.partition, one.offset)] = (one.key, one.value, one.headers)
    return found


@pytest.fixture(params=["fake", "real"])
def publishing(request: pytest.FixtureRequest) -> Iterator[Publishing]:
    """What writes records, on an empty log."""
    if request.param == "fake":
        yield FakeLog()
        return
    with publisher_to(request.getfixturevalue("topics")) as publisher:
        yield FromAnyLoop(publisher)


class TestEveryPublisher:
    """The manners of what writes records; the doors rely on nothing else."""

    def test_records_get_positions_in_their_order(self, publishing: Publishing) -> None:
        """Records of one key stand one after the other."""
        positions = publish(publishing, [record(number) for number in range(100)])
        assert len({position.partition for position in positions}) == 1
        assert [position.offset for position in positions] == list(range(100))

    def test_positions_go_on(self, publishing: Publishing) -> None:
        """What is published later stands later."""
        (first,) = publish(publishing, [record(1)])
        (second,) = publish(publishing, [record(2)])
        assert second == Position(first.partition, first.offset + 1)
        assert str(second) == f"{second.partition}:{second.offset}"

    def test_a_key_has_one_partition(self, publishing: Publishing) -> None:
        """Interleaved campaigns keep their partitions, and there is more than one."""
        records = [record(number, f"campaign-{number % 10}") for number in range(50)]
        positions = publish(publishing, records)
        by_key = {(one.key, position.partition) for one, position in zip(records, positions, strict=True)}
        assert len(by_key) == 10
        assert len({partition for _, partition in by_key}) > 1

    def test_without_a_key_the_value_decides(self, publishing: Publishing) -> None:
        """A dead letter that is written again goes where it went before."""
        letter = Record(DEAD_LETTERS.name, None, b"whatever it was")
        assert len({position.partition for position in publish(publishing, [letter] * 5)}) == 1

    def test_nothing_is_published_for_nothing(self, publishing: Publishing) -> None:
        """An empty batch is no reason to wait."""
        assert publish(publishing, []) == []

    def test_many_at_once(self, publishing: Publishing) -> None:
        """Concurrent publications get each their own positions."""

        async def all_of_them() -> list[list[Position]]:
            return await asyncio.gather(*(publishing.publish([record(number)]) for number in range(200)))

        positions = [position for (position,) in asyncio.run(all_of_them())]
        assert sorted(position.offset for position in positions) == list(range(200))


class TestRealBroker:
    """What is on the broker in the end."""

    def test_the_log_has_what_was_published(self, topics: str) -> None:
        """Key, value and headers stand where the position says."""
        records = [record(number, f"campaign-{number}") for number in range(20)]
        with publisher_to(topics) as publisher:
            positions = publisher.publish_and_wait(records)
        found = read_all(topics, LOG.name)
        assert len(found) == 20
        for one, position in zip(records, positions, strict=True):
            assert found[position] == (one.key, one.value, list(HEADERS))

    def test_the_partition_is_the_default_partitioners(self, topics: str) -> None:
        """Whoever else writes the log finds the same partition: murmur2 of the key."""
        with publisher_to(topics) as publisher:
            positions = publisher.publish_and_wait([record(number, f"campaign-{number}") for number in range(20)])

        class Cluster:
            def topics(self) -> set[str]:
                return {LOG.name}

            def partitions_for_topic(self, _: str) -> set[int]:
                return set(range(PARTITIONS_EMBEDDED))

            available_partitions_for_topic = partitions_for_topic

        partitioner, cluster = DefaultPartitioner(), Cluster()
        wanted = [
            partitioner.partition(LOG.name, None, f"campaign-{number}".encode(), None, None, cluster)
            for number in range(20)
        ]
        assert [position.partition for position in positions] == wanted

    def test_a_record_of_a_mebibyte_less_a_little(self, topics: str) -> None:
        """A dead letter of 512 KiB fits."""
        with publisher_to(topics) as publisher:
            assert publisher.publish_and_wait([Record(DEAD_LETTERS.name, None, b"x" * 512 * 1024)])

    def test_what_the_broker_refuses_is_no_acknowledgement(self, topics: str) -> None:
        """A record too large for the log fails. The producer is made anew: until then others are told to retry."""

        def written(publisher: BlockingPublisher) -> bool:
            try:
                return publisher.publish_and_wait([record(1)]) != []
            except BrokerAwayError:
                return False

        with publisher_to(topics) as publisher:
            with pytest.raises(BrokerAwayError):
                publisher.publish_and_wait([Record(LOG.name, b"key", b"x" * 200_000)])
            wait_until(lambda: written(publisher))

    def test_too_much_in_flight_is_refused_at_once(self, topics: str, kafka_broker: EmbeddedKafka) -> None:
        """Neither events nor bytes in flight exceed their bound while the broker does not answer."""
        bounds = PublishingBounds(seconds_max=SECONDS_MAX, events_max=10, bytes_max=10_000)

        def flood(publisher: BlockingPublisher, records: list[Record]) -> set[type]:
            return {type(one.exception()) for one in [publisher.submit(records) for _ in range(10)]}

        with publisher_to(topics, bounds=bounds) as publisher, paused(kafka_broker):
            assert TooMuchInFlightError in flood(publisher, [record(1)] * 3)
        with publisher_to(topics, bounds=bounds) as publisher, paused(kafka_broker):
            with pytest.raises(TooMuchInFlightError):
                publisher.publish_and_wait([Record(LOG.name, b"k", b"x" * 20_000)])
            assert TooMuchInFlightError in flood(publisher, [Record(LOG.name, b"k", b"x" * 3_000)])

    def test_a_missing_topic_is_named(self, topics: str) -> None:
        """Readiness says what to do."""
        with publisher_to(topics, ready=False, topics=("cercles.not-there",)) as publisher:
            wait_until(lambda: "cercles.not-there" in (publisher.not_ready() or ""))
            assert "cercles topics" in (publisher.not_ready() or "")

    def test_a_topic_that_was_deleted_is_not_made_anew(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not even by a broker that makes whatever is asked for: an empty log would take what belongs to the other."""
        monkeypatch.setattr(lane, "METADATA_SECONDS", 0.2)
        settings = {"auto.create.topics.enable": "true"}
        with (
            EmbeddedKafka(tmp_path, flush_every_message=False, extra_settings=settings) as broker,
            closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)) as admin,
        ):
            admin.create_topics([NewTopic(name, PARTITIONS_EMBEDDED, 1) for name in TOPICS])
            with publisher_to(broker.bootstrap_servers) as publisher:
                assert publisher.publish_and_wait([record(1)])
                admin.delete_topics([LOG.name])
                time.sleep(1)  # so that its metadata have been asked for since
                with pytest.raises(BrokerAwayError):
                    publisher.publish_and_wait([record(2)])
                wait_until(lambda: f"the topic {LOG.name} is not there" in (publisher.not_ready() or ""))
                time.sleep(1)
                assert LOG.name not in admin.list_topics()
                admin.create_topics([NewTopic(LOG.name, PARTITIONS_EMBEDDED, 1)])
                wait_until(lambda: publisher.not_ready() is None)
                assert publisher.publish_and_wait([record(3)])


@contextmanager
def paused(broker: EmbeddedKafka) -> Iterator[None]:
    """Let the broker's process stand still: connections stay, answers do not come."""
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(broker.pid, signal.SIGCONT)


class TestBrokerAway:
    """Bounded time, bounded memory, and recovery without help."""

    def test_before_the_first_connection(self) -> None:
        """A publisher starts without its broker, says so, and refuses at once."""
        with publisher_to("127.0.0.1:9", ready=False) as publisher:
            wait_until(lambda: "127.0.0.1:9" in (publisher.not_ready() or ""))
            began = time.monotonic()
            with pytest.raises(BrokerAwayError):
                publisher.publish_and_wait([record(1)])
            assert time.monotonic() - began < 0.5

    def test_a_killed_broker_comes_back(self, tmp_path: Path) -> None:
        """An unacknowledged record fails in time; then all do at once; after the restart all is as before."""
        with EmbeddedKafka(tmp_path, flush_every_message=False) as broker:
            with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)) as admin:
                admin.create_topics([NewTopic(name, PARTITIONS_EMBEDDED, 1) for name in TOPICS])
            with publisher_to(broker.bootstrap_servers) as publisher:
                before = publisher.publish_and_wait([record(number) for number in range(10)])
                broker.kill()
                assert seconds_to_fail(publisher) < SECONDS_MAX + 0.5
                wait_until(lambda: publisher.not_ready() is not None, SECONDS_MAX)
                assert seconds_to_fail(publisher) < 0.2
                broker.start()
                wait_until(lambda: publisher.not_ready() is None)
                after = publisher.publish_and_wait([record(number) for number in range(10, 20)])
            found = read_all(broker.bootstrap_servers, LOG.name)
        for number, position in enumerate(before + after):
            assert found[position][1] == b"event-%d" % number

    def test_a_broker_that_hangs_never_blocks_the_event_loop(self, topics: str, kafka_broker: EmbeddedKafka) -> None:
        """While answers do not come, everything else on the loop goes on, and memory is given back in the end."""

        async def fail_and_recover(publisher: Publisher) -> float:
            longest, beating = 0.0, True

            async def beat() -> None:
                nonlocal longest
                while beating:
                    began = time.monotonic()
                    await asyncio.sleep(0.01)
                    longest = max(longest, time.monotonic() - began)

            async with publisher:
                await asyncio.to_thread(wait_until, lambda: publisher.not_ready() is None)
                heart = asyncio.create_task(beat())
                with paused(kafka_broker):
                    for _ in range(3):
                        with pytest.raises(BrokerAwayError):
                            await publisher.publish([record(number) for number in range(500)])
                    await asyncio.to_thread(wait_until, lambda: publisher.in_flight == (0, 0))
                await asyncio.to_thread(wait_until, lambda: publisher.not_ready() is None)
                assert await publisher.publish([record(1)])
                beating = False
                await heart
            return longest

        assert asyncio.run(fail_and_recover(a_publisher(topics))) < 0.5

    def test_silence_is_noticed_without_traffic(
        self, topics: str, kafka_broker: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An idle publisher stays ready while brokers answer its questions, and no longer when they do not."""
        monkeypatch.setattr(lane, "METADATA_SECONDS", 0.2)
        monkeypatch.setattr(lane, "SILENCE_SECONDS_MAX", 1.0)
        with publisher_to(topics) as publisher:
            time.sleep(1.5)
            assert publisher.not_ready() is None
            with paused(kafka_broker):
                wait_until(lambda: publisher.not_ready() is not None, 5)
            wait_until(lambda: publisher.not_ready() is None)


def seconds_to_fail(publisher: BlockingPublisher) -> float:
    began = time.monotonic()
    with pytest.raises(BrokerAwayError):
        publisher.publish_and_wait([record(99)])
    return time.monotonic() - began


def test_the_private_names_in_use_are_still_there() -> None:
    """An upgrade of aiokafka that renames them fails here, not when a broker goes away."""

    async def parts() -> tuple[object, object]:
        producer = AIOKafkaProducer()
        await producer.stop()
        return producer._message_accumulator, producer._sender

    accumulator, sender = asyncio.run(parts())
    assert isinstance(accumulator, MessageAccumulator)
    assert isinstance(sender, Sender)
    assert callable(accumulator.fail_all)
    assert callable(sender.close)
