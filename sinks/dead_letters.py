"""Dead letters as rows: each refused record once, wherever and however often its letter was sent."""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Final

from schemas.dead_letters import DETAIL_LENGTH_MAX, DeadLetter, Origin, from_record
from schemas.tables import dead_letters
from sinks.database import Row
from sinks.records import Batch, Record
from sinks.refusals import RefusalReason

UNIQUE: Final = ("topic", "partition_number", "record_offset")
UNREADABLE: Final[RefusalReason] = "unreadable_dead_letter"

_PARTITION_MAX: Final = 2**31 - 1
_OFFSET_MAX: Final = 2**63 - 1
_MILLISECONDS_MAX: Final = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp()) * 1000
_NUL: Final = "\x00"
_REPLACEMENT: Final = "\ufffd"


def rows(batch: Batch) -> list[Row]:
    """Return one row for each record; one that is no dead letter becomes a row about itself. Nothing is left out."""
    return [_row(batch, record) for record in batch.records]


def _row(batch: Batch, record: Record) -> Row:
    try:
        letter = from_record(record.key, record.value, record.headers)
        _check(letter)
    except (KeyError, ValueError, AttributeError) as error:  # AttributeError: a header of ours without a value
        letter = DeadLetter(
            reason=UNREADABLE,
            detail=repr(error),
            key=record.key,
            value=record.value,
            headers=tuple(record.headers),
        )
    origin = letter.origin or Origin(batch.topic, batch.partition, record.offset)
    return {
        "topic": _text(origin.topic),
        "partition_number": origin.partition,
        "record_offset": origin.offset,
        "reason": _text(letter.reason),
        "detail": _text(letter.detail[:DETAIL_LENGTH_MAX]),
        "campaign_id": _bounded(letter.campaign_id, "campaign_id"),
        "event_id": _bounded(letter.event_id, "event_id"),
        "key": letter.key,
        "value": letter.value,
        "value_sha256": letter.value_sha256,
        "headers": [
            [_text(name), None if content is None else b64encode(content).decode()] for name, content in letter.headers
        ],
        # Kafka has -1 where a record has no time.
        "refused_at": datetime.fromtimestamp(min(max(record.timestamp, 0), _MILLISECONDS_MAX) / 1000, UTC),
    }


def _check(letter: DeadLetter) -> None:
    """Raise ValueError for what `to_record` does not write and the table can't hold."""
    for text, column in (
        (letter.reason, "reason"),
        (letter.value_sha256, "value_sha256"),
        (None if letter.origin is None else letter.origin.topic, "topic"),
    ):
        if text is not None and len(text) > _length_max(column):
            raise ValueError(f"{column} is too long")
    origin = letter.origin
    if origin is not None and not (0 <= origin.partition <= _PARTITION_MAX and 0 <= origin.offset <= _OFFSET_MAX):
        raise ValueError("the origin is no place on a topic")


def _bounded(text: str | None, column: str) -> str | None:
    """Refused events may name anything as their id: the record itself keeps the whole."""
    return None if text is None else _text(text[: _length_max(column)])


def _length_max(column: str) -> int:
    length: int = dead_letters.c[column].type.length  # type: ignore[attr-defined]
    return length


def _text(text: str) -> str:
    """PostgreSQL's text can't hold NUL."""
    return text.replace(_NUL, _REPLACEMENT)
