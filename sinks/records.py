"""What the sink reads: records of one topic partition, decoded or refused."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec

from schemas.updates import Progress, Update, UpdateRecord, decoder
from sinks.errors import UnreadableUpdateError

# PostgreSQL's text can't hold NUL. In JSON it can only stand as this escape, when its backslash is not escaped itself.
_NUL_ESCAPE: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_BACKSLASH: Final = ord("\\")
"""A single byte is looked for many times faster than an escape."""
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


class Told(msgspec.Struct, frozen=True):
    """What records of updates say, each kind in the order of the topic."""

    updates: list[Update]
    progress: list[Progress]


class Batch(msgspec.Struct, frozen=True):
    """Records of one topic partition that follow each other, the first at or above `position`.

    `position` is the offset that the database says is to be read next. Offsets may have holes, as Kafka allows. `told`
    is what records of updates say, where they have been decoded already.
    """

    topic: str
    partition: int
    position: int
    records: Sequence[Record]
    told: Told | None = None

    @property
    def next_offset(self) -> int:
        """The offset to read once this batch is applied."""
        return self.records[-1].offset + 1


def decoded(topic: str, partition: int, records: Iterable[Record]) -> Told:
    """Return what the records of a partition say.

    Raises UnreadableUpdateError for one that is neither update nor progress, or stands in another partition than it
    names.
    """
    updates: list[Update] = []
    progress: list[Progress] = []
    where = f"{topic}, partition {partition}"
    for record in records:
        message = _message(where, record)
        if message.partition != partition:
            raise _unreadable(where, record, f"it names partition {message.partition}")
        if isinstance(message, Update):
            updates.append(message)
        else:
            progress.append(message)
    return Told(updates, progress)


def _message(where: str, record: Record) -> UpdateRecord:
    value = record.value or b""
    if _BACKSLASH in value and rb"\u0000" in value:
        value = _NUL_ESCAPE.sub(_REPLACEMENT_ESCAPE, value)
    try:
        return decoder.decode(value)
    except ValueError as error:  # msgspec's errors, and bytes that are not UTF-8
        raise _unreadable(where, record, str(error)) from error


def _unreadable(where: str, record: Record, why: str) -> UnreadableUpdateError:
    return UnreadableUpdateError(
        f"the record at offset {record.offset} of {where} is not an update that this version can read ({why}). "
        "Nothing of it was applied. Run the version of Cercles that wrote it; if something else wrote to this topic, "
        "keep it out and make the updates again from the log"
    )
