"""docs/ledger.md, A campaign's life: launch, amendments, close."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from schemas.events import CampaignLaunchedData
from schemas.updates import Terms
from tests.ledger.comparison import views
from tests.ledger.events import (
    CLOSES,
    DAY,
    NOON,
    OPENS,
    SETTLED,
    SOURCE,
    amend,
    authorize,
    cancel,
    capture,
    close,
    launch,
    refund,
    renamed,
    stretch_goal,
)
from tests.ledger.log import Log

TICK = timedelta(microseconds=1)
LATER = CLOSES + 7 * DAY


def test_a_launch_sets_the_terms() -> None:
    """As launched, open, at revision 0."""
    assert Log(launch(stretch_goals=[stretch_goal("music", 1_700_000)])).terms == Terms(
        title="Les Anges Anonymes",
        owner_id="owner",
        goal_minor=1_500_000,
        goal_basis="pledged",
        funding_model="all_or_nothing",
        stretch_goals=[stretch_goal("music", 1_700_000)],
        opens_at=OPENS,
        closes_at=CLOSES,
        settle_hours=1,
        timezone="Europe/Paris",
        sources=[SOURCE],
        revision=0,
        status="open",
    )


def test_a_launch_seen_again_changes_nothing() -> None:
    """Also once terms were amended, and where its moments are told with another offset."""
    log = Log(launch(), amend(1, goal_minor=5), authorize("p", 3))
    before = views(log.state)
    again = launch(closes_at=CLOSES.astimezone(), opens_at=OPENS.astimezone())
    for event in (launch(), renamed(launch(), "again"), again):
        outcome = log.append(event)
        assert (outcome.entries, outcome.milestones, outcome.refusal) == ([], [], None)
    assert views(log.state) == before


def test_a_launch_at_the_beginning_of_the_log_seen_again_at_once_changes_nothing() -> None:
    """It was heard: a campaign's position is known from its first entry on, also where that stands at offset 0."""
    log = Log(launch())
    before = views(log.state)
    outcome = log.append(launch())
    assert (outcome.entries, outcome.milestones, outcome.refusal) == ([], [], None)
    assert views(log.state) == before


@pytest.mark.parametrize(
    "terms",
    [
        {"title": "Another film"},
        {"goal_minor": 1},
        {"currency": "USD"},
        {"closes_at": LATER},
        {"timezone": "Asia/Tokyo"},
        {"sources": [SOURCE, "sources/second"]},
        {"settle_hours": 2},
        {"funding_model": "keep_it_all"},
        {"milestone_steps": [50]},
        {"overfunding_step": 10},
        {"stretch_goals": [stretch_goal("music", 5)]},
        {"owner_id": "someone-else"},
        {"opens_at": OPENS + DAY},
    ],
)
def test_another_launch_under_the_same_id_is_a_conflicting_duplicate(terms: dict[str, Any]) -> None:
    """The first in the log stands."""
    log = Log(launch())
    before = views(log.state)
    assert log.refusal(launch(**terms)) == "conflicting_duplicate"
    assert views(log.state) == before


def test_a_launch_equal_to_the_amended_terms_is_a_conflict_all_the_same() -> None:
    """A launch is held against the launch."""
    assert Log(launch(), amend(1, goal_minor=5)).refusal(launch(goal_minor=5)) == "conflicting_duplicate"


@pytest.mark.parametrize("swap", [True, False])
def test_each_term_counts_by_its_own_highest_revision(swap: bool) -> None:  # noqa: FBT001 (a parameter of a test)
    """What a higher revision does not name it leaves to the lower ones, in whatever order they are heard."""
    amendments = [
        amend(1, title="First", goal_minor=100, closes_at=LATER),
        amend(2, goal_minor=200, stretch_goals=[stretch_goal("music", 5)]),
        amend(3, title="Third"),
    ]
    log = Log(launch(), *(reversed(amendments) if swap else amendments))
    terms = log.terms
    assert (terms.title, terms.goal_minor, terms.closes_at) == ("Third", 200, LATER)
    assert (terms.stretch_goals, terms.revision) == ([stretch_goal("music", 5)], 3)
    assert log.totals.goal_minor == 200


def test_an_amendment_can_take_all_stretch_goals_away() -> None:
    """An empty list is a term, unlike an absent one."""
    log = Log(launch(stretch_goals=[stretch_goal("music", 5)]), amend(1, stretch_goals=[]))
    assert log.terms.stretch_goals == []


def test_a_revision_seen_again_changes_nothing() -> None:
    """Also one that is no longer the highest, and after the outcome."""
    log = Log(launch(), amend(1, goal_minor=100), amend(2, goal_minor=200), close())
    before = views(log.state)
    outcome = log.append(amend(1, goal_minor=100, at=LATER))
    assert (outcome.entries, outcome.milestones, outcome.refusal) == ([], [], None)
    assert views(log.state) == before


@pytest.mark.parametrize("terms", [{"goal_minor": 101}, {"title": "A title"}, {"goal_minor": 100, "title": "A title"}])
def test_a_revision_seen_again_with_other_terms_is_a_conflicting_duplicate(terms: dict[str, Any]) -> None:
    """Fewer, more or different ones."""
    log = Log(launch(), amend(1, goal_minor=100))
    assert log.refusal(amend(1, **terms)) == "conflicting_duplicate"
    assert (log.terms.goal_minor, log.terms.title) == (100, "Les Anges Anonymes")


@pytest.mark.parametrize("at", [CLOSES, CLOSES + TICK, CLOSES + DAY])
def test_a_new_deadline_that_comes_at_or_after_the_one_that_stands_is_refused(at: datetime) -> None:
    """`campaign_closed`, by the amendment's own time: a deadline that has passed stays."""
    log = Log(launch())
    assert log.refusal(amend(1, at=at, closes_at=LATER)) == "campaign_closed"
    assert log.terms.closes_at == CLOSES


def test_a_new_deadline_may_come_until_the_one_that_stands() -> None:
    """To the microsecond, and the deadline that stands is the amended one."""
    log = Log(launch())
    assert log.refusal(amend(1, at=CLOSES - TICK, closes_at=LATER)) is None
    assert log.refusal(amend(2, at=LATER - TICK, closes_at=LATER + DAY)) is None
    assert log.refusal(amend(3, at=LATER + DAY, closes_at=LATER + 2 * DAY)) == "campaign_closed"


@pytest.mark.parametrize("new", [NOON, NOON - TICK])
def test_a_new_deadline_that_is_not_after_the_amendment_is_refused(new: datetime) -> None:
    """`campaign_closed`: nobody can be late for what had passed when it was announced."""
    log = Log(launch())
    assert log.refusal(amend(1, at=NOON, closes_at=new)) == "campaign_closed"
    assert log.refusal(amend(1, at=NOON, closes_at=NOON + TICK)) is None


@pytest.mark.parametrize("new", [OPENS, OPENS - TICK])
def test_a_new_deadline_that_is_not_after_the_opening_is_invalid(new: datetime) -> None:
    """`invalid_event`."""
    log = Log(launch())
    assert log.refusal(amend(1, at=OPENS - DAY, closes_at=new)) == "invalid_event"
    assert log.refusal(amend(1, at=OPENS - DAY, closes_at=OPENS + TICK)) is None


def test_a_refused_amendment_is_refused_whole() -> None:
    """None of its terms counts, and its revision stays free."""
    log = Log(launch())
    assert log.refusal(amend(1, at=CLOSES, closes_at=LATER, goal_minor=5, title="Late")) == "campaign_closed"
    assert (log.terms.goal_minor, log.terms.title, log.terms.revision) == (1_500_000, "Les Anges Anonymes", 0)
    assert log.refusal(amend(1, at=CLOSES, title="In time")) is None
    assert (log.terms.title, log.terms.revision) == ("In time", 1)


def test_other_terms_may_change_until_the_outcome_is_said() -> None:
    """Also after the deadline, in the settling time."""
    log = Log(launch(), authorize("p", 5))
    assert log.refusal(amend(1, at=CLOSES + TICK, goal_minor=5)) is None
    assert log.says(close()) == [("campaign.succeeded", None)]


@pytest.mark.parametrize("terms", [{"goal_minor": 5}, {"stretch_goals": []}, {"title": "A title", "goal_minor": 5}])
def test_once_the_outcome_is_said_amendments_are_refused(terms: dict[str, Any]) -> None:
    """`campaign_closed`, but one of the title alone."""
    log = Log(launch(), close())
    assert log.refusal(amend(1, at=LATER, **terms)) == "campaign_closed"
    assert log.refusal(amend(1, at=LATER, title="A title")) is None
    assert log.terms.title == "A title"


def test_a_close_says_that_the_campaign_succeeded() -> None:
    """Where the total has reached the goal."""
    log = Log(launch(goal_minor=1000), authorize("p", 1000))
    (said,) = log.append(close()).milestones
    assert (said.type, said.threshold_minor, said.total_minor) == ("cercles.campaign.succeeded", 1000, 1000)
    assert (said.occurred_at, said.step, said.occurrence) == (SETTLED, None, None)
    assert log.terms.status == "succeeded"


def test_a_close_says_that_the_campaign_failed() -> None:
    """Where the total is below the goal, by one minor unit or by all."""
    log = Log(launch(goal_minor=1000), authorize("p", 999))
    assert log.says(close()) == [("campaign.failed", None)]
    assert log.terms.status == "failed"
    assert Log(launch()).says(close()) == [("campaign.failed", None)]


def test_the_outcome_looks_at_the_total_that_goal_basis_names() -> None:
    """A campaign by what it collected fails on promises alone."""
    log = Log(launch(goal_minor=1000, goal_basis="collected", funding_model="keep_it_all"), authorize("p", 5000))
    assert log.says(close()) == [("campaign.failed", None)]


def test_the_outcome_is_said_once() -> None:
    """A second clock, or the same one again, changes nothing."""
    log = Log(launch(), close())
    for event in (close(), close(at=SETTLED + DAY)):
        outcome = log.append(event)
        assert (outcome.entries, outcome.milestones, outcome.refusal) == ([], [], None)


def test_a_close_of_a_deadline_that_is_not_current_has_no_effect() -> None:
    """The deadline was moved while the clock's event was on its way; or it was never this campaign's."""
    log = Log(launch(), amend(1, closes_at=LATER))
    for event in (close(CLOSES), close(CLOSES + DAY, at=LATER + DAY)):
        outcome = log.append(event)
        assert (outcome.entries, outcome.milestones, outcome.refusal) == ([], [], None)
    assert log.terms.status == "open"
    assert log.says(close(LATER, at=LATER + timedelta(hours=1))) == [("campaign.failed", None)]


@pytest.mark.parametrize("extended_first", [True, False])
def test_an_extension_that_races_with_the_close_is_decided_by_the_log(extended_first: bool) -> None:  # noqa: FBT001 (a parameter of a test)
    """Whichever stands first: the other has no effect or is refused, and the outcome is said once, for one deadline."""
    extension = amend(1, at=CLOSES - TICK, closes_at=LATER)
    closes = [close(CLOSES, at=CLOSES), close(LATER, at=LATER)]
    log = Log(launch(settle_hours=0), authorize("p", 5, made_at=CLOSES))
    if extended_first:
        assert log.refusal(extension) is None
        assert [log.says(one) for one in closes] == [[], [("campaign.failed", None)]]
        assert (log.terms.closes_at, log.both[0], log.totals.late_minor) == (LATER, 5, 0)
    else:
        assert log.says(closes[0]) == [("campaign.failed", None)]
        assert log.refusal(extension) == "campaign_closed"
        assert log.says(closes[1]) == []
        assert (log.terms.closes_at, log.both[0], log.totals.late_minor) == (CLOSES, 0, 5)


def test_a_close_that_tells_the_deadline_with_another_offset_counts() -> None:
    """It is the same moment."""
    assert Log(launch()).says(close(CLOSES.astimezone())) == [("campaign.failed", None)]


@pytest.mark.parametrize("settle_hours", [0, 1, 24 * 90])
def test_a_close_before_the_settling_time_has_passed_is_refused(settle_hours: int) -> None:
    """`closed_too_early`, by the event's own time; from then on it counts."""
    log = Log(launch(settle_hours=settle_hours))
    settled_at = CLOSES + timedelta(hours=settle_hours)
    assert log.refusal(close(at=settled_at - TICK)) == "closed_too_early"
    assert log.terms.status == "open"
    assert log.says(close(at=settled_at)) == [("campaign.failed", None)]


def test_what_arrives_while_settling_counts_for_the_outcome() -> None:
    """A payment made in time and heard of late."""
    log = Log(launch(goal_minor=1000), authorize("p", 1000, at=CLOSES + TICK, made_at=CLOSES - TICK))
    assert log.says(close()) == [("campaign.succeeded", None)]


def test_later_facts_change_totals_but_never_the_outcome() -> None:
    """The goal can still be lost or reached; what was said of the campaign stands."""
    log = Log(launch(goal_minor=1000, milestone_steps=[]), capture("p", 1000), close())
    assert log.says(refund("p", 1000)) == [("goal.lost", 1)]
    assert (log.both, log.terms.status) == ((0, 0), "succeeded")
    log = Log(launch(goal_minor=1000, milestone_steps=[]), close())
    assert log.says(authorize("p", 1000, at=LATER, made_at=NOON)) == [("goal.reached", 1)]
    assert (log.both, log.terms.status) == ((1000, 0), "failed")


@pytest.mark.parametrize("funding_model", ["all_or_nothing", "keep_it_all"])
def test_the_funding_model_changes_no_total(funding_model: str) -> None:
    """What it does with the money of a campaign that missed its goal is not the ledger's business."""
    log = Log(launch(funding_model=funding_model), capture("p", 1000), close())
    assert log.both == (1000, 1000)


def test_all_or_nothing_with_collected_is_refused_at_launch() -> None:
    """It collects only after success: its goal could never be reached. The launch does not decode."""
    data = msgspec.to_builtins(launch().data) | {"goal_basis": "collected"}
    with pytest.raises(msgspec.ValidationError, match="goal_basis"):
        msgspec.convert(data, CampaignLaunchedData)


def test_a_pledge_before_the_opening_counts() -> None:
    """`opens_at` is for people; money that was made earlier is not refused."""
    log = Log(launch(), authorize("p", 5, at=OPENS - DAY), cancel("q"))
    assert log.both == (5, 0)
