"""From records to updates: conflated, positioned, and cut where one record could not hold them."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.events import (
    CampaignAmended,
    CampaignAmendedData,
    CampaignLaunched,
    CampaignLaunchedData,
    Event,
    PledgeCaptured,
    PledgeCapturedData,
    SharePosted,
    SharePostedData,
    encode,
)
from schemas.updates import BEFORE_EVERYTHING, RECORD_BYTES_MAX, Entry, Milestone, Position, Update, decoder
from stream_processors.ledger.batch import Batch, Outputs
from stream_processors.ledger.state import PartitionState
from tests.worker.pipeline import SOURCE, START
from tests.worker.test_lane import FakeRecord

FILM = "les-anges-anonymes"


def event(kind: type[Event], data: object, *, source: str = SOURCE, event_id: str = "event") -> bytes:
    """Return an event as it stands on the log."""
    return encode(kind(specversion="1.0", id=event_id, source=source, time=START, data=data))


def launch(**terms: Any) -> bytes:
    """Return the launch of the film: 15 000 €."""
    given: dict[str, Any] = {
        "campaign_id": FILM,
        "title": "Les Anges Anonymes",
        "owner_id": "owner",
        "currency": "EUR",
        "goal_minor": 1_500_000,
        "opens_at": START,
        "closes_at": START + timedelta(days=30),
        "timezone": "Europe/Paris",
        "sources": [SOURCE],
    }
    data = CampaignLaunchedData(**given | terms)
    return event(CampaignLaunched, data, source="admin")


def capture(number: int, amount_minor: int = 100, event_id: str = "event", **more: Any) -> bytes:
    """Return the capture of a pledge of its own."""
    data = PledgeCapturedData(
        campaign_id=FILM,
        pledge_id=f"pledge-{number}",
        capture_id=f"capture-{number}",
        amount_minor=amount_minor,
        currency="EUR",
        **more,
    )
    return event(PledgeCaptured, data, event_id=event_id)


def fold(state: PartitionState, *values: bytes | None, key: str = FILM, start: int | None = None) -> Outputs:
    """Fold one batch of records that follow what the state has seen."""
    first = state.next_offset if start is None else start
    batch = Batch(state, partition=0, topic="log", partition_of=lambda key: 0 if key == FILM.encode() else 1)
    return batch.fold([FakeRecord(first + number, value, key.encode()) for number, value in enumerate(values)])


def test_a_batch_can_be_folded_step_by_step() -> None:
    """In steps of 64 records of a campaign at most; the state is whole, and what there is to say, at the end."""
    values = [launch(), *(capture(number) for number in range(129))]
    records = [FakeRecord(offset, value, FILM.encode()) for offset, value in enumerate(values)]
    at_once, in_steps = (Batch(PartitionState(), partition=0, topic="log", partition_of=lambda _: 0) for _ in range(2))
    outputs = at_once.fold(records)
    steps = in_steps.steps(records)
    for _ in range(3):
        next(steps)
        assert (in_steps.state.next_offset, in_steps.outputs.updates) == (0, [])
    assert list(steps) == []
    assert in_steps.state.next_offset == at_once.state.next_offset == 130
    assert in_steps.outputs == outputs


def updates_of(outputs: Outputs) -> list[Update]:
    """Return the updates, decoded; every record is within its bound."""
    updates = []
    for key, value in outputs.updates:
        assert key == FILM.encode()
        assert len(value) <= RECORD_BYTES_MAX
        update = decoder.decode(value)
        assert isinstance(update, Update)
        updates.append(update)
    return updates


def assert_parts_fit(updates: list[Update], before: Position) -> None:
    """Each part continues from the one before; its totals are the sums of all entries so far; the last is complete."""
    pledged_minor = 0
    positions = []
    for number, update in enumerate(updates):
        assert update.before == before
        before = update.after
        pledged_minor += sum(entry.pledged_minor for entry in update.entries)
        assert update.totals.pledged_minor == pledged_minor
        assert sum(circle.pledged_minor for circle in update.totals.circles) == pledged_minor
        assert update.complete == (number == len(updates) - 1)
        told: list[Entry | Milestone] = [*update.entries, *update.milestones]
        positions += [Position(one.offset, one.number) for one in told]
        assert max(Position(one.offset, one.number) for one in told) == update.after
    assert len(positions) == len(set(positions))


def test_a_batch_makes_one_update_for_a_campaign_that_many_events_changed() -> None:
    """Every entry is in it, and the totals after the last."""
    state = PartitionState()
    outputs = fold(state, launch(), capture(1), capture(1), capture(2))
    (update,) = updates_of(outputs)
    assert (update.before, update.after) == (BEFORE_EVERYTHING, Position(3, 0))
    assert [entry.offset for entry in update.entries] == [0, 1, 3]
    assert update.totals.pledged_minor == 200
    assert update.terms is not None
    assert [pledge.pledge_id for pledge in update.pledges] == ["pledge-1", "pledge-2"]
    assert (outputs.events, outputs.entries, outputs.unchanged) == (4, 3, 1)


def test_a_batch_that_changes_nothing_says_nothing() -> None:
    """Known duplicates lead to no update."""
    state = PartitionState()
    fold(state, launch(), capture(1))
    outputs = fold(state, capture(1), launch())
    assert outputs.updates == []
    assert outputs.unchanged == 2


def test_the_next_update_continues_from_the_one_before() -> None:
    """Terms come only when they changed."""
    state = PartitionState()
    fold(state, launch(), capture(1))
    (update,) = updates_of(fold(state, capture(2)))
    assert (update.before, update.after) == (Position(1, 0), Position(2, 0))
    assert update.terms is None


def test_a_large_batch_is_cut_between_entries() -> None:
    """Thousands of pledges do not fit one record: the parts continue each other."""
    state = PartitionState()
    updates = updates_of(fold(state, launch(), *(capture(number) for number in range(4000))))
    assert len(updates) > 3
    assert_parts_fit(updates, BEFORE_EVERYTHING)
    assert updates[-1].totals.pledged_minor == 400_000


def test_one_event_that_moves_thousands_of_pledges_is_cut_and_opposite_entries_stay_together() -> None:
    """A share heard of late moves all its pledges at one offset."""
    state = PartitionState()
    fold(state, launch(), *(capture(number, share_token="link") for number in range(3000)))
    share = SharePostedData(campaign_id=FILM, share_token="link", sharer_id="owner", network="email")
    updates = updates_of(fold(state, event(SharePosted, share)))
    assert len(updates) > 3
    pledged_minor = 0
    before = Position(3000, 0)
    for update in updates:
        assert update.before == before
        before = update.after
        assert {entry.offset for entry in update.entries} == {3001}
        pledged_minor += sum(entry.pledged_minor for entry in update.entries)
        assert pledged_minor == 0, "a pledge that left one circle has not arrived in the other"
        assert sum(circle.pledged_minor for circle in update.totals.circles) == 300_000
    assert updates[-1].totals.circles[0].pledged_minor == 300_000


def test_moving_the_deadline_takes_late_pledges_out_and_is_cut_as_well() -> None:
    """One amendment, thousands of pledges made after the new deadline."""
    state = PartitionState()
    later = START + timedelta(days=5)
    fold(state, launch(), *(capture(number, made_at=later) for number in range(3000)))
    amended = CampaignAmendedData(campaign_id=FILM, revision=1, closes_at=START + timedelta(days=2))
    updates = updates_of(fold(state, event(CampaignAmended, amended, source="admin")))
    assert len(updates) > 2
    assert updates[-1].totals.pledged_minor == 0
    assert updates[-1].totals.late_minor == 300_000
    assert sum(entry.pledged_minor for update in updates for entry in update.entries) == -300_000


def test_one_pledge_that_crosses_thousands_of_steps_stays_within_the_record() -> None:
    """A huge pledge on a tiny goal: every step is said, in order, in as many parts as it takes."""
    state = PartitionState()
    fold(state, launch(goal_minor=100, overfunding_step=1))
    updates = updates_of(fold(state, capture(1, 10**12, event_id="é" * 255)))
    assert_parts_fit(updates, Position(0, 0))
    steps = [milestone.step for update in updates for milestone in update.milestones]
    assert steps == [25, 50, 75, None, *range(100, 5001)]


def test_the_longest_texts_that_an_event_can_carry_stay_within_the_record() -> None:
    """Escapes take six bytes a character."""
    state = PartitionState()
    wild = "\x01" * 255
    fold(state, launch(title="\x01" * 200, sources=[SOURCE, *(f"{number:03}" + "\x01" * 252 for number in range(49))]))
    updates = updates_of(
        fold(state, *(capture(n, backer_id=f"{n:03}{wild[3:]}", share_token=wild, event_id=wild) for n in range(400)))
    )
    assert len(updates) > 3
    assert updates[-1].totals.backers == 400


@pytest.mark.parametrize(
    ("value", "key", "reason"),
    [
        (None, FILM, "invalid_event"),
        (b"", FILM, "invalid_event"),
        (b"[" * 100_000, FILM, "invalid_event"),
        (b'{"type":"cercles.goal.reached"}', FILM, "invalid_event"),
        (capture(1, event_id="a\x00b"), FILM, "invalid_event"),
        (capture(1), "another-film", "misrouted"),
    ],
)
def test_what_is_not_an_event_of_this_campaign_is_refused_and_changes_nothing(
    value: bytes | None, key: str, reason: str
) -> None:
    """It becomes a dead letter that says where it stood."""
    state = PartitionState()
    fold(state, launch())
    outputs = fold(state, value, key=key)
    assert outputs.updates == []
    (letter,) = outputs.dead_letters
    assert (letter.reason, letter.value) == (reason, value)
    assert letter.origin is not None
    assert (letter.origin.topic, letter.origin.partition, letter.origin.offset) == ("log", 0, 1)
    assert letter.detail.isprintable()


def test_a_text_with_the_letters_of_an_escaped_nul_is_no_nul() -> None:
    """A backslash and u0000 as plain text are an odd id, and nothing worse."""
    state = PartitionState()
    outputs = fold(state, launch(), capture(1, event_id="\\u0000"))
    assert outputs.dead_letters == []


def test_a_record_in_another_partition_than_its_keys_is_misrouted() -> None:
    """A campaign's story has one place."""
    state = PartitionState()
    batch = Batch(state, partition=1, topic="log", partition_of=lambda _: 0)
    outputs = batch.fold([FakeRecord(0, launch(), FILM.encode())])
    assert [letter.reason for letter in outputs.dead_letters] == ["misrouted"]
    assert state.campaigns == {}


def test_records_below_the_state_are_not_folded_again() -> None:
    """They are known, and are not counted as events either."""
    state = PartitionState()
    fold(state, launch(), capture(1))
    outputs = fold(state, launch(), capture(1), capture(2), start=0)
    assert outputs.events == 1
    assert updates_of(outputs)[0].totals.pledged_minor == 200


def test_a_nul_anywhere_in_an_event_is_refused() -> None:
    """Also in a list, as of a campaign's sources."""
    state = PartitionState()
    outputs = fold(state, launch(sources=[SOURCE, "sources/\x00"]))
    assert [letter.reason for letter in outputs.dead_letters] == ["invalid_event"]


def test_an_update_that_ends_where_it_was_cut_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last part says so, though nothing came after the cut."""
    monkeypatch.setattr("stream_processors.ledger.batch.PART_BYTES", 0)
    updates = updates_of(fold(PartitionState(), launch(), capture(1, final=False), capture(2, final=False)))
    assert [update.complete for update in updates] == [False, False, True]
    assert_parts_fit(updates, BEFORE_EVERYTHING)


def test_a_record_over_its_bound_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the bounds of the parts ever be wrong, the process ends before it says half of something."""
    monkeypatch.setattr("stream_processors.ledger.batch.RECORD_BYTES_MAX", 100)
    with pytest.raises(ValueError, match="over 100"):
        fold(PartitionState(), launch())
