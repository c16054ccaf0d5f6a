"""docs/ledger.md, Order signals: a wider circle that opens before the narrower one has carried its part."""

from typing import Any

import pytest

from schemas.events import CampaignLaunched, CircleThresholds
from schemas.updates import Milestone
from stream_processors.ledger import batch
from stream_processors.ledger.state import PartitionState
from tests.ledger.batches import fold, updates_of
from tests.ledger.events import CLOSES, DAY, amend, authorize, cancel, capture, launch, refund, share
from tests.ledger.log import Log, Said

EARLY = "circle.opened_early"
LINKS = (share("t1"), share("t2", parent="t1"), share("t3", parent="t2"))
"""One of each circle, from the narrowest to the widest."""


def ordered(friends: int = 30, friends_of_friends: int = 30, **terms: Any) -> CampaignLaunched:
    """Return a launch with a goal of 1,000 that asks the circles for their parts."""
    thresholds = CircleThresholds(friends=friends, friends_of_friends=friends_of_friends)
    given: dict[str, Any] = {"goal_minor": 1000, "milestone_steps": [], "circle_thresholds": thresholds}
    return launch(**given | terms)


def opened_early(log: Log) -> list[Milestone]:
    return [one for one in log.milestones if one.type == "cercles.circle.opened_early"]


def test_a_circle_that_opens_early_is_told_with_what_the_narrower_one_has() -> None:
    """Both circles, the percent that was asked for, that in money, and the narrower one's total."""
    log = Log(ordered(), *LINKS, capture("p", 299, share_token="t1"))
    event = capture("q", 5, share_token="t2")
    (said,) = log.append(event).milestones
    assert said == Milestone(
        type="cercles.circle.opened_early",
        offset=5,
        number=1,
        event_id=event.id,
        occurred_at=event.time,
        threshold_minor=300,
        total_minor=299,
        step=30,
        circle="friends_of_friends",
        narrower_circle="friends",
    )


def test_a_circle_opens_in_time_when_the_narrower_one_has_just_its_part() -> None:
    """Total × 100 ≥ goal × threshold, also by the same event."""
    log = Log(ordered(), *LINKS, capture("p", 300, share_token="t1"))
    assert log.says(capture("q", 300, share_token="t2")) == []
    assert log.says(capture("r", 1, share_token="t3")) == []


@pytest.mark.parametrize(("goal", "percent", "enough"), [(1000, 1, 10), (7, 33, 3), (3, 100, 3), (1, 1, 1)])
def test_the_part_is_compared_in_integers(goal: int, percent: int, enough: int) -> None:
    """Not one minor unit less is enough."""
    for amount in filter(None, (enough - 1, enough)):
        log = Log(ordered(percent, goal_minor=goal), *LINKS, capture("p", amount, share_token="t1"))
        log.append(capture("q", 10**6, share_token="t2"))
        assert [(one.threshold_minor, one.total_minor) for one in opened_early(log)] == (
            [] if amount == enough else [(enough, amount)]
        )


def test_every_circle_carries_its_own_part() -> None:
    """What friends have beyond theirs does not stand for the friends of friends."""
    log = Log(ordered(), *LINKS, capture("p", 900, share_token="t1"))
    assert log.says(capture("q", 299, share_token="t2")) == [("goal.reached", 1), *_overfunded(100, 105, 110, 115)]
    assert log.says(capture("r", 1, share_token="t3")) == [("goal.overfunded", 120), (EARLY, 30)]


def _overfunded(*steps: int) -> list[Said]:
    return [("goal.overfunded", step) for step in steps]


def test_a_circle_that_was_jumped_over_is_short_too() -> None:
    """The public is held against the friends of friends, who have nothing yet; the friends do not matter."""
    log = Log(ordered(friends=0), *LINKS, capture("p", 1, share_token="t3"))
    assert [(one.circle, one.narrower_circle, one.total_minor) for one in opened_early(log)] == [
        ("public", "friends_of_friends", 0)
    ]


def test_it_is_said_once_in_the_campaigns_life() -> None:
    """Not again when the circle has lost all its money and opens anew."""
    log = Log(ordered(), *LINKS)
    assert log.says(authorize("p", 5, share_token="t2")) == [(EARLY, 30)]
    log.append(cancel("p"))
    assert log.circle("friends_of_friends").pledged_minor == 0
    assert log.says(authorize("q", 5, share_token="t2")) == []


def test_a_circle_that_opened_in_time_is_never_said_to_be_early() -> None:
    """Neither when the narrower one falls back, nor when it then opens anew."""
    log = Log(ordered(), *LINKS, capture("p", 300, share_token="t1"), capture("q", 5, share_token="t2"))
    assert log.says(refund("p", 300)) == []
    log.append(refund("q", 5))
    assert log.says(capture("r", 5, share_token="t2")) == []


@pytest.mark.parametrize("thresholds", [None, CircleThresholds()])
def test_nothing_is_said_where_nothing_is_asked_for(thresholds: CircleThresholds | None) -> None:
    """Without thresholds, or with those of 0."""
    log = Log(ordered(circle_thresholds=thresholds), *LINKS)
    assert log.says(capture("p", 5, share_token="t2")) == []
    assert log.says(capture("q", 5, share_token="t3")) == []


def test_each_threshold_stands_by_itself() -> None:
    """One circle may be asked, and the other not."""
    log = Log(ordered(30, 0), *LINKS, capture("p", 5, share_token="t3"))
    assert opened_early(log) == []
    assert log.says(capture("q", 5, share_token="t2")) == [(EARLY, 30)]


def test_friends_and_what_has_no_circle_open_nothing() -> None:
    """There is nothing narrower."""
    log = Log(ordered(), *LINKS)
    assert log.says(capture("p", 5, share_token="t1")) == []
    assert log.says(capture("q", 5)) == []


@pytest.mark.parametrize("basis", ["pledged", "collected"])
def test_the_total_that_goal_basis_names_opens_a_circle(basis: str) -> None:
    """Where the collected one counts, a promise opens nothing, and carries nothing."""
    log = Log(ordered(goal_basis=basis, funding_model="keep_it_all"), *LINKS)
    log.append(authorize("p", 300, share_token="t1"))
    held = log.says(authorize("q", 5, share_token="t2"))
    taken = log.says(capture("q", 5, share_token="t2"))
    assert (held, taken) == (([], []) if basis == "pledged" else ([], [(EARLY, 30)]))


def test_the_goal_is_the_one_that_stands() -> None:
    """An amended goal asks for other parts, and says nothing by itself."""
    log = Log(ordered(), *LINKS, capture("p", 150, share_token="t1"))
    assert log.says(amend(1, goal_minor=500)) == []
    assert log.says(capture("q", 5, share_token="t2")) == []
    assert log.says(amend(2, goal_minor=2000)) == []
    assert log.says(capture("r", 5, share_token="t3")) == [(EARLY, 30)]
    assert log.milestones[-1].threshold_minor == 600


def test_a_late_pledge_opens_nothing_until_it_is_in_time() -> None:
    """The new deadline is the event then."""
    log = Log(ordered(), *LINKS)
    assert log.says(capture("p", 5, share_token="t2", made_at=CLOSES)) == []
    assert log.says(amend(1, closes_at=CLOSES + DAY)) == [(EARLY, 30)]


def test_a_share_heard_of_later_opens_circles_too() -> None:
    """After the whole event: the narrower circle's part that came with it counts. The narrower circle is told first."""
    pledges = [capture(f"p{number}", 10, share_token=f"t{number}") for number in (1, 2, 3)]
    assert Log(ordered(1, 1), *LINKS[1:], *pledges).says(LINKS[0]) == []
    early = Log(ordered(), *LINKS[1:], *pledges)
    outcome = early.append(LINKS[0])
    assert [(one.circle, one.total_minor) for one in outcome.milestones] == [("friends_of_friends", 10), ("public", 10)]
    assert [one.number for one in outcome.milestones] == [len(outcome.entries), len(outcome.entries) + 1]


def test_order_signals_come_after_the_other_milestones() -> None:
    """Whatever their thresholds are."""
    log = Log(ordered(milestone_steps=[50]), *LINKS)
    assert log.says(capture("p", 1000, share_token="t2")) == [
        ("milestone.passed", 50),
        ("goal.reached", 1),
        (EARLY, 30),
    ]


def test_a_cut_update_tells_each_signal_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the part of its position, whose totals are those after the event."""
    monkeypatch.setattr(batch, "PART_BYTES", 0)
    state = PartitionState()
    parts = updates_of(fold(state, ordered(), *LINKS[1:], capture("p", 5, share_token="t3"), LINKS[0]))
    said = [(one.circle, one.total_minor, update.after.number) for update in parts for one in update.milestones]
    assert said == [("public", 0, 2)]
    assert [update.before for update in parts[1:]] == [update.after for update in parts[:-1]]
    assert parts[-1].complete
