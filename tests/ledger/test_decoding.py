"""Records are decoded several at a time while all is plain, and else one by one: it comes to the same."""

import json

import pytest

from schemas.events import LogEvent, encode
from schemas.updates import Pledge as PledgeRow
from stream_processors.ledger import batch
from stream_processors.ledger.batch import Outputs
from stream_processors.ledger.changes import run_bytes_max
from stream_processors.ledger.pledges import Pledge
from stream_processors.ledger.state import PartitionState
from stream_processors.ledger.told import PLAIN_RECORD_BYTES_MAX
from tests.ledger.batches import Record, batch_of, updates_of
from tests.ledger.events import CAMPAIGN, capture, launch

FIRST, SECOND, THIRD = (encode(capture(pledge, 5)) for pledge in "pqr")

RAW = SECOND.replace(b'"q"', b'"q\x01"')
"""With a character that would take six bytes in an update, as an escape, and takes one here."""


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
    [None, b"", b" ", b"\n", SECOND + b"\n" + THIRD, SECOND + b"\r" + THIRD, SECOND + THIRD, SECOND[:-1], b"\xff", RAW],
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


OTHER = "another-film"


def fold_two(*records: tuple[str, bytes | None]) -> tuple[PartitionState, Outputs]:
    """Fold a batch of what stands on the log under the key of one or the other campaign, which one before launched."""
    state = PartitionState()
    begun = [(CAMPAIGN, encode(launch())), (OTHER, encode(launch(campaign=OTHER)))]
    for some in (begun, records):
        first = state.next_offset
        told = [Record(first + at, value, key.encode()) for at, (key, value) in enumerate(some)]
        outputs = batch_of(state).fold(told)
    return state, outputs


def test_what_is_decoded_together_may_be_of_several_campaigns() -> None:
    """One update for each, in the order in which the batch names them first."""
    state, outputs = fold_two((CAMPAIGN, FIRST), (OTHER, encode(capture("o", 7, campaign=OTHER))), (CAMPAIGN, SECOND))
    assert pledges_of(state) == ["p", "q"]
    assert list(state.campaigns[OTHER].pledges) == ["o"]
    told = [(update.campaign_id, update.totals.pledged_minor, len(update.entries)) for update in updates_of(outputs)]
    assert told == [(CAMPAIGN, 10, 2), (OTHER, 7, 1)]
    assert (outputs.events, outputs.entries, outputs.unchanged) == (3, 3, 0)


@pytest.mark.parametrize("before", [[], [(CAMPAIGN, FIRST)]])
def test_what_names_the_campaign_before_it_is_misrouted_under_another_key(before: list[tuple[str, bytes]]) -> None:
    """Where the records of two keys stand beside each other, none counts in the run of the other's."""
    state, outputs = fold_two(*before, (OTHER, SECOND), (OTHER, encode(capture("o", 7, campaign=OTHER))))
    assert pledges_of(state) == ["p"] * len(before)
    assert list(state.campaigns[OTHER].pledges) == ["o"]
    assert refused(outputs) == [("misrouted", 2 + len(before), SECOND)]


@pytest.mark.parametrize(
    ("odd", "its_pledge"),
    [
        pytest.param(None, [], id="nothing"),
        pytest.param(b"", [], id="empty"),
        pytest.param(b"{}", [], id="no event"),
        pytest.param(encode(capture("x", 5, backer_id='a "backer"')), [Pledge], id="an escape"),
        pytest.param(encode(capture("x", 5)).ljust(1025), [Pledge], id="large"),
    ],
)
def test_what_is_not_plain_keeps_nothing_else_from_being_counted_together(
    odd: bytes | None, its_pledge: list[type]
) -> None:
    """A plain first capture is kept as its row, whatever stands beside it."""
    state, _ = fold_two((CAMPAIGN, FIRST), (CAMPAIGN, odd), (OTHER, encode(capture("o", 7, campaign=OTHER))))
    assert [type(pledge) for pledge in state.campaigns[CAMPAIGN].pledges.values()] == [PledgeRow, *its_pledge]
    assert [type(pledge) for pledge in state.campaigns[OTHER].pledges.values()] == [PledgeRow]


def test_a_small_record_is_one_of_1024_bytes_at_most() -> None:
    """So that whatever is decoded together fits into one part of an update."""
    assert batch._DECODED_MAX * run_bytes_max(1, PLAIN_RECORD_BYTES_MAX) <= batch.PART_BYTES
    kept = {}
    for size_bytes in (1024, 1025):
        state, outputs = fold(FIRST.ljust(size_bytes))
        assert outputs.dead_letters == []
        kept[size_bytes] = type(state.campaigns[CAMPAIGN].pledges["p"])
    assert kept == {1024: PledgeRow, 1025: Pledge}
