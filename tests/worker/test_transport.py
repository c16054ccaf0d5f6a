"""What the transport commits: the end of what is acknowledged, never Faust's own count."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError
from faust.types import TP

from schemas.connections import KafkaConnection
from stream_processors.settings import WorkerSettings
from stream_processors.shell.application import make_application
from stream_processors.shell.transport import BatchConsumer

PARTITION: TP = TopicPartition("cercles.campaign-events", 0)


@pytest.fixture
def consumer(loop: asyncio.AbstractEventLoop) -> Iterator[BatchConsumer]:
    """A consumer that is not connected."""
    application = faust.App("test", broker="cercles://127.0.0.1:9092", store="memory://", web_enabled=False, loop=loop)
    made: Any = application._new_consumer()
    assert isinstance(made, BatchConsumer)
    yield made
    # Its thread has made an event loop of its own, and was never started.
    made._thread.thread_loop.close()


def committable(consumer: BatchConsumer) -> dict[TP, int]:
    """Return what Faust would commit now, found the way it does."""
    return consumer._filter_committable_offsets(consumer._filter_tps_with_pending_acks())


def test_nothing_acknowledged_commits_nothing(consumer: BatchConsumer) -> None:
    """Also when Faust's own bookkeeping would commit."""
    consumer._acked[PARTITION] = [0]
    assert committable(consumer) == {}
    consumer.acknowledged_ends = lambda: {PARTITION: 0}
    assert committable(consumer) == {}


def test_three_prefetched_batches_commit_only_what_is_acknowledged(consumer: BatchConsumer) -> None:
    """From offset 0, with two further batches delivered and one acknowledged, the commit is the first one's end."""
    consumer._acked[PARTITION] = [0, 4000]
    consumer.acknowledged_ends = lambda: {PARTITION: 4000}
    assert committable(consumer) == {PARTITION: 4000}
    consumer.acknowledged_ends = lambda: {PARTITION: 12_000}
    assert committable(consumer) == {PARTITION: 12_000}


def test_what_was_never_delivered_is_committed_too(consumer: BatchConsumer) -> None:
    """The worker reads it from the log itself when Faust has dropped it."""
    consumer.acknowledged_ends = lambda: {PARTITION: 4000}
    assert consumer._acked == {}
    assert committable(consumer) == {PARTITION: 4000}


def test_an_end_that_is_committed_is_not_committed_again(consumer: BatchConsumer) -> None:
    """Nor is a lower one: the group's offset does not go back."""
    consumer._committed_offset[PARTITION] = 4000
    for end in (4000, 3000):
        consumer.acknowledged_ends = lambda end=end: {PARTITION: end}  # type: ignore[misc]
        assert committable(consumer) == {}


def test_nothing_is_committed_while_the_group_is_formed_anew(consumer: BatchConsumer) -> None:
    """Faust has forgotten by then what is committed, and others may have gone further."""
    consumer.acknowledged_ends = lambda: {PARTITION: 3000}
    consumer.app.rebalancing = True
    assert committable(consumer) == {}
    consumer.app.rebalancing = False
    assert committable(consumer) == {PARTITION: 3000}


def test_the_last_commit_is_of_what_is_acknowledged_by_then(
    consumer: BatchConsumer, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when one is under way, of what was acknowledged before: Faust would leave it at that."""
    committed: list[dict[TP, int]] = []

    async def commit_offsets(offsets: dict[TP, int], **_: Any) -> bool:
        committed.append(offsets)
        await asyncio.sleep(0)
        return True

    async def main() -> None:
        consumer.acknowledged_ends = lambda: {PARTITION: 500}
        under_way = asyncio.create_task(consumer.commit())
        await asyncio.sleep(0)
        consumer.acknowledged_ends = lambda: {PARTITION: 1000}
        await consumer.on_stop()
        await under_way

    monkeypatch.setattr(consumer, "_commit_offsets", commit_offsets)
    loop.run_until_complete(main())
    assert committed == [{PARTITION: 500}, {PARTITION: 1000}]


def test_a_commit_can_be_for_some_partitions_only(consumer: BatchConsumer) -> None:
    """Faust asks by topic or by partition."""
    consumer.acknowledged_ends = lambda: {PARTITION: 4000}
    assert list(consumer._filter_tps_with_pending_acks({PARTITION.topic})) == [PARTITION]
    assert list(consumer._filter_tps_with_pending_acks({PARTITION})) == [PARTITION]
    assert list(consumer._filter_tps_with_pending_acks({"cercles.updates"})) == []


def test_gaps_are_not_recorded(consumer: BatchConsumer, loop: asyncio.AbstractEventLoop) -> None:
    """Marking a gap can commit past a batch that is not done."""
    loop.run_until_complete(consumer._add_gap(PARTITION, 1, 4000))
    assert not consumer._gap


def test_a_full_partition_is_not_fetched_and_the_others_are_for_a_short_time(
    consumer: BatchConsumer, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one partition has enough waiting, a fetch for the others must not keep it from being fetched again."""
    asked: list[tuple[set[TP], float]] = []

    async def getmany(active: set[TP], timeout: float) -> dict[TP, Any]:  # noqa: ASYNC109
        asked.append((set(active), timeout))
        await asyncio.sleep(0)
        return {}

    monkeypatch.setattr(consumer, "_thread", SimpleNamespace(getmany=getmany))
    other: TP = TopicPartition("cercles.campaign-events", 1)
    consumer.set_full(PARTITION, full=True)
    loop.run_until_complete(consumer._getmany({PARTITION, other}, 1.0))
    consumer.set_full(PARTITION, full=False)
    loop.run_until_complete(consumer._getmany({PARTITION, other}, 1.0))
    assert asked == [({other}, 0.05), ({PARTITION, other}, 1.0)]


def test_partitions_that_are_taken_away_while_it_goes_back_to_what_is_committed_are_let_go(
    consumer: BatchConsumer, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Aiokafka asks for the offsets first, and when it has them the group may have been formed anew once more."""

    async def fetched(_timeout: float) -> Any:
        await asyncio.sleep(0)
        return {PARTITION: ["a record"]}, None

    async def seek_to_committed() -> None:
        await asyncio.sleep(0)
        raise IllegalStateError(f"No current assignment for partition {PARTITION}")

    async def main() -> list[Any]:
        return [one async for one in consumer.getmany(1.0)]

    monkeypatch.setattr(consumer, "_wait_next_records", fetched)
    monkeypatch.setattr(consumer, "seek_to_committed", seek_to_committed)
    consumer.flow_active = False
    assert loop.run_until_complete(main()) == []


def test_the_end_of_a_partition_is_not_known_before_the_first_fetch_nor_once_it_is_taken_away(
    consumer: BatchConsumer, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Aiokafka, in its own thread, may lose a partition after it has looked whether it has it."""

    async def main() -> None:
        delegate: Any = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:9092")
        monkeypatch.setattr(consumer._thread, "_consumer", delegate)
        assert consumer.highwater(PARTITION) == 0
        delegate.assign([PARTITION])
        assert consumer.highwater(PARTITION) == 0
        delegate._subscription.subscription.assignment.state_value(PARTITION).highwater = 7
        assert consumer.highwater(PARTITION) == 7
        monkeypatch.setattr(delegate._subscription, "is_assigned", lambda _: True)
        delegate.assign([TopicPartition(PARTITION.topic, 1)])
        assert consumer.highwater(PARTITION) == 0
        delegate.unsubscribe()
        assert consumer.highwater(PARTITION) == 0
        await delegate.stop()

    loop.run_until_complete(main())


@pytest.mark.usefixtures("loop")
def test_sasl_over_tls_hands_faust_the_tls_context(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SASL without a context silently means plain text in Faust."""
    monkeypatch.setenv("CERCLES_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("CERCLES_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
    monkeypatch.setenv("CERCLES_KAFKA_SASL_USERNAME", "cercles")
    monkeypatch.setenv("CERCLES_KAFKA_SASL_PASSWORD", "secret")
    credentials: Any = make_application(WorkerSettings(kafka=KafkaConnection()), tmp_path).conf.broker_credentials
    assert credentials is not None
    assert str(credentials.protocol) in {"AuthProtocol.SASL_SSL", "SASL_SSL"}
    assert credentials.ssl_context is not None
