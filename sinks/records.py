"""What the sink reads: records of one topic partition, decoded or refused."""

import re
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from schemas.updates import Progress, Update, UpdateRecord, decoder
from sinks.errors import UnreadableUpdateError

# PostgreSQL's text can't hold NUL. In JSON it can only stand as this escape, when its backslash is not escaped itself.
_NUL_ESCAPE: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_REPLACEMENT_ESCAPE: Final = rb"\1\\ufffd"


class Record(Protocol):
    """A record as kafka-python hands it out; `timestamp` is in milliseconds since 1970."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Batch(msgspec.Struct, frozen=True):
    """Records of one topic partition that follow each other, the first at or above `position`.

    `position` is the offset that the database says is to be read next. Offsets may have holes, as Kafka allows.
    """

    topic: str
    partition: int
    position: int
    records: Sequence[Record]

    @property
    def next_offset(self) -> int:
        """The offset to read once this batch is applied."""
        return self.records[-1].offset + 1


def decoded(batch: Batch) -> tuple[list[Update], list[Progress]]:
    """Return the updates and the progress records of a batch, each in the order of the topic.

    Raises UnreadableUpdateError for a record that is neither, or that stands in another partition than it names.
    """
    updates: list[Update] = []
    progress: list[Progress] = []
    for record in batch.records:
        message = _message(batch, record)
        if message.partition != batch.partition:
            raise _unreadable(batch, record, f"it names partition {message.partition}")
        if isinstance(message, Update):
            updates.append(message)
        else:
            progress.append(message)
    return updates, progress


def _message(batch: Batch, record: Record) -> UpdateRecord:
    value = record.value or b""
    if rb"\u0000" in value:
        value = _NUL_ESCAPE.sub(_REPLACEMENT_ESCAPE, value)
    try:
        return decoder.decode(value)
    except ValueError as error:  # msgspec's errors, and bytes that are not UTF-8
        raise _unreadable(batch, record, str(error)) from error


def _unreadable(batch: Batch, record: Record, why: str) -> UnreadableUpdateError:
    return UnreadableUpdateError(
        f"the record at offset {record.offset} of {batch.topic}, partition {batch.partition} is not an update that "
        f"this version can read ({why}). Nothing of it was applied. Run the version of Cercles that wrote it; if "
        "something else wrote to this topic, keep it out and make the updates again from the log"
    )
