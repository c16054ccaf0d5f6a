"""docs/ledger.md, Milestones: integers compared at the event that crosses, each said once."""

import pytest

from schemas.events import LogEvent
from tests.ledger.events import (
    CLOSES,
    DAY,
    NOON,
    amend,
    authorize,
    cancel,
    capture,
    dispute,
    launch,
    refund,
    share,
    stretch_goal,
)
from tests.ledger.log import Log, Said

OVERFUNDING_PERCENT_MAX = 5000
ANGELS_MINOR = 1_723_000
"""17 230 € of 15 000 €."""


def overfunded(*steps: int) -> list[Said]:
    return [("goal.overfunded", step) for step in steps]


def passed(*steps: int) -> list[Said]:
    return [("milestone.passed", step) for step in steps]


def test_17_230_of_15_000() -> None:
    """115 percent for people; overfunding steps 100, 105 and 110 have been passed, and not 115."""
    log = Log(launch(), authorize("p", ANGELS_MINOR))
    assert log.totals.percent == 115
    assert log.said == [*passed(25, 50, 75), ("goal.reached", 1), *overfunded(100, 105, 110)]
    assert ANGELS_MINOR * 100 < 1_500_000 * 115


def test_a_milestone_tells_what_crossed_what() -> None:
    """Its event, the threshold in minor units, and the total that crossed it."""
    log = Log(launch())
    event = authorize("p", ANGELS_MINOR)
    first, *_, last = log.append(event).milestones
    assert (first.type, first.step, first.threshold_minor) == ("cercles.milestone.passed", 25, 375_000)
    assert (last.type, last.step, last.threshold_minor) == ("cercles.goal.overfunded", 110, 1_650_000)
    for milestone in (first, last):
        assert (milestone.event_id, milestone.occurred_at, milestone.total_minor) == (event.id, NOON, ANGELS_MINOR)


@pytest.mark.parametrize(
    ("goal", "step", "threshold"), [(1_500_000, 25, 375_000), (3, 25, 1), (3, 50, 2), (3, 75, 3), (7, 33, 3)]
)
def test_a_step_is_passed_when_a_hundred_times_the_total_reaches_that_many_goals(
    goal: int, step: int, threshold: int
) -> None:
    """Total × 100 ≥ goal × step, exactly: not one minor unit before."""
    log = Log(launch(goal_minor=goal, milestone_steps=[step]))
    if threshold > 1:
        assert log.says(authorize("p", threshold - 1)) == []
    assert passed(step)[0] in log.says(authorize("p", threshold))
    assert log.milestones[0].threshold_minor == threshold


def test_steps_are_those_of_the_campaign() -> None:
    """In order of their thresholds, however they were listed; a campaign may have none."""
    log = Log(launch(goal_minor=1000, milestone_steps=[90, 10, 50]))
    assert log.says(authorize("p", 950)) == passed(10, 50, 90)
    assert Log(launch(milestone_steps=[])).says(authorize("p", 1_499_999)) == []


def test_a_step_is_said_once_in_the_campaigns_life() -> None:
    """Falling below and passing again says nothing."""
    log = Log(launch(goal_minor=1000), authorize("p", 300), authorize("q", 1))
    assert log.said == passed(25)
    log.append(cancel("p"))
    assert log.says(authorize("r", 400)) == []


def test_the_goal_is_reached_at_the_goal_and_not_below() -> None:
    """To the minor unit, whatever the percent for people says."""
    log = Log(launch(milestone_steps=[]))
    assert log.says(authorize("p", 1_499_999)) == []
    assert log.totals.percent == 99
    assert log.says(authorize("q", 1)) == [("goal.reached", 1)]


def test_the_goal_can_be_lost_and_reached_again() -> None:
    """Each time, with the occurrence: 1, 1, 2, 2, …"""
    log = Log(launch(goal_minor=1000, milestone_steps=[]), authorize("p", 1000), capture("q", 500))
    assert log.said == [("goal.reached", 1), *overfunded(100, *range(105, 151, 5))]
    assert log.says(refund("q", 500)) == []
    assert log.says(cancel("p")) == [("goal.lost", 1)]
    assert log.says(refund("q", 500, "failed")) == []
    assert log.says(authorize("r", 500)) == [("goal.reached", 2)]
    assert log.says(dispute("q", 1, "lost")) == [("goal.lost", 2)]
    assert log.says(dispute("q", 1, "won")) == [("goal.reached", 3)]


def test_a_goal_lost_tells_the_goal_it_is_below() -> None:
    """The threshold is the goal; the total is what is left."""
    log = Log(launch(goal_minor=1000, milestone_steps=[]), capture("p", 1000))
    (lost,) = log.append(refund("p", 1)).milestones
    assert (lost.type, lost.occurrence, lost.threshold_minor, lost.total_minor) == ("cercles.goal.lost", 1, 1000, 999)


def test_a_goal_is_not_overfunded_at_the_goal() -> None:
    """Step 100 is the first unit above it."""
    log = Log(launch(goal_minor=1000, milestone_steps=[]), authorize("p", 1000))
    assert log.said == [("goal.reached", 1)]
    assert log.says(authorize("q", 1)) == overfunded(100)
    assert log.milestones[-1].threshold_minor == 1001


def test_then_each_further_step_is_said_once() -> None:
    """Total × 100 ≥ goal × (100 + k · overfunding_step), in the campaign's own steps."""
    log = Log(launch(goal_minor=1000, milestone_steps=[], overfunding_step=20), authorize("p", 1000))
    assert log.says(authorize("q", 199)) == overfunded(100)
    assert log.says(authorize("r", 1)) == overfunded(120)
    assert log.says(authorize("s", 410)) == overfunded(140, 160)
    log.append(cancel("p"))
    assert log.says(authorize("p", 1000, authorization="again")) == []
    assert log.says(authorize("again", 1000)) == [("goal.reached", 2)]


def test_a_step_that_was_jumped_over_is_said_with_the_others() -> None:
    """One big pledge passes every step in between, in order."""
    log = Log(launch(goal_minor=1000, overfunding_step=50), authorize("p", 2000))
    assert log.said == [*passed(25, 50, 75), ("goal.reached", 1), *overfunded(100, 150, 200)]


def test_overfunding_is_said_up_to_its_maximum() -> None:
    """5,000 percent of the goal, so that one huge pledge on a tiny goal stays bounded."""
    log = Log(launch(goal_minor=1, milestone_steps=[]), authorize("p", 10**12))
    assert log.said == [("goal.reached", 1), *overfunded(*range(100, OVERFUNDING_PERCENT_MAX + 1, 5))]
    assert log.says(authorize("q", 10**12)) == []


def test_overfunding_steps_that_do_not_meet_the_maximum_stop_below_it() -> None:
    """With a step of 1000: 100, 1100, 2100, 3100, 4100, and no 5100."""
    log = Log(launch(goal_minor=1, milestone_steps=[], overfunding_step=1000), authorize("p", 10**12))
    assert log.said == [("goal.reached", 1), *overfunded(100, 1100, 2100, 3100, 4100)]


def test_a_stretch_goal_is_reached_at_its_amount_and_said_once() -> None:
    """Each by its id, below the goal as above it, and not again after the total fell below."""
    goals = [stretch_goal("poster", 500), stretch_goal("music", 2000)]
    log = Log(launch(goal_minor=1000, milestone_steps=[], overfunding_step=1000, stretch_goals=goals))
    assert log.says(authorize("p", 499)) == []
    assert log.says(authorize("q", 1)) == [("stretch_goal.reached", "poster")]
    log.append(cancel("q"))
    assert log.says(authorize("r", 1)) == []
    assert log.says(authorize("s", 1500)) == [
        ("goal.reached", 1),
        ("goal.overfunded", 100),
        ("stretch_goal.reached", "music"),
    ]


def test_one_event_says_milestones_in_order_of_their_thresholds() -> None:
    """Stretch goals stand between steps where their amounts do."""
    goals = [stretch_goal("b", 1030), stretch_goal("a", 600)]
    log = Log(launch(goal_minor=1000, stretch_goals=goals))
    assert log.says(authorize("p", 1100)) == [
        *passed(25, 50),
        ("stretch_goal.reached", "a"),
        *passed(75),
        ("goal.reached", 1),
        *overfunded(100),
        ("stretch_goal.reached", "b"),
        *overfunded(105, 110),
    ]


def test_at_one_threshold_in_the_order_of_the_table() -> None:
    """Step passed, goal reached, overfunded 100, overfunded further, stretch goal."""
    goals = [stretch_goal("at-the-goal", 1), stretch_goal("above", 2)]
    log = Log(launch(goal_minor=1, milestone_steps=[50], stretch_goals=goals))
    said = log.says(authorize("p", 2))
    assert said[:3] == [("milestone.passed", 50), ("goal.reached", 1), ("stretch_goal.reached", "at-the-goal")]
    assert said[3:] == [*overfunded(100, *range(105, 201, 5)), ("stretch_goal.reached", "above")]
    thresholds = [milestone.threshold_minor for milestone in log.milestones]
    assert thresholds == sorted(thresholds)


def test_an_amended_goal_is_an_event_too() -> None:
    """A lower goal is reached, a higher one lost, by the amendment itself."""
    log = Log(launch(goal_minor=1000, milestone_steps=[50], overfunding_step=100), authorize("p", 600))
    assert log.says(amend(1, goal_minor=600)) == [("goal.reached", 1)]
    assert log.says(amend(2, goal_minor=601)) == [("goal.lost", 1)]
    assert log.says(amend(3, goal_minor=300)) == [("goal.reached", 2), *overfunded(100, 200)]
    # A step already said stays said, whatever the goal it was said of.
    assert log.says(amend(4, goal_minor=10_000)) == [("goal.lost", 2)]
    assert log.says(authorize("q", 4_400)) == []


def test_a_goal_lost_is_said_in_order_of_thresholds_too() -> None:
    """An amendment that raises the goal and announces a stretch goal already reached says the smaller one first."""
    log = Log(launch(goal_minor=100, milestone_steps=[]), authorize("p", 100))
    assert log.says(amend(1, goal_minor=200, stretch_goals=[stretch_goal("poster", 50)])) == [
        ("stretch_goal.reached", "poster"),
        ("goal.lost", 1),
    ]


def test_a_goal_that_is_just_reached_is_not_lost_by_what_else_is_said() -> None:
    """The total stays at the goal, while the terms change around it."""
    log = Log(launch(goal_minor=900, milestone_steps=[], overfunding_step=1000), authorize("p", 1000))
    assert log.said == [("goal.reached", 1), ("goal.overfunded", 100)]
    assert log.says(amend(1, goal_minor=1000)) == []
    assert log.says(amend(2, stretch_goals=[stretch_goal("music", 1000)])) == [("stretch_goal.reached", "music")]


def test_stretch_goals_of_one_amount_are_said_in_the_order_of_the_terms() -> None:
    """As their owner lists them, not by their ids."""
    goals = [stretch_goal("sound", 600), stretch_goal("music", 600), stretch_goal("poster", 600)]
    log = Log(launch(goal_minor=1000, milestone_steps=[], stretch_goals=goals))
    assert log.says(authorize("p", 600)) == [("stretch_goal.reached", goal.stretch_goal_id) for goal in goals]


def test_amended_stretch_goals_are_an_event_too() -> None:
    """One announced below the total is reached by the amendment; one that was said is not said again."""
    log = Log(launch(milestone_steps=[]), authorize("p", 600))
    assert log.says(amend(1, stretch_goals=[stretch_goal("a", 600), stretch_goal("b", 700)])) == [
        ("stretch_goal.reached", "a")
    ]
    assert log.says(amend(2, stretch_goals=[stretch_goal("a", 650), stretch_goal("b", 599)])) == [
        ("stretch_goal.reached", "b")
    ]
    assert log.says(authorize("q", 100)) == []


def test_an_amended_deadline_is_an_event_too() -> None:
    """Pledges that become late take the goal with them, and bring it back."""
    log = Log(launch(goal_minor=1000, milestone_steps=[]), authorize("p", 1000, at=NOON + DAY))
    assert log.says(amend(1, closes_at=NOON + DAY)) == [("goal.lost", 1)]
    assert log.says(amend(2, closes_at=CLOSES)) == [("goal.reached", 2)]


def test_late_pledges_reach_nothing() -> None:
    """They are outside every total."""
    assert Log(launch()).says(authorize("p", 2_000_000, at=CLOSES)) == []


@pytest.mark.parametrize("basis", ["pledged", "collected"])
def test_the_total_that_goal_basis_names_counts(basis: str) -> None:
    """For milestones and for the percent."""
    log = Log(launch(goal_minor=1000, milestone_steps=[50], goal_basis=basis, funding_model="keep_it_all"))
    held: list[Said] = log.says(authorize("p", 1000))
    assert (log.totals.percent, bool(held)) == ((100, True) if basis == "pledged" else (0, False))
    taken = log.says(capture("p", 1000))
    assert held + taken == [*passed(50), ("goal.reached", 1)]
    assert log.totals.percent == 100
    lost = log.says(dispute("p", 1, withdrawn=True))
    assert lost == ([] if basis == "pledged" else [("goal.lost", 1)])


def test_a_move_between_circles_says_nothing() -> None:
    """The campaign's total stays, though the entries pass through a lower one."""
    log = Log(launch(goal_minor=1000), authorize("p", 1000, share_token="t"))
    outcome = log.append(share("t"))
    assert ([entry.pledged_minor for entry in outcome.entries], outcome.milestones) == ([-1000, 1000], [])


@pytest.mark.parametrize("event", [authorize("p", 1000), launch(goal_minor=1000)])
def test_an_event_without_effect_says_nothing(event: LogEvent) -> None:
    """Nothing is said twice."""
    log = Log(launch(goal_minor=1000), authorize("p", 1000))
    assert log.says(event) == []
