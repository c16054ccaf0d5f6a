"""Where an update is cut: after what took it over the bound, never before, and never beyond what a record holds."""

from datetime import date, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from schemas.events import TYPE_NAMES, LogEvent, Reward, StretchGoal, type_name
from schemas.updates import RECORD_BYTES_MAX, DayTotals, Entry, Pledge, Update
from stream_processors.ledger import batch
from stream_processors.ledger import changes as changes_module
from stream_processors.ledger.changes import Changes
from stream_processors.ledger.fold import find_campaign, fold_event
from stream_processors.ledger.state import PartitionState
from tests.ledger.batches import fold, updates_of
from tests.ledger.events import (
    CAMPAIGN,
    CLOSES,
    amend,
    authorize,
    capture,
    launch,
    renamed,
    reward,
    share,
    stretch_goal,
    visit,
)

# The widest character on the wire: six bytes, as an escape.
WIDE = "\x01"


def changes_of(*events: LogEvent) -> Changes:
    """Return what is taken down of these events of one campaign."""
    state = PartitionState()
    changes = Changes(find_campaign(state, events[0]))
    for offset, event in enumerate(events):
        fold_event(changes.campaign, event, offset, changes)
    return changes


def encoded_bytes(changes: Changes) -> int:
    """Return what the entries, pledges, days, rewards and milestones take in an update."""
    campaign = changes.campaign
    parts = [
        changes.entries,
        changes.milestones,
        [campaign.pledge(pledge_id) for pledge_id in changes.pledges],
        [campaign.day(day) for day in changes.days],
        [campaign.share(token) for token in changes.share_tokens],
        [campaign.share_visits(token, origin) for token, origin in changes.visited],
        [campaign.reward(reward_id) for reward_id in changes.reward_ids],
    ]
    return sum(len(msgspec.json.encode(part)) for part in parts)


def wide(prefix: str) -> str:
    return prefix.ljust(255, WIDE)


def wide_goals(number: int) -> list[StretchGoal]:
    return [stretch_goal(wide(f"s{each:02}"), 10 + each) for each in range(number)]


def wide_rewards(number: int) -> list[Reward]:
    return [reward(wide(f"r{each:02}"), 1) for each in range(number)]


@pytest.mark.parametrize("pledges", [1, 30])
@pytest.mark.parametrize("goals", [1, 2, 50])
def test_what_is_taken_down_never_takes_more_than_was_reckoned(goals: int, pledges: int) -> None:
    """With texts as long and as wide as events can carry, in entries, pledges, rewards and milestones alike."""
    story = [launch(goal_minor=10**12, stretch_goals=wide_goals(goals), rewards=wide_rewards(goals))]
    sighting: dict[str, Any] = {"share_token": wide("t"), "reward_id": wide("r00")}
    changes = changes_of(
        *story,
        *(
            renamed(capture(wide(f"p{each}"), 1, backer_id=wide(f"b{each}"), **sighting), wide(f"e{each}"))
            for each in range(pledges)
        ),
        renamed(authorize("q", 10**11), wide("all")),
        *(share(wide(f"t{each}"), network=wide("n"), parent=wide("t")) for each in range(pledges)),
        share("root", circle="friends_of_friends"),
        *(visit(wide(f"t{each}"), 10**12, bots=10**12, prefetches=10**12) for each in range(pledges)),
    )
    assert len(changes.milestones) >= goals
    assert sum(entry.reward_exhausted for entry in changes.entries) == pledges - 1
    assert encoded_bytes(changes) <= changes.size_bytes_max
    # Nor is it reckoned so high that updates are cut into crumbs.
    assert changes.size_bytes_max <= encoded_bytes(changes) * 2 + 2000


def test_no_entry_and_no_pledge_takes_more_than_is_reckoned_beside_its_texts() -> None:
    """With numbers of 20 digits, moments with an offset, and the longest of every fixed word."""
    number, day = -(2**63), date(2026, 3, 10)
    moment = datetime(2026, 3, 10, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=-5)))
    kind = max(TYPE_NAMES.values(), key=len)
    entry = Entry(number, number, "", kind, moment, "", "friends_of_friends", day, number, number)
    totals = DayTotals(day=day, pledged_minor=number, collected_minor=number)
    assert len(msgspec.json.encode([entry])) + len(msgspec.json.encode([totals])) <= changes_module._ENTRY_BYTES
    pledge = Pledge(
        *("", "friends_of_friends", number, number, number, False, day, moment, "", ""),
        unattributed="unknown_token",
        reward_id="",
    )
    assert len(msgspec.json.encode([pledge])) <= changes_module._PLEDGE_BYTES


def bound_of(*events: LogEvent) -> int:
    """Return what these events are reckoned to take after a launch."""
    return changes_of(launch(), *events).size_bytes_max - changes_of(launch()).size_bytes_max


def cut(*events: LogEvent) -> list[Update]:
    """Return the updates of one batch."""
    return updates_of(fold(PartitionState(), *events))


PROMISES = [authorize(f"pledge-{number}", 5) for number in range(6)]
"""Folded one by one; of a run of captures test_first_captures.py tells where it is cut."""


def test_an_update_that_is_just_full_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that may be over the bound is, after the event that took it there."""
    full = changes_of(launch(), *PROMISES).size_bytes_max
    monkeypatch.setattr(batch, "PART_BYTES", full)
    assert len(cut(launch(), *PROMISES)) == 1
    monkeypatch.setattr(batch, "PART_BYTES", full - 1)
    parts = cut(launch(), *PROMISES, authorize("after", 5))
    assert [len(update.entries) for update in parts] == [7, 1]


def test_each_part_is_as_full_as_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier part held is not reckoned again."""
    two = bound_of(*PROMISES[:2])
    monkeypatch.setattr(batch, "PART_BYTES", two - 1)
    state = PartitionState()
    fold(state, launch())
    parts = updates_of(fold(state, *PROMISES))
    assert [[entry.offset for entry in update.entries] for update in parts] == [[1, 2], [3, 4], [5, 6]]
    assert [[pledge.pledge_id for pledge in update.pledges] for update in parts] == [
        ["pledge-0", "pledge-1"],
        ["pledge-2", "pledge-3"],
        ["pledge-4", "pledge-5"],
    ]
    assert [update.complete for update in parts] == [False, False, True]
    monkeypatch.setattr(batch, "PART_BYTES", two)
    state = PartitionState()
    fold(state, launch())
    parts = updates_of(fold(state, *PROMISES))
    assert [len(update.entries) for update in parts] == [3, 3]


def test_terms_stand_in_the_part_of_the_event_that_changed_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """And in no later one."""
    monkeypatch.setattr(batch, "PART_BYTES", 0)
    parts = cut(launch(), *PROMISES[:2])
    assert [update.terms is None for update in parts] == [False, True]


QUIET: list[LogEvent] = [
    *(visit(f"t{number}", 1) for number in range(3)),
    *(share(f"t{number}") for number in range(3)),
    *(amend(number, title=f"Title {number}") for number in range(1, 4)),
]
"""What touches no pledge."""


def test_events_that_touch_no_pledge_are_cut_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Visits, links and amendments alone may fill a record."""
    monkeypatch.setattr(batch, "PART_BYTES", 0)
    state = PartitionState()
    fold(state, launch())
    parts = updates_of(fold(state, *QUIET))
    assert [[entry.offset for entry in update.entries] for update in parts] == [[1 + at] for at in range(len(QUIET))]
    assert [update.before for update in parts[1:]] == [update.after for update in parts[:-1]]
    assert [update.complete for update in parts] == [False] * (len(QUIET) - 1) + [True]


def _of_another_link(event: LogEvent, name: str) -> LogEvent:
    data = msgspec.structs.replace(event.data, share_token=name)
    other: LogEvent = msgspec.structs.replace(event, id=name, data=data)
    return other


@pytest.mark.parametrize("event", [visit("t", 1), share("t")], ids=type_name)
def test_a_whole_batch_of_them_fits_into_its_records(event: LogEvent) -> None:
    """As many as a worker folds at a time, of one campaign, with the widest ids: none ends the process."""
    state = PartitionState()
    fold(state, launch())
    outputs = fold(state, *(_of_another_link(event, wide(str(number))) for number in range(4000)))
    assert all(len(value) <= RECORD_BYTES_MAX for _, value in outputs.updates)
    assert [entry.offset for update in updates_of(outputs) for entry in update.entries] == list(range(1, 4001))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_last_part_alone_is_complete(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, and also where the batch ends at a cut."""
    monkeypatch.setattr(batch, "PART_BYTES", 0)
    state = PartitionState()
    fold(state, launch())
    outputs = fold(state, *PROMISES[:count])
    parts = updates_of(outputs)
    assert [update.complete for update in parts] == [False] * (count - 1) + [True]
    assert [entry.offset for update in parts for entry in update.entries] == list(range(1, count + 1))
    assert outputs.entries == count


def test_a_record_may_be_just_as_large_as_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte more ends the process, with words that say which bound was wrong."""
    ((_, record),) = fold(PartitionState(), launch()).updates
    monkeypatch.setattr(batch, "RECORD_BYTES_MAX", len(record))
    assert fold(PartitionState(), launch()).updates[0][1] == record
    monkeypatch.setattr(batch, "RECORD_BYTES_MAX", len(record) - 1)
    with pytest.raises(ValueError, match="an update of") as caught:
        fold(PartitionState(), launch())
    assert str(caught.value) == (
        f"an update of les-anges-anonymes takes {len(record)} bytes, over {len(record) - 1}: "
        "the bounds in ledger/changes.py no longer hold"
    )


@pytest.mark.parametrize(
    ("pledge", "link"),
    [
        ({"at": CLOSES + timedelta(days=1)}, {}),
        ({}, {"parent": "t"}),
    ],
    ids=["late ones", "those of a link that leads to itself"],
)
def test_a_link_that_many_pledges_waited_for_is_told_whole(pledge: dict[str, Any], link: dict[str, Any]) -> None:
    """Also when none of them moves any money: every part goes on from the one before, or nobody would apply it."""
    state = PartitionState()
    waiting = [capture(f"pledge-{number}", 5, share_token="t", **pledge) for number in range(600)]
    fold(state, launch(), *waiting)
    parts = updates_of(fold(state, share("t", **link)))
    assert len(parts) > 1
    assert all(update.before < update.after for update in parts)
    told = [row for update in parts for row in update.pledges]
    assert told == [state.campaigns[CAMPAIGN].pledge(row.pledge_id) for row in told]
    assert len(told) == 600
    assert [row.share_token for update in parts for row in update.shares] == ["t"]


def test_a_link_tells_nothing_of_pledges_that_stay_what_they_are() -> None:
    """They named a link below one that is not known, and still do."""
    state = PartitionState()
    fold(state, launch(), share("below", parent="t"), capture("p", 5, share_token="below"))
    (update,) = updates_of(fold(state, share("t", parent="never posted")))
    assert (update.pledges, [entry.pledge_id for entry in update.entries]) == ([], [None])
