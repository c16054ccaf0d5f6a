"""Which captures go the shorter way, and where a run of them ends.

That it leads to the same is a property of every story, too: test_properties.py.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from schemas.events import CircleThresholds, Decoding, LogEvent, PledgeCaptured, encode
from schemas.updates import RECORD_BYTES_MAX, CircleTotals, Entry, Position
from schemas.updates import Pledge as PledgeRow
from stream_processors.decoding import NotAnEventError, decode_event
from stream_processors.ledger import batch
from stream_processors.ledger import changes as changes_module
from stream_processors.ledger.changes import Changes, Unsaid
from stream_processors.ledger.fold import find_campaign, fold_event, fold_run
from stream_processors.ledger.outcome import Refusal
from stream_processors.ledger.snapshot import restore, save
from stream_processors.ledger.state import PartitionState
from stream_processors.ledger.told import PLAIN_RECORD_BYTES_MAX, Told
from tests.ledger.batches import Record, batch_of, fold, updates_of
from tests.ledger.events import (
    CLOSES,
    DAY,
    GOAL,
    NOON,
    amend,
    authorize,
    cancel,
    capture,
    dispute,
    fail,
    launch,
    promise,
    refund,
    renamed,
    reward,
    share,
)

BEGUN = (launch(), share("t0", sharer="backer-01"), share("t2", parent="t1"), authorize("p0", 1000))
ELSEWHERE = timezone(timedelta(hours=1))


def told(*events: LogEvent | None, first_offset: int = 0) -> Told:
    """Return these events as records that follow each other."""
    values = [None if event is None else encode(event) for event in events]
    records = [Record(offset, value) for offset, value in enumerate(values, first_offset)]
    sizes_bytes = [len(value or b"") for value in values]
    return msgspec.structs.replace(Told.of(records), events=events, sizes_bytes=sizes_bytes)


def run(changes: Changes, story: Told, first: int = 0) -> int:
    """Return what `fold_run` returns of the story from that number on."""
    return fold_run(changes.campaign, story, first, len(story.events), changes)


def begun(*events: LogEvent) -> Changes:
    """Return the changes of a campaign to which that has happened, none of them taken down."""
    state = PartitionState()
    campaign = find_campaign(state, events[0])
    for offset, event in enumerate(events):
        fold_event(campaign, event, offset, Changes(campaign))
    return Changes(campaign)


@pytest.mark.parametrize(
    ("event", "short"),
    [
        pytest.param(capture("p1", 1000), True, id="plain"),
        pytest.param(capture("p1", 1000, final=False), False, id="not final"),
        pytest.param(capture("p1", 1000, share_token="t0", backer_id="backer-02"), True, id="by a link"),
        pytest.param(capture("p1", 1000, share_token="t0", backer_id="backer-01"), False, id="by one's own link"),
        pytest.param(capture("p1", 1000, share_token="t2"), False, id="by a link without a circle"),
        pytest.param(capture("p1", 1000, share_token="t9"), False, id="by an unknown link"),
        pytest.param(capture("p1", 1000, at=CLOSES - timedelta(microseconds=1)), True, id="just in time"),
        pytest.param(capture("p1", 1000, at=CLOSES), False, id="late"),
        pytest.param(capture("p1", 1000, at=CLOSES, made_at=NOON), True, id="heard of late"),
        pytest.param(capture("p1", 1000, made_at=NOON.astimezone(ELSEWHERE)), False, id="in another zone"),
        pytest.param(capture("p1", 1000, made_at=datetime(1970, 12, 31, tzinfo=UTC)), False, id="before all time"),
        pytest.param(capture("p1", 1000, made_at=datetime(1971, 1, 1, tzinfo=UTC)), True, id="at its beginning"),
        pytest.param(
            capture("p1", 1000, at=datetime(9999, 1, 1, tzinfo=UTC), made_at=NOON), False, id="heard of never"
        ),
        pytest.param(capture("p1", 1000, at=datetime(9998, 1, 1, tzinfo=UTC), made_at=NOON), True, id="at its end"),
        pytest.param(capture("p1", 1000, at=datetime(1970, 12, 31, 23, tzinfo=UTC)), False, id="told before all time"),
        pytest.param(capture("p1", 1000, at=datetime(1971, 1, 1, tzinfo=UTC)), True, id="told at its beginning"),
        pytest.param(capture("p1", 1000, at=datetime(9999, 1, 1, tzinfo=UTC)), False, id="told never"),
        pytest.param(capture("p1", 1000, at=NOON.astimezone(ELSEWHERE)), False, id="told in another zone"),
        pytest.param(capture("p1", 1000, reward_id="r0"), False, id="with a reward"),
        pytest.param(capture("p1", 1000, currency="USD"), False, id="in another currency"),
        pytest.param(capture("p1", 1000, source="sources/other"), False, id="from another source"),
        pytest.param(capture("p1", 1000, campaign="another"), False, id="of another campaign"),
        pytest.param(capture("p0", 1000), False, id="of a known pledge"),
        pytest.param(authorize("p1", 1000), False, id="no capture"),
        pytest.param(None, False, id="not decoded"),
    ],
)
def test_only_plain_first_captures_go_the_short_way(event: LogEvent | None, *, short: bool) -> None:
    """Own links, links without a circle, lateness, rewards and known pledges need all of the rules."""
    changes = begun(*BEGUN)
    before = save(changes.campaign)
    assert run(changes, told(event)) == int(short)
    assert len(changes.entries) == len(changes.pledges) == int(short)
    assert (save(changes.campaign) == before) is not short


def test_a_capture_known_of_another_pledge_is_not_plain() -> None:
    """It is in conflict, and all of the rules say so."""
    changes = begun(launch(), capture("p1", 1000, capture_id="c"))
    assert run(changes, told(capture("p2", 1000, capture_id="c"))) == 0


def test_a_run_begins_where_it_is_told_and_ends_before_what_is_not_plain() -> None:
    """What comes before and after it is left alone; the campaign and its changes stand at its last event."""
    changes = begun(launch())
    story = told(capture("a", 1), capture("b", 2), capture("c", 4), refund("b", 1), capture("d", 8), first_offset=7)
    assert run(changes, story, 1) == 3
    assert [(entry.offset, entry.number, entry.pledge_id) for entry in changes.entries] == [(8, 0, "b"), (9, 0, "c")]
    assert (changes.event, changes.offset, changes.number) == (capture("c", 4), 9, 1)
    assert changes.campaign.position == Position(9, 0)
    assert (changes.campaign.pledged_minor, changes.campaign.collected_minor) == (6, 6)


def test_a_capture_made_after_all_time_is_not_plain() -> None:
    """A deadline west of Greenwich can be later, in UTC, than the last moment that the ledger holds."""
    west = datetime(9998, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12)))
    changes = begun(launch(closes_at=west))
    last, next_one = datetime(9998, 12, 31, 23, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
    story = told(capture("p", 1, made_at=last), capture("q", 1, made_at=next_one))
    assert run(changes, story) == 1


def test_a_capture_made_before_all_time_is_not_plain_after_another_of_its_day() -> None:
    """The first day that the ledger holds begins in Paris before the first moment that it holds."""
    changes = begun(launch())
    first, before = datetime(1971, 1, 1, 5, tzinfo=UTC), datetime(1970, 12, 31, 23, 30, tzinfo=UTC)
    story = told(capture("p", 1, made_at=first), capture("q", 1, made_at=before))
    assert run(changes, story) == 1


def test_what_ends_a_run_leaves_no_day_behind() -> None:
    """A capture of the next day by an unknown link is not folded, so that day has no totals yet."""
    changes = begun(launch())
    story = told(capture("p", 5), capture("q", 5, at=NOON + DAY, share_token="t9"))
    assert run(changes, story) == 1
    assert list(changes.days) == [day.day for day in changes.campaign.days()] == [date(2026, 3, 10)]


def test_a_run_tells_the_days_that_it_goes_through() -> None:
    """There and back: each day once, with the sum of its captures."""
    changes = begun(launch())
    story = told(capture("a", 1), capture("b", 2, at=NOON + DAY), capture("c", 4), capture("d", 8, at=NOON + DAY))
    assert run(changes, story) == 4
    assert [(day.day.day, day.pledged_minor, day.collected_minor) for day in changes.campaign.days()] == [
        (10, 5, 5),
        (11, 10, 10),
    ]
    assert list(changes.days) == [date(2026, 3, 10), date(2026, 3, 11)]


def test_a_run_ends_with_the_event_that_there_is_something_to_say_of() -> None:
    """A milestone has the total and the position of the event that crosses, however many come after it in the batch."""
    changes = begun(launch())
    quarter = GOAL // 4
    story = told(capture("a", quarter - 1), capture("b", 1), capture("c", 1))
    assert run(changes, story) == 2
    assert [(one.type, one.offset, one.number, one.event_id, one.total_minor) for one in changes.milestones] == [
        ("cercles.milestone.passed", 1, 1, "captured-b-capture", quarter)
    ]
    assert run(changes, story, 2) == 3
    assert len(changes.milestones) == 1


def test_what_comes_after_a_milestone_is_a_run_again() -> None:
    """Only what is not plain goes the long way, which would keep its pledge whole."""
    state = PartitionState()
    fold(state, launch(), *(capture(f"p{number}", GOAL // 7) for number in range(1, 9)))
    (campaign,) = state.campaigns.values()
    assert campaign.goal_is_reached
    assert {type(pledge) for pledge in campaign.pledges.values()} == {PledgeRow}


def test_while_a_circle_is_yet_to_open_every_event_is_a_run_of_its_own() -> None:
    """It is looked whether the event opens the circle early, which only its own total can tell."""
    thresholds = CircleThresholds(friends=10)
    wide = share("t0", circle="friends_of_friends")
    changes = begun(launch(circle_thresholds=thresholds), wide)
    story = told(capture("a", 1), capture("b", 1, share_token="t0"), capture("c", 1), capture("d", 1))
    assert [run(changes, story, first) for first in (0, 1, 2)] == [1, 2, 4]
    assert [(one.type, one.offset) for one in changes.milestones] == [("cercles.circle.opened_early", 1)]


def test_what_was_said_before_is_only_counted() -> None:
    """A worker that reads again what its group has acknowledged takes nothing down, and has the same state."""
    loud = begun(*BEGUN)
    quiet = Unsaid(begun(*BEGUN).campaign)
    story = told(*(capture(f"p{number}", GOAL // 7) for number in range(1, 9)), first_offset=4)
    for changes in (loud, quiet):
        first = 0
        while first < 8:
            first = run(changes, story, first)
    assert save(quiet.campaign) == save(loud.campaign)
    assert (quiet.entries, quiet.pledges, quiet.milestones) == ([], {}, [])


def test_a_part_is_cut_after_a_run_and_holds_what_it_may() -> None:
    """Texts as long and as wide as they come in a run: four bytes a character, without an escape."""
    wide = "𝄞" * 80
    events = [
        capture(f"{number:05}{wide}", 1, capture_id=f"{number:05}", backer_id=f"{number:05}{wide}")
        for number in range(400)
    ]
    assert max(len(encode(event)) for event in events) <= PLAIN_RECORD_BYTES_MAX
    state = PartitionState()
    outputs = fold(state, launch(), *events)
    (campaign,) = state.campaigns.values()
    assert {type(pledge) for pledge in campaign.pledges.values()} == {PledgeRow}
    assert len(outputs.updates) > 2
    assert all(len(value) < batch.PART_BYTES + RECORD_BYTES_MAX // 4 for _, value in outputs.updates)
    told_pledges = [row.pledge_id for update in updates_of(outputs) for row in update.pledges]
    assert told_pledges == [event.data.pledge_id for event in events]
    assert [update.totals.pledged_minor for update in updates_of(outputs)][-1] == 400


@pytest.mark.parametrize(
    "then",
    [
        pytest.param(refund("p", 400), id="refunded"),
        pytest.param(capture("p", 1500), id="raised"),
        pytest.param(capture("p", 1000, made_at=NOON - DAY), id="made earlier"),
        pytest.param(capture("p", 500, capture_id="second", final=False), id="captured again"),
        pytest.param(authorize("p", 3000), id="authorized"),
        pytest.param(amend(1, closes_at=NOON, at=NOON - DAY), id="late after all"),
        pytest.param(promise("p", 1, 2000), id="promised"),
        pytest.param(cancel("p"), id="canceled"),
        pytest.param(fail("p"), id="failed once"),
        pytest.param(dispute("p", 1000), id="disputed"),
        pytest.param(capture("q", 1000, capture_id="p-capture"), id="in conflict"),
        pytest.param(capture("p", 1000, share_token="t0", backer_id="backer-02"), id="told again"),
    ],
)
def test_what_is_told_of_it_later_finds_a_whole_pledge(then: LogEvent) -> None:
    """Kept as a row, the pledge has all the facts that it would have had by the long way."""
    first = capture("p", 1000, share_token="t0", backer_id="backer-02")
    short, long = begun(*BEGUN), begun(*BEGUN)
    assert run(short, told(first, first_offset=4)) == 1
    fold_event(long.campaign, first, 4, long)
    assert isinstance(short.campaign.pledges["p"], PledgeRow)
    assert isinstance(short.campaign.captures["p-capture"], PledgeRow)
    refusals = [_refusal(changes, then) for changes in (short, long)]
    assert refusals[0] == refusals[1]
    assert (short.entries, short.milestones) == (long.entries, long.milestones)
    for pledge_id in ("p0", "p", "q"):
        assert (pledge_id in short.campaign.pledges) == (pledge_id in long.campaign.pledges)
        assert short.campaign.find_pledge(pledge_id) == long.campaign.find_pledge(pledge_id)
    assert short.campaign.find_capture("p-capture") == long.campaign.find_capture("p-capture")


def test_a_repetition_leaves_it_a_row() -> None:
    """Gateways repeat themselves: what is told again is known, and makes nothing whole."""
    event = capture("p", 1000, share_token="t0", backer_id="backer-02")
    changes = begun(*BEGUN)
    assert run(changes, told(event, event)) == 1
    fold_event(changes.campaign, event, 5, changes)
    assert (changes.number, len(changes.entries)) == (0, 1)
    assert isinstance(changes.campaign.pledges["p"], PledgeRow)
    assert isinstance(changes.campaign.captures["p-capture"], PledgeRow)


@pytest.mark.parametrize(
    "other",
    [
        {"amount": 1001},
        {"made_at": NOON + DAY},
        {"share_token": None},
        {"backer_id": "backer-03"},
        {"backer_id": None},
        {"reward_id": "r0"},
        {"currency": "USD"},
        {"made_at": NOON.astimezone(ELSEWHERE)},
    ],
    ids=str,
)
def test_what_differs_from_it_is_no_repetition(other: dict[str, Any]) -> None:
    """It is held against all of the rules, whether or not it comes to a change."""
    given: dict[str, Any] = {"amount": 1000, "share_token": "t0", "backer_id": "backer-02"}
    short, long = begun(*BEGUN), begun(*BEGUN)
    for changes in (short, long):
        fold_event(changes.campaign, capture("p", **given), 4, changes)
    run(short, told(capture("q", **given)))
    fold_event(long.campaign, capture("q", **given), 0, long)
    assert _refusal(short, capture("q", **given | other)) == _refusal(long, capture("q", **given | other))
    assert short.entries == long.entries
    assert short.campaign.find_pledge("q") == long.campaign.find_pledge("q")
    assert short.campaign.find_capture("q-capture") == long.campaign.find_capture("q-capture")


def test_a_repetition_told_in_a_zone_of_before_all_time_is_refused_all_the_same() -> None:
    """It is the same moment, but no time that an event may tell."""
    first = datetime(1971, 1, 1, 0, 30, tzinfo=UTC)
    changes = begun(launch())
    assert run(changes, told(capture("p", 1, made_at=first))) == 1
    refusal = _refusal(changes, capture("p", 1, made_at=first.astimezone(timezone(timedelta(hours=-1)))))
    assert refusal is not None
    assert refusal.startswith("invalid_event")


def test_a_conflict_makes_nothing_whole() -> None:
    """What is refused has changed nothing, not even how a pledge is kept."""
    changes = begun(launch())
    run(changes, told(capture("p", 1)))
    refusal = _refusal(changes, capture("q", 1, capture_id="p-capture"))
    assert refusal == "conflicting_duplicate: capture p-capture is known with another pledge"
    assert isinstance(changes.campaign.pledges["p"], PledgeRow)
    assert isinstance(changes.campaign.captures["p-capture"], PledgeRow)


def test_what_a_run_takes_is_never_reckoned_too_low() -> None:
    """Nor so high that updates are cut into crumbs: texts of one to four bytes a character, short and long."""
    for character in "aé€𝄞":
        for length in (1, 30, 240):
            texts = [f"{number:03}{character * length}" for number in range(10)]
            changes = begun(launch(), *(share(f"t{text}") for text in texts))
            story = told(*(capture(text, 1, backer_id=f"b{text}", share_token=f"t{text}") for text in texts))
            assert run(changes, story) == 10
            rows = [changes.campaign.pledge(pledge_id) for pledge_id in changes.pledges]
            taken = sum(len(msgspec.json.encode(part)) for part in (changes.entries, rows))
            assert taken <= changes.size_bytes_max == story.taken_bytes_max(0, 10) <= 4 * taken


def test_no_capture_spends_less_on_its_field_names_than_is_reckoned() -> None:
    """The shortest record of one: without any of its fields, or with a shorter text, it is none."""
    data = {"campaign_id": "c", "pledge_id": "p", "capture_id": "c", "amount_minor": 1, "currency": "EUR"}
    envelope = {"specversion": "1.0", "type": "cercles.pledge.captured", "id": "e", "source": "s"}
    event: dict[str, Any] = {**envelope, "time": "2026-03-10T12:00:00Z", "data": data}
    shortest = msgspec.json.encode(event)
    assert isinstance(decode_event(shortest, Decoding.log), PledgeCaptured)
    assert len(shortest) - len("e") - len("p") == changes_module._CAPTURE_BYTES_MIN
    shorter = [{**event, name: ""} for name in ("id", "source")]
    shorter += [{**event, "data": {**data, name: ""}} for name in ("campaign_id", "pledge_id", "capture_id")]
    shorter += [{**event, "time": time} for time in ("2026-03-10T12:00Z", 0, 1773144000)]
    shorter += [{**event, "data": {**data, "currency": "EU"}}]
    shorter += [{name: event[name] for name in event if name != missing} for missing in event]
    shorter += [{**event, "data": {name: data[name] for name in data if name != missing}} for missing in data]
    for one in shorter:
        with pytest.raises(NotAnEventError):
            decode_event(msgspec.json.encode(one), Decoding.log)


def test_entries_rows_and_totals_have_the_fields_that_the_ledger_gives_them_by_their_order() -> None:
    """A field in another place would take another's value, without a word."""
    assert CircleTotals.__struct_fields__ == ("circle", "pledged_minor", "collected_minor", "backers")
    assert Entry.__struct_fields__ == (
        *("offset", "number", "event_id", "event_type", "occurred_at", "pledge_id", "circle", "day"),
        *("pledged_minor", "collected_minor", "reward_exhausted"),
    )
    assert PledgeRow.__struct_fields__ == (
        *("pledge_id", "circle", "pledged_minor", "collected_minor", "over_returned_minor", "late", "day", "made_at"),
        *("backer_id", "share_token", "unattributed", "reward_id"),
    )


def test_a_run_that_may_not_fit_is_begun_in_a_part_of_its_own() -> None:
    """Whatever stands in the part before it, with the terms of 118,982 bytes that the log takes at most."""
    wide = "\x01" * 240
    rewards = [reward(f"{number:02}{wide}", 1) for number in range(50)]
    known = [
        renamed(authorize(f"{number:03}{wide}", 1, authorization=f"a{number}"), f"{number:03}{wide}")
        for number in range(36)
    ]
    # So that what has no escape is decoded together.
    again = [known[0]] * 27
    run = [
        capture(f"{number:03}{'p' * 250}", 1, capture_id=f"c{number}", backer_id=f"{number:03}{'b' * 250}")
        for number in range(64)
    ]
    outputs = fold(PartitionState(), launch(rewards=rewards), *known, *again, *run)
    assert all(len(value) <= RECORD_BYTES_MAX for _, value in outputs.updates)
    told_updates = updates_of(outputs)
    assert [update.terms is None for update in told_updates] == [False, True]
    assert sum(len(update.entries) for update in told_updates) == 101


def test_a_run_that_just_fits_is_not_cut_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that may not fit into what is left of the part is begun in another."""
    run_of = [capture(f"p{number}", 1) for number in range(3)]
    before = begun(launch())
    fold_event(before.campaign, authorize("p", 1), 1, before)
    full = before.size_bytes_max + told(*run_of).taken_bytes_max(0, 3)
    entries = {}
    for bytes_max in (full, full - 1):
        monkeypatch.setattr(batch, "PART_BYTES", bytes_max)
        state = PartitionState()
        fold(state, launch())
        parts = updates_of(fold(state, authorize("p", 1), *run_of))
        entries[bytes_max] = [len(update.entries) for update in parts]
    assert entries == {full: [4], full - 1: [1, 3]}


def test_what_cannot_be_in_a_run_takes_no_room_from_it() -> None:
    """However large it is: runs before it are not cut apart for its sake."""
    state = PartitionState()
    fold(state, launch())
    small = [event for number in range(10) for event in (capture(f"p{number}", 5), refund(f"p{number}", 1))]
    large = [capture(f"q{number}", 5) for number in range(2)]
    values = [encode(event) for event in small] + [encode(event).ljust(120_000) for event in large]
    (update,) = updates_of(batch_of(state).fold([Record(1 + at, value) for at, value in enumerate(values)]))
    assert len(update.entries) == 22


def _refusal(changes: Changes, event: LogEvent) -> str | None:
    try:
        fold_event(changes.campaign, event, 5, changes)
    except Refusal as refusal:
        return str(refusal)
    return None


def test_a_snapshot_keeps_rows_as_rows_and_the_order_in_which_the_log_named_them() -> None:
    """What is restored takes no more memory than what was saved, and goes through its pledges in the same order."""
    changes = begun(launch(), authorize("a", 1))
    run(changes, told(capture("b", 1), capture("c", 1), capture("d", 1)))
    fold_event(changes.campaign, refund("c", 1), 5, changes)
    again = restore(save(changes.campaign))
    kinds = {pledge_id: type(pledge).__module__ for pledge_id, pledge in changes.campaign.pledges.items()}
    assert list(kinds) == ["a", "b", "c", "d"]
    assert {pledge_id: type(pledge).__module__ for pledge_id, pledge in again.pledges.items()} == kinds
    assert list(again.pledges.values()) == list(changes.campaign.pledges.values())
    assert again.captures["b-capture"] is again.pledges["b"]
    assert again.find_capture("c-capture") == changes.campaign.find_capture("c-capture")
    assert save(again) == save(changes.campaign)
