"""Records are decoded several at a time while all is plain, and else one by one: it comes to the same."""

import json

import pytest

from schemas.events import LogEvent, encode
from stream_processors.ledger import batch
from stream_processors.ledger.batch import Outputs
from stream_processors.ledger.state import PartitionState
from tests.ledger.batches import Record, batch_of, updates_of
from tests.ledger.events import CAMPAIGN, capture, launch

FIRST, SECOND, THIRD = (encode(capture(pledge, 5)) for pledge in "pqr")


def fold(*values: bytes | None) -> tuple[PartitionState, Outputs]:
    """Fold a batch of what stands on the log after a launch."""
    state = PartitionState()
    begun = [encode(launch()), *values]
    return state, batch_of(state).fold([Record(offset, value) for offset, value in enumerate(begun)])


def pledges_of(state: PartitionState) -> list[str]:
    return list(state.campaigns[CAMPAIGN].pledges)


def refused(outputs: Outputs) -> list[tuple[str, int, bytes | None]]:
    """Return reason, offset and value of each dead letter."""
    return [(one.reason, one.origin.offset, one.value) for one in outputs.dead_letters if one.origin is not None]


def on_lines(value: bytes) -> bytes:
    return json.dumps(json.loads(value), indent=2).encode()


def test_an_event_may_stand_on_several_lines() -> None:
    """White space between its parts is no end of it."""
    state, outputs = fold(FIRST, on_lines(SECOND), THIRD)
    assert pledges_of(state) == ["p", "q", "r"]
    assert outputs.dead_letters == []


def test_an_event_may_hold_an_escape() -> None:
    """As a text with a quotation mark does."""
    state, outputs = fold(FIRST, encode(capture("q", 5, backer_id='a "backer"')), THIRD)
    assert state.campaigns[CAMPAIGN].pledge("q").backer_id == 'a "backer"'
    assert outputs.dead_letters == []


@pytest.mark.parametrize(
    "value",
    [None, b"", b" ", b"\n", SECOND + b"\n" + THIRD, SECOND + b"\r" + THIRD, SECOND + THIRD, SECOND[:-1], b"\xff"],
)
@pytest.mark.parametrize("also", [b"", None, b" "])
def test_what_is_not_one_event_is_refused_and_the_others_stand(value: bytes | None, also: bytes | None) -> None:
    """Two events in a record are not two records; nor do a record without any and one with two make two events."""
    state, outputs = fold(value, FIRST, also)
    assert pledges_of(state) == ["p"]
    assert refused(outputs) == [("invalid_event", 1, value), ("invalid_event", 3, also)]


def test_a_part_of_an_event_is_not_made_whole_by_the_next_record() -> None:
    """Each record is an event or none."""
    middle = len(FIRST) // 2
    state, outputs = fold(FIRST[:middle], FIRST[middle:])
    assert pledges_of(state) == []
    assert [offset for _, offset, _ in refused(outputs)] == [1, 2]


@pytest.mark.parametrize("together", [1, 2, 3, 100])
def test_it_makes_no_difference_how_many_are_decoded_at_a_time(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same events come in the same order, and what is refused stays in its place."""
    events: list[LogEvent] = [capture(f"p{number}", 5 + number) for number in range(7)]
    values = [encode(event) for event in events]
    values[3] = b"{}"
    expected, said = fold(*values)
    monkeypatch.setattr(batch, "_DECODED_MAX", together)
    state, outputs = fold(*values)
    assert pledges_of(state) == pledges_of(expected) == ["p0", "p1", "p2", "p4", "p5", "p6"]
    assert updates_of(outputs) == updates_of(said)
    assert refused(outputs) == refused(said) == [("invalid_event", 4, b"{}")]
