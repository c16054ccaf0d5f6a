"""What the naive ledger says: every prefix of the log is looked at anew."""

from itertools import pairwise
from typing import Any, Final

from schemas.fields import CIRCLES, AnyCircle
from schemas.updates import Milestone, MilestoneType
from tests.ledger.naive_campaign import NaiveCampaign

OVERFUNDING_PERCENT_MAX: Final = 5000


def milestones(campaign: NaiveCampaign) -> list[Milestone]:
    """Return everything said, in the order of the log, by replaying every prefix."""
    said: list[Milestone] = []
    opened: set[AnyCircle] = set()
    for length in range(1, len(campaign.log) + 1):
        now, one = campaign.prefix(length), campaign.log[length - 1]
        for number, fields in enumerate(_crossings(now, said) + _opened_early(now, opened) + _outcome(now)):
            said.append(
                Milestone(
                    **{"total_minor": now.total()} | fields,
                    offset=one.offset,
                    number=number,
                    event_id=one.event.id,
                    occurred_at=one.event.time,
                )
            )
    return said


def _outcome(campaign: NaiveCampaign) -> list[dict[str, Any]]:
    """Return the outcome if the last event is what decided it."""
    status = campaign.status()
    if status == "open" or campaign.prefix(len(campaign.log) - 1).status() != "open":
        return []
    return [{"type": f"cercles.campaign.{status}", "threshold_minor": campaign.term("goal_minor")}]


def _opened_early(campaign: NaiveCampaign, opened: set[AnyCircle]) -> list[dict[str, Any]]:
    """Return the order signals of the last event, and add the circles that it opens to those before."""
    thresholds, goal = campaign.launch.circle_thresholds, campaign.term("goal_minor")
    if thresholds is None:
        return []
    found = []
    for narrower, circle in pairwise(CIRCLES[:3]):
        percent = getattr(thresholds, narrower)
        if circle in opened or campaign.total_of(circle) == 0:
            continue
        opened.add(circle)
        if campaign.total_of(narrower) * 100 < goal * percent:
            found.append(
                {
                    "type": "cercles.circle.opened_early",
                    "circle": circle,
                    "narrower_circle": narrower,
                    "step": percent,
                    "threshold_minor": _ceiling(goal * percent, 100),
                    "total_minor": campaign.total_of(narrower),
                }
            )
    return found


def _crossings(campaign: NaiveCampaign, said: list[Milestone]) -> list[dict[str, Any]]:
    """Return what the total as it stands calls for and has not been said, in the order of thresholds."""
    total, goal = campaign.total(), campaign.term("goal_minor")
    reached = [one for one in said if one.type == "cercles.goal.reached"]
    lost = [one for one in said if one.type == "cercles.goal.lost"]
    is_reached = len(reached) > len(lost)

    def once(kind: MilestoneType, **fields: Any) -> dict[str, Any] | None:
        keys = {(one.type, one.step, one.stretch_goal_id) for one in said}
        return None if (kind, fields.get("step"), fields.get("stretch_goal_id")) in keys else {"type": kind, **fields}

    found = [
        once("cercles.milestone.passed", step=step, threshold_minor=_ceiling(goal * step, 100))
        for step in sorted(campaign.launch.milestone_steps)
        if total * 100 >= goal * step
    ]
    if total >= goal and not is_reached:
        found.append({"type": "cercles.goal.reached", "occurrence": len(reached) + 1, "threshold_minor": goal})
    if total < goal and is_reached:
        found.append({"type": "cercles.goal.lost", "occurrence": len(reached), "threshold_minor": goal})
    if total > goal:
        found.append(once("cercles.goal.overfunded", step=100, threshold_minor=goal + 1))
    increment = campaign.launch.overfunding_step
    found += [
        once("cercles.goal.overfunded", step=step, threshold_minor=_ceiling(goal * step, 100))
        for step in range(100 + increment, OVERFUNDING_PERCENT_MAX + 1, increment)
        if total * 100 >= goal * step
    ]
    found += [
        once("cercles.stretch_goal.reached", stretch_goal_id=one.stretch_goal_id, threshold_minor=one.amount_minor)
        for one in campaign.term("stretch_goals")
        if total >= one.amount_minor
    ]
    # Sorting keeps the order of the table where thresholds are equal.
    return sorted((one for one in found if one is not None), key=lambda one: int(one["threshold_minor"]))


def _ceiling(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
