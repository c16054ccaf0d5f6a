"""Reads a stretch of one partition's log with a plain consumer, apart from Faust and from the group."""

from collections.abc import AsyncIterator, Collection
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.connections import KafkaConnection
from schemas.topics import LOG

FETCH_BYTES_MAX: Final = 4 * 1024 * 1024
"""What a partition may give at a time, some 10,000 events: the larger a batch, the less often a campaign's state is
looked for in memory, and the fewer updates it takes to say what changed. So much at most is being folded of a
partition, sent, prefetched, and in each batch that waits."""

_POLL_MS: Final = 500
_WHAT_TO_DO: Final = (
    "This is not the log that the positions belong to, or part of it was deleted. The log must be kept forever "
    "(retention.ms=-1). Restore it; if what is lost cannot be had back, start over with an empty group, an empty "
    "database and no checkpoints."
)


class LogDoesNotFitError(RuntimeError):
    """The log is not the one that the positions belong to: it begins after, or ends before, what is asked for."""


async def read_log(
    kafka: KafkaConnection, partition: int, start: int, end: int, *, records_max: int, topic: str = LOG.name
) -> AsyncIterator[tuple[list[Any], int]]:
    """Yield the records of the log's partition from offset `start` up to, not including, `end`, in lists.

    With each list comes the offset that the reader has got to, which can be past the last record's: control records
    take offsets too. Raises LogDoesNotFitError when the log does not hold the stretch.
    """
    source = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(
        **kafka.client_options(),
        enable_auto_commit=False,
        auto_offset_reset="none",
        check_crcs=True,
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
    )
    await consumer.start()
    try:
        consumer.assign([source])
        await _check_range(consumer, source, start, end)
        consumer.seek(source, start)
        position = start
        while position < end:
            records = (await consumer.getmany(source, timeout_ms=_POLL_MS, max_records=records_max)).get(source, [])
            position = await consumer.position(source)
            yield below(end, records), min(position, end)
    finally:
        await consumer.stop()


def below(end: int, records: list[Any]) -> list[Any]:
    """Return those of the records, which are in order, that stand below an offset."""
    if not records or records[-1].offset < end:
        return records
    return [record for record in records if record.offset < end]


async def _check_range(consumer: AIOKafkaConsumer, source: TopicPartition, start: int, end: int) -> None:
    first = (await consumer.beginning_offsets([source]))[source]
    last = (await consumer.end_offsets([source]))[source]
    if first > start or last < end:
        raise LogDoesNotFitError(
            f"{source.topic} partition {source.partition} holds offsets {first} to {last}, but {start} to {end} is "
            f"needed. {_WHAT_TO_DO}"
        )


async def log_ranges(
    kafka: KafkaConnection, partitions: Collection[int], topic: str = LOG.name
) -> dict[int, tuple[int, int]]:
    """Return, for each partition of the log, the first offset that it holds and the one after its last."""
    if not partitions:
        return {}  # aiokafka cancels whoever stops a consumer that has had no time to begin
    sources = [TopicPartition(topic, partition) for partition in partitions]
    consumer = AIOKafkaConsumer(**kafka.client_options(), enable_auto_commit=False)
    await consumer.start()
    try:
        first = await consumer.beginning_offsets(sources)
        last = await consumer.end_offsets(sources)
    finally:
        await consumer.stop()
    return {source.partition: (first[source], last[source]) for source in sources}


async def committed_offsets(
    kafka: KafkaConnection, group: str, partitions: Collection[int], topic: str = LOG.name
) -> dict[int, int]:
    """Return the group's committed offset in each of the log's partitions, 0 where it has none."""
    sources = [TopicPartition(topic, partition) for partition in partitions]
    # It asks for the group's offsets without joining, and waits for a coordinator that is still being elected.
    consumer = AIOKafkaConsumer(**kafka.client_options(), group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(sources)
        committed = {source.partition: await consumer.committed(source) for source in sources}
    finally:
        await consumer.stop()
    return {partition: offset or 0 for partition, offset in committed.items()}


async def check_positions(
    kafka: KafkaConnection, group: str, partitions: Collection[int], topic: str = LOG.name
) -> None:
    """Raise LogDoesNotFitError unless the log begins at 0 and reaches every position that the group has committed.

    Faust would not notice: its consumer begins at the log's start again, and events at offsets that were used before
    would pass for known ones.
    """
    committed = await committed_offsets(kafka, group, partitions, topic)
    for partition, (first, last) in (await log_ranges(kafka, partitions, topic)).items():
        check_range(partition, first, last, committed[partition], topic)


def check_range(partition: int, first: int, last: int, position: int, topic: str = LOG.name) -> None:
    """Raise LogDoesNotFitError unless a partition that holds `first` to `last` holds everything below `position`."""
    if first > 0 or last < position:
        raise LogDoesNotFitError(
            f"{topic} partition {partition} holds offsets {first} to {last}, but 0 to {position} was folded. "
            f"{_WHAT_TO_DO}"
        )
