"""Says when a wider circle opens before the narrower one has carried its part (docs/ledger.md, "Order signals")."""

from stream_processors.ledger.changes import Changes
from stream_processors.ledger.milestones import at_percent
from stream_processors.ledger.pledges import CIRCLE_NAMES
from stream_processors.ledger.state import Campaign, circle_thresholds


def say_order_signals(campaign: Campaign, changes: Changes) -> None:
    """Say which circles have opened with this event although the next narrower one is short of its threshold.

    A circle opens once, with its first money; what comes later is not held against it.
    """
    thresholds = circle_thresholds(campaign.launch)
    totals_minor = campaign.circle_goal_totals_minor
    opened = [circle for circle in campaign.unopened_circles if totals_minor[circle] > 0]
    for circle in opened:
        campaign.unopened_circles.remove(circle)
        narrower = circle - 1
        percent = thresholds[narrower]
        if totals_minor[narrower] * 100 < campaign.goal_minor * percent:
            changes.milestone(
                "cercles.circle.opened_early",
                threshold_minor=at_percent(campaign.goal_minor, percent),
                total_minor=totals_minor[narrower],
                step=percent,
                circle=CIRCLE_NAMES[circle],
                narrower_circle=CIRCLE_NAMES[narrower],
            )
