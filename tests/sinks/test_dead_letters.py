"""Dead letters become rows, each refused record once, and nothing of them is lost."""

from base64 import b64encode
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from schemas.dead_letters import DeadLetter, Origin, to_record
from schemas.topics import DEAD_LETTERS, LOG
from tests.sinks.stories import FakePartition, FakeRecord, rows

_ORIGIN = Origin(LOG.name, 3, 2**40)


def _letter(origin: Origin | None = _ORIGIN, *, reason: str = "misrouted", detail: str = "why") -> DeadLetter:
    return DeadLetter(
        reason=reason,
        detail=detail,
        key=b"\x00key",
        value=b"\x00value",
        headers=(("content-type", b"application/json"), ("x", b"\xff")),
        origin=origin,
        campaign_id="les-anges",
        event_id="event-1",
    )


def _graveyard() -> FakePartition:
    return FakePartition(DEAD_LETTERS.name, 1)


def test_a_dead_letter_becomes_a_row_about_the_refused_record(engine: Engine) -> None:
    """With its key, value and headers byte by byte, and when it was refused."""
    topic = _graveyard()
    topic.bury(_letter())
    (outcome,) = topic.drain(engine)
    (row,) = rows(engine, "dead_letters")
    assert (row["topic"], row["partition_number"], row["record_offset"]) == (LOG.name, 3, 2**40)
    assert (row["reason"], row["detail"]) == ("misrouted", "why")
    assert (row["campaign_id"], row["event_id"]) == ("les-anges", "event-1")
    assert (row["key"], row["value"]) == (b"\x00key", b"\x00value")
    assert row["headers"] == [["content-type", b64encode(b"application/json").decode()], ["x", "/w=="]]
    assert row["refused_at"] == datetime.fromtimestamp(1_772_366_400, UTC)
    assert outcome.dead_letters == {"misrouted": 1}


@pytest.mark.parametrize("records_max", [1, 10])
def test_a_letter_sent_again_is_the_same_row(engine: Engine, records_max: int) -> None:
    """A worker that crashed refuses the record again: the first letter stands."""
    topic = _graveyard()
    topic.bury(_letter())
    topic.bury(_letter(detail="again"))
    topic.bury(_letter(Origin(LOG.name, 3, 9)))
    topic.drain(engine, records_max)
    found = rows(engine, "dead_letters")
    assert [(row["record_offset"], row["detail"]) for row in found] == [(2**40, "why"), (9, "why")]


def test_a_letter_without_origin_is_known_by_its_own_place(engine: Engine) -> None:
    """What a gateway could not map never stood on the log."""
    topic = _graveyard()
    topic.bury(_letter(None))
    topic.bury(_letter(None))
    topic.drain(engine)
    places = [(row["topic"], row["partition_number"], row["record_offset"]) for row in rows(engine, "dead_letters")]
    assert places == [(DEAD_LETTERS.name, 1, 0), (DEAD_LETTERS.name, 1, 1)]


def _damaged(name: str, content: bytes | None) -> list[tuple[str, bytes]]:
    headers = dict(to_record(_letter())[2])
    return list((headers | {name: content}).items())  # type: ignore[arg-type]  # Kafka's headers may have no value


@pytest.mark.parametrize(
    "headers",
    [
        [],
        _damaged("cercles-reason", b"\xff"),
        _damaged("cercles-reason", None),
        _damaged("cercles-reason", b"r" * 65),
        _damaged("cercles-topic", b"t" * 250),
        _damaged("cercles-partition", b"one"),
        _damaged("cercles-partition", b"-1"),
        _damaged("cercles-offset", b"9" * 30),
        _damaged("cercles-value-sha256", b"0" * 65),
    ],
    ids=["none", "not UTF-8", "nothing", "reason", "topic", "no number", "negative", "too great", "hash"],
)
def test_a_record_that_is_no_dead_letter_is_kept_as_one(engine: Engine, headers: list[tuple[str, bytes]]) -> None:
    """It stands for itself, with all its headers, and the sink goes on with the next."""
    topic = _graveyard()
    topic.records.append(FakeRecord(0, b"value", b"key", headers))
    (outcome,) = topic.drain(engine)
    (row,) = rows(engine, "dead_letters")
    assert outcome.dead_letters == {"unreadable_dead_letter": 1}
    assert (row["topic"], row["partition_number"], row["record_offset"]) == (DEAD_LETTERS.name, 1, 0)
    assert (row["key"], row["value"], len(row["headers"])) == (b"key", b"value", len(headers))


def test_what_no_column_can_hold_is_made_to_fit(engine: Engine) -> None:
    """A refused event may name anything as its ids; NUL is not for PostgreSQL; the record keeps the whole."""
    topic = _graveyard()
    letter = DeadLetter(
        reason="invalid_event",
        detail="a\x00b",
        key=None,
        value=None,
        headers=(("h\x00", b""),),
        campaign_id="c" * 300,
        event_id="e\x00",
    )
    topic.bury(letter)
    topic.drain(engine)
    (row,) = rows(engine, "dead_letters")
    assert (row["detail"], row["campaign_id"], row["event_id"]) == ("a\ufffdb", "c" * 255, "e\ufffd")
    assert (row["key"], row["value"], row["headers"]) == (None, None, [["h\ufffd", ""]])


@pytest.mark.parametrize("timestamp", [-1, 2**62])
def test_a_record_without_a_sensible_time_is_kept(engine: Engine, timestamp: int) -> None:
    """Kafka has -1 where it knows none, and takes any that a producer makes up."""
    topic = _graveyard()
    key, value, headers = to_record(_letter())
    topic.records.append(FakeRecord(0, value, key, headers, timestamp))
    topic.drain(engine)
    assert len(rows(engine, "dead_letters")) == 1
