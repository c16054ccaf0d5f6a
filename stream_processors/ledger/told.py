"""Records of the log, decoded some at a time."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, Protocol, Self

from msgspec import Struct

from schemas.events import Decoding, LogEvent
from stream_processors.decoding import FAULTS
from stream_processors.ledger.changes import run_bytes_max

PLAIN_RECORD_BYTES_MAX: Final = 1024
"""Most bytes of a record within a run: a run of all that is decoded at a time then fits into a part of an update
(`batch.PART_BYTES`)."""

_BACKSLASH: Final = ord("\\")


class LogRecord(Protocol):
    """A record of the log, as the Kafka clients give it."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes]]: ...


_value_of: Final[Callable[[LogRecord], Any]] = attrgetter("value")
_offset_of: Final[Callable[[LogRecord], int]] = attrgetter("offset")
_decode: Final[Callable[[bytes], LogEvent | None]] = Decoding.log.decode


class Told(Struct, frozen=True):
    """Records, those of each campaign one after the other, and what they tell."""

    records: Sequence[LogRecord]
    offsets: Sequence[int]
    sizes_bytes: Sequence[int]
    """Of the records; 0 where there is no event."""
    events: Sequence[LogEvent | None]
    """The event of each record, or None where it has to be looked at by itself.

    Where there is one, its record is small and holds no escape: no text takes more bytes in an update than in it.
    """

    @classmethod
    def of(cls, records: Sequence[LogRecord]) -> Self:
        """Return what these records tell."""
        values = list(map(_value_of, records))
        try:
            joined = b"".join(values)
        except TypeError:
            # One of them has no value.
            values = [value or b"" for value in values]
            joined = b"".join(values)
        sizes_bytes = list(map(len, values))
        plain = _BACKSLASH not in joined and max(sizes_bytes) <= PLAIN_RECORD_BYTES_MAX
        try:
            events = list(map(_decode if plain else _decode_plain, values))
        except FAULTS:
            plain, events = False, list(map(_decode_plain, values))
        if not plain:
            sizes_bytes = [0 if event is None else size for event, size in zip(events, sizes_bytes, strict=True)]
        return cls(records, list(map(_offset_of, records)), sizes_bytes, events)

    def taken_bytes_max(self, first: int, end: int) -> int:
        """Return what entries and pledges from number `first` to `end` may encode to, should all be first captures."""
        return run_bytes_max(end - first, sum(self.sizes_bytes[first:end]))


def _decode_plain(value: bytes) -> LogEvent | None:
    """Return the event of a record that is small and without an escape, None of any other."""
    if len(value) > PLAIN_RECORD_BYTES_MAX or _BACKSLASH in value:
        return None
    try:
        return _decode(value)
    except FAULTS:
        return None
