"""docs/ledger.md, Entries: every event that changes state leaves at least one; one without effect leaves none."""

from datetime import date, timedelta

import pytest

from schemas.events import LogEvent, type_name
from tests.ledger.comparison import check_sums
from tests.ledger.events import (
    CLOSES,
    DAY,
    NOON,
    SETTLED,
    amend,
    authorize,
    cancel,
    capture,
    close,
    dispute,
    fail,
    launch,
    promise,
    refund,
    share,
    visit,
)
from tests.ledger.log import Log

HOUR = timedelta(hours=1)


def test_a_launch_leaves_one_entry() -> None:
    """Of 0, without a pledge or a place: the campaign's story begins with it."""
    assert Log().lines(launch()) == [(None, None, 0, 0)]


def test_an_entry_names_its_event_and_place() -> None:
    """Offset, number, the event's id, type and time, the pledge, its circle and day, and the differences."""
    log = Log(launch(), share("t"))
    event = capture("p", 5000, share_token="t", at=NOON, made_at=NOON - DAY)
    (entry,) = log.append(event).entries
    assert (entry.offset, entry.number, entry.event_id) == (2, 0, event.id)
    assert (entry.event_type, entry.occurred_at) == (type_name(event), NOON)
    assert (entry.pledge_id, entry.circle, entry.day) == ("p", "friends", date(2026, 3, 9))
    assert (entry.pledged_minor, entry.collected_minor) == (5000, 5000)


def test_an_entrys_amounts_are_differences() -> None:
    """So that the entries of a pledge, a circle or a day add up to its totals."""
    log = Log(launch(), authorize("p", 5000))
    assert log.lines(authorize("p", 8000)) == [("p", "unattributed", 3000, 0)]
    assert log.lines(capture("p", 6000)) == [("p", "unattributed", -2000, 6000)]
    assert log.lines(dispute("p", 1000, withdrawn=True)) == [("p", "unattributed", 0, -1000)]
    assert log.lines(refund("p", 500)) == [("p", "unattributed", -500, -500)]
    check_sums(log.campaign, log.entries)


def test_a_change_in_place_is_one_entry() -> None:
    """Whatever it changes of both totals."""
    log = Log(launch(), authorize("p", 5000))
    assert len(log.append(capture("p", 4000)).entries) == 1


def test_a_move_to_another_circle_is_two_opposite_entries() -> None:
    """Out of the old place, whole, then into the new."""
    log = Log(launch(), capture("p", 5000, share_token="t", final=False), authorize("p", 7000))
    assert log.lines(share("t")) == [("p", "unattributed", -7000, -5000), ("p", "friends", 7000, 5000)]


def test_a_move_to_another_day_is_two_opposite_entries() -> None:
    """The circle stays."""
    log = Log(launch(), authorize("p", 5000, at=NOON))
    out, into = log.append(authorize("p", 5000, at=NOON - DAY)).entries
    assert (out.day, out.pledged_minor) == (date(2026, 3, 10), -5000)
    assert (into.day, into.pledged_minor) == (date(2026, 3, 9), 5000)
    assert out.circle == into.circle == "unattributed"


def test_an_event_that_moves_a_pledge_and_its_money_moves_the_old_amount_out() -> None:
    """Whole, and puts the new amount in."""
    log = Log(launch(), authorize("p", 5000, at=NOON))
    lines = log.lines(capture("p", 3000, at=NOON - DAY))
    assert lines == [("p", "unattributed", -5000, 0), ("p", "unattributed", 3000, 3000)]


def test_entries_of_one_event_are_numbered_from_0() -> None:
    """With milestones after them in the same sequence, so that one position says how much has been told."""
    log = Log(launch(goal_minor=1000, milestone_steps=[50]))
    log.append(authorize("p", 999, share_token="t", at=CLOSES))
    log.append(authorize("q", 1, share_token="t"))
    outcome = log.append(capture("p", 999, share_token="t", made_at=NOON))
    assert [entry.number for entry in outcome.entries] == [0]
    assert [(said.offset, said.number) for said in outcome.milestones] == [(3, 1), (3, 2)]
    outcome = log.append(share("t"))
    assert [entry.number for entry in outcome.entries] == [0, 1, 2, 3]


def test_a_pledge_that_becomes_late_leaves_by_one_entry_and_comes_back_by_one() -> None:
    """Out of its place whole, and into it again."""
    log = Log(launch(), capture("p", 5000, at=NOON + HOUR))
    assert log.lines(amend(1, at=NOON, closes_at=NOON + HOUR)) == [("p", "unattributed", -5000, -5000)]
    assert log.lines(amend(2, at=NOON, closes_at=CLOSES)) == [("p", "unattributed", 5000, 5000)]


def test_a_pledge_that_was_never_in_time_leaves_no_money() -> None:
    """One entry of 0: the event changed state."""
    lines = Log(launch()).lines(capture("p", 5000, at=CLOSES))
    assert [(line[0], line[2], line[3]) for line in lines] == [("p", 0, 0)]


@pytest.mark.parametrize(
    "event",
    [
        fail("p"),
        refund("p", 1, "failed"),
        dispute("p", 1),
        promise("p", 1, 1000),
        cancel("p", "another"),
        authorize("p", 900, authorization="another", at=NOON + HOUR, backer_id="backer-01"),
    ],
    ids=type_name,
)
def test_an_event_that_moves_no_money_leaves_one_entry_with_the_pledges_place(event: LogEvent) -> None:
    """Of 0, with circle and day."""
    log = Log(launch(), capture("p", 1000, final=False), promise("p", 2, 1000))
    (entry,) = log.append(event).entries
    assert (entry.pledge_id, entry.circle, entry.day) == ("p", "unattributed", date(2026, 3, 10))
    assert (entry.pledged_minor, entry.collected_minor) == (0, 0)


@pytest.mark.parametrize("event", [fail("p"), refund("p", 1), dispute("p", 1), promise("p", 1, 5), cancel("p")])
def test_an_event_of_a_pledge_without_a_place_leaves_one_entry_without(event: LogEvent) -> None:
    """It names the pledge, and no circle and no day: none is known yet."""
    (entry,) = Log(launch()).append(event).entries
    assert (entry.pledge_id, entry.circle, entry.day) == ("p", None, None)
    assert (entry.pledged_minor, entry.collected_minor) == (0, 0)


@pytest.mark.parametrize(
    "event",
    [amend(1, title="Another title"), amend(1, goal_minor=5), share("t"), visit("t", 1), close(at=SETTLED)],
    ids=type_name,
)
def test_an_event_of_no_pledge_that_moves_none_leaves_one_entry(event: LogEvent) -> None:
    """Without pledge and place."""
    (entry,) = Log(launch()).append(event).entries
    assert (entry.pledge_id, entry.circle, entry.day) == (None, None, None)
    assert (entry.pledged_minor, entry.collected_minor) == (0, 0)


@pytest.mark.parametrize(
    "event",
    [launch(), amend(1, title="A title"), share("t"), visit("t", 3), capture("p", 1000), refund("p", 10, "pending")],
    ids=type_name,
)
def test_an_event_without_effect_leaves_no_entry(event: LogEvent) -> None:
    """It is a known duplicate: neither an entry, nor a milestone, nor a refusal."""
    log = Log(launch(), amend(1, title="A title"), share("t"), visit("t", 3), capture("p", 1000), refund("p", 10))
    outcome = log.append(event)
    assert (outcome.entries, outcome.milestones, outcome.refusal) == ([], [], None)


def test_a_lower_revision_heard_later_leaves_one_entry() -> None:
    """It changes what is known, not what counts."""
    log = Log(launch(), authorize("p", 1), promise("p", 2, 500))
    assert log.lines(promise("p", 1, 900)) == [("p", "unattributed", 0, 0)]
    assert log.lines(promise("p", 1, 900)) == []
