"""A campaign's own events: launched, amended, closed, and its shares.

Like the facts of pledges: each function checks everything before it changes anything, raises `Refusal` if the event
cannot stand, and returns whether it changed anything.
"""

from datetime import UTC, datetime, timedelta

from schemas.events import (
    CampaignAmendedData,
    CampaignClosedData,
    CampaignLaunchedData,
    SharePostedData,
    ShareVisitedData,
)
from stream_processors.ledger.changes import Changes
from stream_processors.ledger.circles import is_same, post
from stream_processors.ledger.milestones import terms_changed
from stream_processors.ledger.moments import check_moment
from stream_processors.ledger.outcome import Refusal
from stream_processors.ledger.placement import place_again
from stream_processors.ledger.state import Campaign


def relaunch(campaign: Campaign, data: CampaignLaunchedData) -> None:
    """A launch of a campaign that is known: the same again, or a conflict."""
    if data != campaign.launch:
        raise Refusal("conflicting_duplicate", f"campaign {data.campaign_id} is known with other terms")


def amend_terms(campaign: Campaign, data: CampaignAmendedData, time: datetime, changes: Changes) -> bool:
    """New terms: each counts by its highest revision."""
    known = campaign.amendments.get(data.revision)
    if known is not None:
        if known != data:
            raise Refusal("conflicting_duplicate", f"revision {data.revision} is known with other terms")
        return False
    _check_amendment(campaign, data, time)
    campaign.amendments[data.revision] = data
    changes.terms_changed = True
    if data.title is not None and _is_newest(campaign, "title", data.revision):
        campaign.title = data.title
    if data.goal_minor is not None and _is_newest(campaign, "goal_minor", data.revision):
        campaign.goal_minor = data.goal_minor
        terms_changed(campaign)
    if data.stretch_goals is not None and _is_newest(campaign, "stretch_goals", data.revision):
        campaign.stretch_goals = data.stretch_goals
        terms_changed(campaign)
    if data.closes_at is not None and _is_newest(campaign, "closes_at", data.revision):
        campaign.closes_at = data.closes_at
        for pledge in list(campaign.pledges.values()):
            if pledge.made_at is not None and pledge.late != (pledge.made_at >= data.closes_at):
                place_again(campaign.find_pledge(pledge.pledge_id), changes, always=False)
    return True


def _check_amendment(campaign: Campaign, data: CampaignAmendedData, time: datetime) -> None:
    only_title = (data.goal_minor, data.stretch_goals, data.closes_at) == (None, None, None)
    if campaign.status != "open" and not only_title:
        raise Refusal("campaign_closed", f"the campaign has {campaign.status}: its terms no longer change")
    if data.closes_at is None:
        return
    check_moment(data.closes_at)
    if data.closes_at <= campaign.launch.opens_at:
        raise Refusal("invalid_event", "closes_at must come after the campaign's opens_at")
    if time >= campaign.closes_at:
        raise Refusal("campaign_closed", f"the deadline passed at {campaign.closes_at.isoformat()}")
    if data.closes_at <= time:
        raise Refusal("campaign_closed", "the new deadline is not after the amendment itself")


def _is_newest(campaign: Campaign, term: str, revision: int) -> bool:
    if revision < campaign.term_revisions.get(term, 0):
        return False
    campaign.term_revisions[term] = revision
    return True


def close(campaign: Campaign, data: CampaignClosedData, time: datetime, changes: Changes) -> bool:
    """The end: says the outcome, once, if this is still the campaign's deadline."""
    if campaign.status != "open" or data.closes_at != campaign.closes_at:
        return False
    settling = timedelta(hours=campaign.launch.settle_hours)
    if time - campaign.closes_at < settling:
        raise Refusal("closed_too_early", f"payments settle for {settling} after {campaign.closes_at.isoformat()}")
    campaign.status = "succeeded" if campaign.goal_total_minor >= campaign.goal_minor else "failed"
    changes.terms_changed = True
    changes.entry()
    changes.milestone(
        "cercles.campaign.succeeded" if campaign.status == "succeeded" else "cercles.campaign.failed",
        threshold_minor=campaign.goal_minor,
    )
    return True


def post_share(campaign: Campaign, data: SharePostedData, time: datetime, changes: Changes) -> bool:
    """A link: pledges that named it, or a link below it, before it was heard of now follow it.

    Of all events that post it, the least time is when it was posted.
    """
    share, posted_at = campaign.shares.get(data.share_token), time.astimezone(UTC)
    if share is not None and share.posted_at is not None:
        if not is_same(share, data):
            raise Refusal("conflicting_duplicate", f"share {data.share_token} is known with other particulars")
        if share.posted_at <= posted_at:
            return False
        share.posted_at = posted_at
        changes.share(share)
        return True
    settled = post(campaign, data, posted_at)
    changes.share(settled[0])
    for one in settled:
        for pledge in one.followers():
            place_again(pledge, changes, always=False)
    return True


def count_visits(campaign: Campaign, data: ShareVisitedData, _time: datetime, changes: Changes) -> bool:
    """Visits of a link: of each counter and origin the greatest of each number counts."""
    share = campaign.find_share(data.share_token)
    counter = (data.counter_id, data.origin)
    counts = (data.visits, data.bots, data.prefetches)
    known = share.visits.get(counter)
    if known is not None:
        visits, bots, prefetches = map(max, known, counts)
        counts = (visits, bots, prefetches)
    if counts == known:
        return False
    share.visits[counter] = counts
    changes.visits(share, data.origin)
    return True
