"""What is true of every story."""

import copy
from unittest import mock

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import LogEvent
from stream_processors.ledger import batch, fold
from stream_processors.ledger.days import local_days
from stream_processors.ledger.snapshot import restore, save
from stream_processors.ledger.state import Campaign, PartitionState
from tests.ledger import batches
from tests.ledger.comparison import (
    check_entries,
    check_numbers,
    check_said_once,
    check_sums,
    naive_view,
    numbered_alone,
    view,
    views,
)
from tests.ledger.events import launch, moved
from tests.ledger.log import Log
from tests.ledger.naive import NaiveLedger
from tests.ledger.naive_milestones import milestones
from tests.ledger.strategies import Story, retellings, stories


@given(st.data(), stories())
def test_any_order_and_any_repetition_gives_the_same_totals(data: st.DataObject, story: Story) -> None:
    """After the launch any order and any repetition of conflict-free facts gives the same totals, days and pledges."""
    told = Log(story.launch, *story.events)
    retold = Log(story.launch, *data.draw(retellings(story)))
    assert view(retold.state.campaigns["c0"]) == view(told.state.campaigns["c0"])
    assert all(outcome.refusal is None for outcome in told.outcomes + retold.outcomes)


@given(st.data(), stories())
def test_a_story_told_twice_changes_nothing_the_second_time(data: st.DataObject, story: Story) -> None:
    """A fact seen again changes nothing, and leaves no entry."""
    log = Log(story.launch, *story.events)
    before = copy.deepcopy(views(log.state))
    for event in data.draw(st.permutations([story.launch, *story.events])):
        outcome = log.append(event)
        assert (outcome.entries, outcome.milestones, outcome.refusal) == ([], [], None)
    assert views(log.state) == before


@given(st.data(), stories())
def test_the_sums_agree_after_every_event(data: st.DataObject, story: Story) -> None:
    """Campaign = sum of circles = sum of days = sum of entries, and 0 ≤ collected ≤ pledged, after every event."""
    log = Log(story.launch)
    for event in data.draw(retellings(story)):
        check_numbers(log.append(event), len(log.events) - 1)
        check_sums(log.state.campaigns["c0"], log.entries)
    check_said_once(log.milestones)


@given(st.data(), stories())
def test_the_naive_ledger_agrees_after_every_event(data: st.DataObject, story: Story) -> None:
    """Totals, days, pledges, terms, entries and milestones are those that the naive ledger recomputes."""
    log, naive = Log(story.launch), NaiveLedger()
    naive.hear(story.launch, 0)
    for event in data.draw(retellings(story)):
        before = naive.campaigns["c0"]
        outcome = log.append(event)
        assert naive.hear(event, len(log.events) - 1) is None
        check_entries(before, naive.campaigns["c0"], outcome.entries)
        assert view(log.state.campaigns["c0"]) == naive_view(naive.campaigns["c0"])
    entries_of = {offset: len(outcome.entries) for offset, outcome in enumerate(log.outcomes)}
    assert numbered_alone(log.milestones, entries_of) == milestones(naive.campaigns["c0"])


@given(st.data(), stories())
def test_a_prefix_and_then_the_rest_is_the_whole(data: st.DataObject, story: Story) -> None:
    """State is a function of a prefix: going on from a copy of it says what going on from it says."""
    events = data.draw(retellings(story))
    cut = data.draw(st.integers(0, len(events)))
    whole = Log(story.launch, *events)
    first = Log(story.launch, *events[:cut])
    days = local_days(story.launch.data.timezone)
    second = copy.deepcopy(first, {id(days): days})  # their zone, read from a file, can be shared, not copied
    for event in events[cut:]:
        second.append(event)
    assert second.outcomes == whole.outcomes
    assert views(second.state) == views(whole.state)
    # The first has not been touched by what the second went on to hear.
    assert views(first.state) == views(Log(story.launch, *events[:cut]).state)


@given(st.data(), stories(), stories())
def test_campaigns_do_not_touch_each_other(data: st.DataObject, story: Story, other: Story) -> None:
    """A fact is known by campaign, kind and id: the same ids in another campaign are other facts."""
    alone = Log(story.launch, *story.events)
    foreign = [launch(campaign="c1"), *(moved(event, "c1") for event in other.events)]
    mixed = Log(*_mixed(data, [story.launch, *story.events], foreign))
    assert view(mixed.state.campaigns["c0"]) == view(alone.state.campaigns["c0"])
    assert view(mixed.state.campaigns["c1"]) == view(Log(*foreign).state.campaigns["c1"])


@given(st.data(), stories())
def test_a_snapshot_goes_on_as_the_campaign_would_have(data: st.DataObject, story: Story) -> None:
    """A checkpoint only saves time: what is restored says, to the byte, what the campaign would have said."""
    events = data.draw(retellings(story))
    cut = data.draw(st.integers(0, len(events)))
    whole = Log(story.launch, *events)
    resumed = Log(story.launch, *events[:cut])
    resumed.state.campaigns["c0"] = restore(save(resumed.state.campaigns["c0"]))
    for event in events[cut:]:
        resumed.append(event)
    assert resumed.outcomes == whole.outcomes
    assert views(resumed.state) == views(whole.state)
    assert msgspec.json.encode(views(resumed.state)) == msgspec.json.encode(views(whole.state))


def _mixed(data: st.DataObject, first: list[LogEvent], second: list[LogEvent]) -> list[LogEvent]:
    """Return both stories, each in its order."""
    from_first = data.draw(st.permutations([True] * len(first) + [False] * len(second)))
    firsts, seconds = iter(first), iter(second)
    return [next(firsts if is_first else seconds) for is_first in from_first]


@given(st.data(), stories(), stories())
def test_first_captures_come_to_the_same_by_their_shorter_way(data: st.DataObject, story: Story, other: Story) -> None:
    """To the byte to the same updates, and to the same state once every pledge is looked for, however it was kept.

    Also with another campaign's between them, and when the state went through a checkpoint. Nothing is cut here: what
    a run takes is reckoned otherwise, and a story may have hundreds of milestones.
    """
    foreign = [launch(campaign="c1"), *(moved(event, "c1") for event in other.events)]
    events = _mixed(data, [story.launch, *data.draw(retellings(story))], foreign)
    cut = data.draw(st.integers(0, len(events)))
    short, long = PartitionState(), PartitionState()
    decoded_max = data.draw(st.sampled_from([1, 2, 3, 64]))
    with mock.patch.multiple(batch, PART_BYTES=1 << 40, RECORD_BYTES_MAX=1 << 40, _DECODED_MAX=decoded_max):
        said = [batches.fold(short, *events[:cut])]
        short.campaigns = {campaign_id: restore(save(campaign)) for campaign_id, campaign in short.campaigns.items()}
        said.append(batches.fold(short, *events[cut:]))
        with mock.patch.object(fold, "fold_first_captures", lambda _campaign, _told, first, _end, _changes: first):
            wanted = [batches.fold(long, *events[:cut]), batches.fold(long, *events[cut:])]
    assert said == wanted
    for campaign_id in ("c0", "c1"):
        assert _whole(short.campaigns[campaign_id]) == _whole(long.campaigns[campaign_id])


def _whole(campaign: Campaign) -> bytes:
    """Return the campaign's state with whole pledges only."""
    for pledge_id in campaign.pledges:
        campaign.find_pledge(pledge_id)
    for capture_id in campaign.captures:
        campaign.find_capture(capture_id)
    return save(campaign)
