"""Counts a pledge where it belongs: in the totals of its campaign, circle, day, backer and reward, or outside, as late.

Called after any change of a pledge's facts or of what its place depends on. It takes the pledge out of the totals and
puts it back as it now stands; the difference is what the entries say.
"""

from datetime import date

from stream_processors.ledger.changes import Changes
from stream_processors.ledger.circles import circle_of
from stream_processors.ledger.pledges import Pledge
from stream_processors.ledger.rewards import claim
from stream_processors.ledger.state import Campaign


def amounts(pledge: Pledge) -> tuple[int, int, int]:
    """Return pledged, collected and over-returned minor units, from the sums of the pledge's facts.

    0 ≤ collected ≤ pledged (docs/ledger.md, "Totals of a pledge").
    """
    captured = pledge.captured_minor
    if pledge.canceled or pledge.final:
        promised = 0
    elif pledge.amended_minor is not None:
        promised = pledge.amended_minor
    else:
        promised = pledge.authorized_minor
    lost_for_good = pledge.refunded_minor + pledge.lost_minor
    away = lost_for_good + pledge.withdrawn_minor
    if not promised and not away:
        return captured, captured, 0
    return (
        max(promised, captured) - min(captured, lost_for_good),
        captured - min(captured, away),
        max(0, away - captured),
    )


def place(pledge: Pledge, changes: Changes) -> None:
    """Count a pledge whose facts have changed as it now stands, and take down the difference, be it zero."""
    if pledge.counted or pledge.late or pledge.over_returned_minor:
        place_again(pledge, changes, always=True)
        return
    # Nothing of it is in any total yet, as of nearly every pledge that an event is about.
    campaign = changes.campaign
    if _put_in(campaign, pledge):
        circle, day = pledge.circle, pledge.day
        pledged_minor, collected_minor = pledge.pledged_minor, pledge.collected_minor
        _count(campaign, circle, day, pledged_minor, collected_minor)
        changes.entry(pledge.pledge_id, circle, day, pledged_minor, collected_minor)
    else:
        changes.entry(pledge.pledge_id)
    if pledge.reward_id is not None and claim(pledge, changes):
        changes.flag_exhausted()
    changes.pledge(pledge)


def place_again(pledge: Pledge, changes: Changes, *, always: bool) -> None:
    """Take the pledge out of the totals, count it as it now stands, and take down the difference.

    `always`: take down an entry even of zero, because the pledge's facts changed; else only its place can have changed,
    and when it has not, there is nothing to say. Whatever is shown of a pledge comes with an entry: what is cut
    without one would have no position of its own, and nobody would apply it.
    """
    campaign = changes.campaign
    counted, circle, day = pledge.counted, pledge.circle, pledge.day
    before = counted, pledge.late, circle, pledge.reason, day
    pledged_minor = collected_minor = 0
    if counted:
        pledged_minor, collected_minor = pledge.pledged_minor, pledge.collected_minor
    _take_out(campaign, pledge)
    _put_in(campaign, pledge)
    if not always and before == (pledge.counted, pledge.late, pledge.circle, pledge.reason, pledge.day):
        return
    leaves = counted and (not pledge.counted or circle != pledge.circle or day != pledge.day)
    if leaves:
        _count(campaign, circle, day, -pledged_minor, -collected_minor)
        changes.entry(pledge.pledge_id, circle, day, -pledged_minor, -collected_minor)
        pledged_minor = collected_minor = 0
    if pledge.counted:
        circle, day = pledge.circle, pledge.day
        pledged_minor = pledge.pledged_minor - pledged_minor
        collected_minor = pledge.collected_minor - collected_minor
        _count(campaign, circle, day, pledged_minor, collected_minor)
        changes.entry(pledge.pledge_id, circle, day, pledged_minor, collected_minor)
    elif not leaves:
        changes.entry(pledge.pledge_id)
    if (pledge.reward_id is not None or pledge.claimed is not None) and claim(pledge, changes):
        changes.flag_exhausted()
    changes.pledge(pledge)


def _count(campaign: Campaign, circle: int, day: date | None, pledged_minor: int, collected_minor: int) -> None:
    """Add the difference that an entry says to every total that is a sum of entries."""
    campaign.pledged_minor += pledged_minor
    campaign.collected_minor += collected_minor
    campaign.circle_pledged_minor[circle] += pledged_minor
    campaign.circle_collected_minor[circle] += collected_minor
    if day is not None and (pledged_minor or collected_minor):
        day_pledged, day_collected = campaign.day_totals.get(day, (0, 0))
        day_pledged += pledged_minor
        day_collected += collected_minor
        if day_pledged or day_collected:
            campaign.day_totals[day] = day_pledged, day_collected
        else:
            del campaign.day_totals[day]


def _take_out(campaign: Campaign, pledge: Pledge) -> None:
    """Take the pledge out of the totals that are not sums of entries."""
    if pledge.late:
        campaign.late_minor -= pledge.pledged_minor
        return
    campaign.over_returned_minor -= pledge.over_returned_minor
    if not pledge.counted:
        return
    if pledge.pledged_minor:
        campaign.backers.remove(pledge.backer_counted, pledge.circle)
    if pledge.reason is not None:
        campaign.unattributed[pledge.reason] -= 1


def _put_in(campaign: Campaign, pledge: Pledge) -> bool:
    """Work out the pledge's amounts and place, and put it into the totals that are not sums of entries.

    Returns whether it counts in those that are.
    """
    pledge.circle, pledge.reason = circle, reason = circle_of(campaign, pledge)
    pledged_minor, collected_minor, over_returned_minor = amounts(pledge)
    pledge.pledged_minor, pledge.collected_minor = pledged_minor, collected_minor
    pledge.over_returned_minor = over_returned_minor
    made_at = pledge.made_at
    if made_at is None:
        # Nothing but refunds, amendments or the like so far: not yet a pledge that anything can be counted of.
        pledge.pledged_minor = pledge.collected_minor = 0
        pledge.counted = pledge.late = False
        pledge.day = None
        campaign.over_returned_minor += over_returned_minor
        return False
    pledge.day = campaign.local_days.day_of(made_at)
    if made_at >= campaign.closes_at:
        pledge.counted, pledge.late = False, True
        campaign.late_minor += pledged_minor
        return False
    pledge.counted, pledge.late = True, False
    campaign.over_returned_minor += over_returned_minor
    if pledged_minor:
        campaign.backers.add([(pledge.backer_id, circle)])
        pledge.backer_counted = pledge.backer_id
    if reason is not None:
        campaign.unattributed[reason] = campaign.unattributed.get(reason, 0) + 1
    return True
