"""Says each milestone once, at the event that crosses it, comparing integers (docs/ledger.md, "Milestones")."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from schemas.updates import MilestoneType
from stream_processors.ledger.changes import Changes
from stream_processors.ledger.state import Campaign

OVERFUNDING_PERCENT_MAX: Final = 5_000
"""The highest step of overfunding that is said: one huge pledge on a tiny goal must stay bounded."""

_FIRST_UNIT_ABOVE: Final = 100
"""The step of `cercles.goal.overfunded` that means: the first unit above the goal."""

# Threshold, rank at that threshold, kind, step (0 where the kind has none), id of the stretch goal.
_Crossing = tuple[int, int, MilestoneType, int, str | None]


def say_milestones(campaign: Campaign, changes: Changes) -> None:
    """Say everything that the campaign's total has now crossed and that was not said before."""
    total = campaign.goal_total_minor
    for threshold_minor, _, kind, step, stretch_goal_id in sorted(_crossed(campaign, total), key=lambda c: c[:2]):
        occurrence = _remember(campaign, kind, step, stretch_goal_id)
        changes.milestone(
            kind,
            threshold_minor=threshold_minor,
            step=step or None,
            occurrence=occurrence,
            stretch_goal_id=stretch_goal_id,
        )
    campaign.next_threshold_minor = _next_threshold(campaign)


def terms_changed(campaign: Campaign) -> None:
    """Thresholds are to be worked out again: the goal or the stretch goals are others."""
    campaign.next_threshold_minor = 0


def _at_percent(goal_minor: int, percent: int) -> int:
    """Return the least total with total × 100 ≥ goal × percent."""
    return -(-goal_minor * percent // 100)


def _crossed(campaign: Campaign, total: int) -> Iterator[_Crossing]:
    """Yield what the total has crossed and nobody has said."""
    goal = campaign.goal_minor
    if campaign.goal_is_reached and total < goal:
        yield goal, 2, "cercles.goal.lost", 0, None
    for crossing in _single(campaign):
        if crossing[0] <= total:
            yield crossing
    for crossing in _overfunding(campaign):
        if crossing[0] > total:
            return
        yield crossing


def _next_threshold(campaign: Campaign) -> int:
    """Return the least total, in minor units, that crosses anything not yet said; the goal's own loss aside."""
    candidates = [crossing[0] for crossing in (*_single(campaign), *islice(_overfunding(campaign), 1))]
    # Where nothing is left to say, no total is high enough.
    return min(candidates, default=1 << 200)


def _single(campaign: Campaign) -> Iterator[_Crossing]:
    """Yield every milestone not yet said that is not a step of overfunding."""
    goal = campaign.goal_minor
    for step in sorted(campaign.launch.milestone_steps):
        if step not in campaign.steps_said:
            yield _at_percent(goal, step), 0, "cercles.milestone.passed", step, None
    if not campaign.goal_is_reached:
        yield goal, 1, "cercles.goal.reached", 0, None
    for stretch in campaign.stretch_goals:
        if stretch.stretch_goal_id not in campaign.stretch_goals_said:
            yield stretch.amount_minor, 4, "cercles.stretch_goal.reached", 0, stretch.stretch_goal_id


def _overfunding(campaign: Campaign) -> Iterator[_Crossing]:
    """Yield the steps of overfunding not yet said, in order."""
    said = campaign.overfunding_said_percent
    goal = campaign.goal_minor
    if said < _FIRST_UNIT_ABOVE:
        yield goal + 1, 3, "cercles.goal.overfunded", _FIRST_UNIT_ABOVE, None
        said = _FIRST_UNIT_ABOVE
    increment = campaign.launch.overfunding_step
    for step in range(said + increment, OVERFUNDING_PERCENT_MAX + 1, increment):
        yield _at_percent(goal, step), 3, "cercles.goal.overfunded", step, None


def _remember(campaign: Campaign, kind: MilestoneType, step: int, stretch_goal_id: str | None) -> int | None:
    """Note that this is said; return the occurrence of a goal reached or lost."""
    if kind == "cercles.goal.reached":
        campaign.goal_is_reached = True
        campaign.goal_occurrences += 1
        return campaign.goal_occurrences
    if kind == "cercles.goal.lost":
        campaign.goal_is_reached = False
        return campaign.goal_occurrences
    if stretch_goal_id is not None:
        campaign.stretch_goals_said.add(stretch_goal_id)
    elif kind == "cercles.milestone.passed":
        campaign.steps_said.add(step)
    else:
        campaign.overfunding_said_percent = step
    return None
