"""What a batch says of a campaign: everything that changed in it, and nothing else."""

import gc
from datetime import date, timedelta

import pytest

from schemas.events import LogEvent, encode, type_name
from schemas.updates import BEFORE_EVERYTHING, DayTotals, Position, Update
from stream_processors.ledger.batch import FOLD_VERSION
from stream_processors.ledger.snapshot import save
from stream_processors.ledger.state import PartitionState
from tests.ledger.batches import Record, batch_of, fold, updates_of
from tests.ledger.events import (
    CAMPAIGN,
    CLOSES,
    DAY,
    NOON,
    amend,
    authorize,
    capture,
    close,
    launch,
    refund,
    share,
    stretch_goal,
    visit,
)

TODAY = date(2026, 3, 10)


def update_of(state: PartitionState, *events: LogEvent) -> Update:
    """Fold one batch and return the one update that it leads to."""
    (update,) = updates_of(fold(state, *events))
    return update


def test_an_update_says_whose_it_is_and_where_it_stands() -> None:
    """Campaign, partition, rules, and the positions it leads from and to."""
    update = update_of(PartitionState(), launch(), capture("p", 5))
    assert (update.campaign_id, update.partition, update.fold_version) == (CAMPAIGN, 3, FOLD_VERSION)
    assert (update.before, update.after, update.complete) == (BEFORE_EVERYTHING, Position(1, 0), True)


def test_an_update_shows_the_days_that_changed() -> None:
    """As they now stand; the others are known from before."""
    state = PartitionState()
    fold(state, launch(), capture("p", 5), capture("q", 7, at=NOON - DAY))
    assert update_of(state, capture("r", 30)).days == [DayTotals(day=TODAY, pledged_minor=35, collected_minor=35)]


def test_a_day_that_everything_was_moved_away_from_is_shown_at_zero() -> None:
    """Whoever keeps it must hear that nothing is left."""
    state = PartitionState()
    fold(state, launch(), authorize("p", 5))
    assert update_of(state, authorize("p", 5, at=NOON - DAY)).days == [
        DayTotals(day=TODAY, pledged_minor=0, collected_minor=0),
        DayTotals(day=TODAY - DAY, pledged_minor=5, collected_minor=0),
    ]


@pytest.mark.parametrize("event", [amend(1, title="A title"), amend(1, goal_minor=7), close()], ids=type_name)
def test_an_event_that_changes_the_terms_shows_them(event: LogEvent) -> None:
    """An amendment of any of them, and the outcome."""
    state = PartitionState()
    fold(state, launch())
    assert update_of(state, event).terms == state.campaigns[CAMPAIGN].terms()


@pytest.mark.parametrize("event", [capture("p", 5), share("t"), visit("t", 1)], ids=type_name)
def test_any_other_event_leaves_them_out(event: LogEvent) -> None:
    """They are known from before."""
    state = PartitionState()
    fold(state, launch())
    assert update_of(state, event).terms is None


def test_a_new_deadline_shows_only_the_pledges_that_it_moves() -> None:
    """Neither the ones that are in time before and after, nor one that nothing is known of but a refund."""
    state = PartitionState()
    early, late = CLOSES - timedelta(days=20), CLOSES - timedelta(days=2)
    fold(state, launch(), capture("p", 5, at=early), capture("q", 5, at=late), refund("r", 5))
    update = update_of(state, amend(1, closes_at=CLOSES - timedelta(days=10)))
    assert [(pledge.pledge_id, pledge.late) for pledge in update.pledges] == [("q", True)]
    assert update.totals.late_minor == 5


def test_a_share_shows_only_the_pledges_that_follow_it() -> None:
    """Those of the link and of the links below it."""
    state = PartitionState()
    tokens = {"p": "root", "q": "child", "r": "another"}
    fold(state, launch(), share("child", parent="root"), *(capture(p, 5, share_token=t) for p, t in tokens.items()))
    pledges = update_of(state, share("root")).pledges
    assert [(pledge.pledge_id, pledge.circle) for pledge in pledges] == [
        ("p", "friends"),
        ("q", "friends_of_friends"),
    ]


def test_a_batch_counts_the_entries_of_all_campaigns() -> None:
    """And the events, and those among them that had no effect, or were refused."""
    outputs = fold(
        PartitionState(),
        launch(),
        launch(campaign="another"),
        capture("p", 5),
        capture("p", 5),
        capture("p", 5, campaign="another"),
        capture("p", 5, campaign="unknown"),
    )
    assert [update.campaign_id for update in updates_of(outputs)] == [CAMPAIGN, "another"]
    assert (outputs.events, outputs.entries, outputs.unchanged, len(outputs.dead_letters)) == (6, 4, 1, 1)


def test_what_a_batch_made_is_freed_at_once() -> None:
    """Nothing of it holds itself: its memory serves the next campaign, and no collection has to look for it."""
    state = PartitionState()
    fold(state, launch())
    gc.collect()
    gc.disable()
    try:
        fold(state, *(capture(f"p{number}", 5) for number in range(10)))
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_silent_batch_leads_to_the_same_state_and_says_nothing() -> None:
    """Reading again what the group has acknowledged: what is said next continues from there, wherever it was cut."""
    events = [
        launch(goal_minor=100),
        capture("p", 60, share_token="t", backer_id="b"),
        share("t"),
        refund("p", 10),
        amend(1, goal_minor=40),
        capture("p", 60),
        close(),
    ]
    said, unsaid = PartitionState(), PartitionState()
    records = [Record(number, encode(event)) for number, event in enumerate(events)]
    loud = batch_of(said).fold(records)
    silent = batch_of(unsaid)
    silent.silent = True
    outputs = silent.fold(records)
    assert (outputs.updates, outputs.entries) == ([], 0)
    assert (outputs.events, outputs.unchanged) == (loud.events, loud.unchanged)
    assert unsaid.next_offset == said.next_offset
    assert save(unsaid.campaigns[CAMPAIGN]) == save(said.campaigns[CAMPAIGN])
    assert update_of(unsaid, capture("q", 70)) == update_of(said, capture("q", 70))


def test_dead_letters_stand_in_the_order_of_the_log() -> None:
    """Whichever campaigns they are of."""
    events = [capture("p", 5, campaign=name) for name in ("one", "another", "one")]
    outputs = fold(PartitionState(), *events)
    assert [letter.origin and letter.origin.offset for letter in outputs.dead_letters] == [0, 1, 2]


def test_a_campaign_is_announced_before_it_changes_and_once() -> None:
    """A checkpoint that is being written saves it as it was; the id and the moment are what it needs."""
    state = PartitionState()
    fold(state, launch(), launch(campaign="another"))
    announced: list[tuple[str, int]] = []
    batch = batch_of(state, lambda name: announced.append((name, state.campaigns[name].pledged_minor)))
    events = [capture("p", 5), capture("q", 5), capture("p", 5, campaign="another"), capture("r", 5)]
    batch.fold(
        [Record(2 + number, encode(event), event.data.campaign_id.encode()) for number, event in enumerate(events)]
    )
    assert announced == [(CAMPAIGN, 0), ("another", 0)]


def test_a_dead_letter_is_the_record_whole_and_names_what_it_tells_of() -> None:
    """So that it can be sent again as it was, and found by campaign or event."""
    state = PartitionState()
    fold(state, launch())
    event = refund("p", 5, currency="USD")
    headers = [("content-type", b"application/cloudevents+json"), ("trace", b"\xff")]
    batch = batch_of(state)
    (letter,) = batch.fold([Record(41, encode(event), CAMPAIGN.encode(), iter(headers))]).dead_letters
    assert (letter.key, letter.value, letter.headers) == (CAMPAIGN.encode(), encode(event), tuple(headers))
    assert (letter.campaign_id, letter.event_id) == (CAMPAIGN, event.id)
    assert letter.origin is not None
    assert (letter.origin.topic, letter.origin.partition, letter.origin.offset) == ("cercles.log", 3, 41)


def test_a_dead_letter_of_what_is_no_event_names_none() -> None:
    """The record is all that is known; its key may be wrong."""
    batch = batch_of(PartitionState())
    (letter,) = batch.fold([Record(0, b"{")]).dead_letters
    assert (letter.key, letter.value) == (CAMPAIGN.encode(), b"{")
    assert (letter.campaign_id, letter.event_id) == (None, None)


def test_milestones_stand_in_the_update_of_their_event() -> None:
    """With the stretch goals' ids."""
    state = PartitionState()
    fold(state, launch(milestone_steps=[], goal_minor=1000, stretch_goals=[stretch_goal("music", 100)]))
    (said,) = update_of(state, authorize("p", 100)).milestones
    assert (said.type, said.stretch_goal_id, said.threshold_minor) == ("cercles.stretch_goal.reached", "music", 100)


def test_a_batch_that_folds_again_says_only_what_is_new() -> None:
    """What it said before is not said, or refused, twice."""
    batch = batch_of(PartitionState())
    first = batch.fold([Record(0, encode(launch())), Record(1, b"no event")])
    assert (len(first.updates), len(first.dead_letters), first.events) == (1, 1, 2)
    second = batch.fold([Record(2, b"no event either")])
    (letter,) = second.dead_letters
    assert (second.updates, letter.value, second.events) == ([], b"no event either", 1)
