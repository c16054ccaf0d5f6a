"""The positions in the database: where the sink goes on reading, moved in the same transaction as the rows."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    String,
    bindparam,
    case,
    func,
    select,
    tuple_,
    update,
)

from schemas.tables import sink_positions
from schemas.updates import Progress
from sinks.database import insert_new
from sinks.errors import OtherLogError, OtherTopicError, StalePositionError
from sinks.records import Batch


def _greater(column: ColumnElement[int], offset: ColumnElement[int]) -> ColumnElement[int]:
    """GREATEST on PostgreSQL, MAX on SQLite."""
    return case((column < offset, offset), else_=column)


_COLUMNS: Final = sink_positions.c

# Made once: making a statement takes longer than running it.
_ADVANCE: Final = (
    update(sink_positions)
    .where(
        _COLUMNS.topic == bindparam("moved_topic"),
        _COLUMNS.partition_number == bindparam("moved_partition"),
        _COLUMNS.next_offset == bindparam("old"),
    )
    .values(
        next_offset=bindparam("new"),
        log_next_offset=_greater(_COLUMNS.log_next_offset, bindparam("log_next", type_=BigInteger)),
        dead_letters_next_offset=_greater(
            _COLUMNS.dead_letters_next_offset, bindparam("dead_letters_next", type_=BigInteger)
        ),
        log_id=func.coalesce(_COLUMNS.log_id, bindparam("told_log_id", type_=String)),
    )
    .returning(_COLUMNS.log_id)
)


class TopicPartition(msgspec.Struct, frozen=True, order=True):
    """A partition of a topic."""

    topic: str
    partition: int


def read(
    engine: Engine, partitions: Iterable[TopicPartition], topic_ids: Mapping[str, str]
) -> dict[TopicPartition, int]:
    """Return the offset to read next of each partition; one that is new here begins at 0.

    `topic_ids` are Kafka's ids of the topics. Raises OtherTopicError when the positions belong to a topic with another
    id, and the database's errors.
    """
    wanted = sorted(partitions)  # two sinks that insert at once must lock in one order
    if not wanted:
        return {}
    columns = sink_positions.c
    with engine.begin() as connection:
        insert_new(
            connection,
            sink_positions,
            ("topic", "partition_number"),
            [_first(place, topic_ids.get(place.topic)) for place in wanted],
        )
        found = connection.execute(
            select(columns.topic, columns.partition_number, columns.next_offset, columns.topic_id).where(
                tuple_(columns.topic, columns.partition_number).in_(
                    [(place.topic, place.partition) for place in wanted]
                )
            )
        ).all()
        for topic, _, _, topic_id in found:
            now = topic_ids.get(topic)
            if topic_id is not None and now is not None and topic_id != now:
                raise OtherTopicError(topic, topic_id, now)
    return {TopicPartition(topic, partition): next_offset for topic, partition, next_offset, _ in found}


def advance(connection: Connection, batch: Batch, progress: Iterable[Progress] = ()) -> None:
    """Move a partition's position over a batch: the first statement of the transaction that applies it.

    It locks the position's row, so whoever else has the same batch waits and then finds the position moved. Raises
    StalePositionError when it is not the batch's, and OtherLogError when the progress tells of another log.
    """
    told = list(progress)
    log_ids = {record.log_id for record in told}
    log_id = connection.execute(
        _ADVANCE,
        {
            "moved_topic": batch.topic,
            "moved_partition": batch.partition,
            "old": batch.position,
            "new": batch.next_offset,
            "log_next": max((record.next_offset for record in told), default=0),
            "dead_letters_next": max((record.dead_letters_next_offset for record in told), default=0),
            "told_log_id": min(log_ids, default=None),
        },
    ).all()
    if len(log_id) != 1:
        raise StalePositionError(batch.topic, batch.partition, batch.position)
    if log_ids - {log_id[0][0]}:
        raise _other_log(batch, log_id[0][0], log_ids)


def _first(place: TopicPartition, topic_id: str | None) -> dict[str, str | int | None]:
    return {
        "topic": place.topic,
        "partition_number": place.partition,
        "next_offset": 0,
        "log_next_offset": 0,
        "dead_letters_next_offset": 0,
        "topic_id": topic_id,
        "log_id": None,
    }


def _other_log(batch: Batch, stored: str, told: set[str]) -> OtherLogError:
    return OtherLogError(
        f"the database's positions of partition {batch.partition} belong to the log with id {stored}, but "
        f"{batch.topic} now tells of {', '.join(sorted(told - {stored}))}: positions belong to one log only, and "
        "nothing was applied. Connect the worker to the log that the database belongs to, or give this log topics of "
        "its own and an empty database (`cercles db upgrade` makes its tables)"
    )
