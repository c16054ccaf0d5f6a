"""Reads a stretch of one partition's log with a plain consumer, apart from Faust and from the group."""

from collections.abc import AsyncIterator
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.connections import KafkaConnection
from schemas.topics import LOG

_POLL_MS: Final = 500


class LogDoesNotFitError(RuntimeError):
    """The log is not the one that the positions belong to: it begins after, or ends before, what is asked for."""


async def read_log(
    kafka: KafkaConnection, partition: int, start: int, end: int, *, records_max: int
) -> AsyncIterator[tuple[list[Any], int]]:
    """Yield the records of the log's partition from offset `start` up to, not including, `end`, in lists.

    With each list comes the offset that the reader has got to, which can be past the last record's: control records
    take offsets too. Raises LogDoesNotFitError when the log does not hold the stretch.
    """
    source = TopicPartition(LOG.name, partition)
    consumer = AIOKafkaConsumer(
        **kafka.client_options(), enable_auto_commit=False, auto_offset_reset="none", check_crcs=True
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
            yield [record for record in records if record.offset < end], min(position, end)
    finally:
        await consumer.stop()


async def _check_range(consumer: AIOKafkaConsumer, source: TopicPartition, start: int, end: int) -> None:
    first = (await consumer.beginning_offsets([source]))[source]
    last = (await consumer.end_offsets([source]))[source]
    if first > start or last < end:
        raise LogDoesNotFitError(
            f"{source.topic} partition {source.partition} holds offsets {first} to {last}, but {start} to {end} is "
            "needed: this is not the log that the group's positions belong to, or part of it was deleted. The log must "
            "be kept forever (retention.ms=-1). Restore it, or start over with an empty group and an empty database."
        )


async def committed_offset(kafka: KafkaConnection, group: str, partition: int) -> int:
    """Return the group's committed offset in the log's partition, 0 if it has none."""
    source = TopicPartition(LOG.name, partition)
    admin = AIOKafkaAdminClient(**kafka.client_options())
    await admin.start()
    try:
        committed = await admin.list_consumer_group_offsets(group, partitions=[source])
    finally:
        await admin.close()
    return max(0, committed[source].offset) if source in committed else 0
