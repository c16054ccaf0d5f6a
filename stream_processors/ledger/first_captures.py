"""The commonest event by a shorter way: the capture of a pledge that the log has not named before.

Nothing has to be held against it, and nothing of it has to be taken out of any total first. So what `facts.capture` and
`placement.place` do step by step is done in one; whatever is not plain goes the long way. That both lead to the same is
tested (tests/ledger/test_properties.py), what it is worth is measured (benchmarks/README.md).
"""

from datetime import UTC

from schemas.events import PledgeCaptured
from schemas.updates import UnattributedReason
from stream_processors.ledger.changes import Changes
from stream_processors.ledger.moments import is_moment
from stream_processors.ledger.placement import count
from stream_processors.ledger.state import UNATTRIBUTED, Campaign, Cumulative, Pledge


def fold_first_capture(campaign: Campaign, event: PledgeCaptured, changes: Changes) -> bool:
    """Fold the capture if it is a plain first one, and return whether it was; if not, nothing has changed.

    Plain: in the campaign's currency and in time, without a reward, and without a link or by another's link whose
    circle is known.
    """
    data = event.data
    pledge_id, capture_id = data.pledge_id, data.capture_id
    if (
        pledge_id in campaign.pledges
        or capture_id in campaign.captures
        or data.currency != campaign.currency
        or data.reward_id is not None
    ):
        return False
    made_at = data.made_at or event.time
    if made_at >= campaign.closes_at or made_at.tzinfo is not UTC or not is_moment(made_at):
        return False
    backer_id, share_token = data.backer_id, data.share_token
    circle = UNATTRIBUTED
    reason: UnattributedReason | None = "no_token"
    if share_token is not None:
        share = campaign.shares.get(share_token)
        if share is None or not isinstance(share.standing, int) or share.sharer_id == backer_id:
            return False
        # The link's own text: one for all its pledges.
        share_token, circle, reason = share.token, share.standing, None
    amount_minor = data.amount_minor
    day = campaign.local_days.day_of(made_at)
    pledge = campaign.pledges[pledge_id] = Pledge(
        pledge_id,
        captured_minor=amount_minor,
        final=data.final,
        made_at=made_at,
        share_token=share_token,
        backer_id=backer_id,
        backer_made_at=None if backer_id is None else made_at,
        counted=True,
        backer_counted=backer_id,
        circle=circle,
        reason=reason,
        day=day,
        pledged_minor=amount_minor,
        collected_minor=amount_minor,
    )
    campaign.captures[capture_id] = Cumulative(pledge, amount_minor)
    campaign.backers.add(backer_id, circle)
    if reason is not None:
        campaign.unattributed[reason] = campaign.unattributed.get(reason, 0) + 1
    count(campaign, circle, day, amount_minor, amount_minor)
    changes.entry(pledge_id, circle, day, amount_minor, amount_minor)
    changes.pledge(pledge)
    return True
