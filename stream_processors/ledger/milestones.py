"""Says each milestone once, at the event that crosses it, comparing integers (docs/ledger.md, "Milestones")."""

from collections.abc import Iterator
from itertools import chain, islice, takewhile
from operator import itemgetter
from typing import Final

from schemas.updates import MilestoneType
from stream_processors.ledger.changes import Changes
from stream_processors.ledger.state import Campaign

OVERFUNDING_PERCENT_MAX: Final = 5_000
"""The highest step of overfunding that is said: one huge pledge on a tiny goal must stay bounded."""

_FIRST_UNIT_ABOVE: Final = 100
"""The step of `cercles.goal.overfunded` that means: the first unit above the goal."""

# Threshold, kind, step (0 where the kind has none), id of the stretch goal.
_Crossing = tuple[int, MilestoneType, int, str | None]
_threshold_of: Final = itemgetter(0)


def say_milestones(campaign: Campaign, changes: Changes) -> None:
    """Say everything that the campaign's total has now crossed and that was not said before."""
    # Sorting keeps the order of the table where thresholds are equal.
    for threshold_minor, kind, step, stretch_goal_id in sorted(_crossed(campaign), key=_threshold_of):
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


def at_percent(goal_minor: int, percent: int) -> int:
    """Return the least total with total × 100 ≥ goal × percent."""
    return -(-goal_minor * percent // 100)


def _crossed(campaign: Campaign) -> Iterator[_Crossing]:
    """Yield what the total has crossed and nobody has said; what has one threshold, in the order of the rule book."""
    total = campaign.goal_total_minor
    for crossing in _steps(campaign):
        if crossing[0] <= total:
            yield crossing
    yield from takewhile(lambda crossing: crossing[0] <= total, _overfunding(campaign))
    for crossing in _stretch_goals(campaign):
        if crossing[0] <= total:
            yield crossing
    # Whatever else is crossed has a lower threshold.
    if campaign.goal_is_reached and total < campaign.goal_minor:
        yield campaign.goal_minor, "cercles.goal.lost", 0, None


def _next_threshold(campaign: Campaign) -> int:
    """Return the least total, in minor units, that crosses anything not yet said; the goal's own loss aside."""
    unsaid = chain(_steps(campaign), _stretch_goals(campaign), islice(_overfunding(campaign), 1))
    # Where nothing is left to say, no total is high enough.
    return min(map(_threshold_of, unsaid), default=1 << 200)


def _steps(campaign: Campaign) -> Iterator[_Crossing]:
    """Yield the steps up to the goal, and the goal, as far as they are not said."""
    goal = campaign.goal_minor
    for step in sorted(campaign.launch.milestone_steps):
        if step not in campaign.steps_said:
            yield at_percent(goal, step), "cercles.milestone.passed", step, None
    if not campaign.goal_is_reached:
        yield goal, "cercles.goal.reached", 0, None


def _stretch_goals(campaign: Campaign) -> Iterator[_Crossing]:
    """Yield the stretch goals not yet said."""
    for stretch in campaign.stretch_goals:
        if stretch.stretch_goal_id not in campaign.stretch_goals_said:
            yield stretch.amount_minor, "cercles.stretch_goal.reached", 0, stretch.stretch_goal_id


def _overfunding(campaign: Campaign) -> Iterator[_Crossing]:
    """Yield the steps of overfunding not yet said, in order."""
    said = campaign.overfunding_said_percent
    goal = campaign.goal_minor
    if said < _FIRST_UNIT_ABOVE:
        yield goal + 1, "cercles.goal.overfunded", _FIRST_UNIT_ABOVE, None
        said = _FIRST_UNIT_ABOVE
    increment = campaign.launch.overfunding_step
    for step in range(said + increment, OVERFUNDING_PERCENT_MAX + 1, increment):
        yield at_percent(goal, step), "cercles.goal.overfunded", step, None


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
