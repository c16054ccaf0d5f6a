"""Updates' parts as rows of the tables: values in the order of the table's columns."""

import msgspec

from schemas.fields import CIRCLES
from schemas.updates import (
    BEFORE_EVERYTHING,
    CircleTotals,
    Entry,
    Milestone,
    Pledge,
    RewardTotals,
    Share,
    ShareVisits,
    Update,
)
from sinks.bulk import Values


def campaign(update: Update) -> Values:
    """Return the row of `campaigns` for an update's terms. Raises ValueError when it has none."""
    terms = update.terms
    if terms is None:
        raise ValueError("the update has no terms")
    return (
        update.campaign_id,
        terms.title,
        terms.owner_id,
        update.totals.currency,
        terms.goal_minor,
        terms.goal_basis,
        terms.funding_model,
        msgspec.to_builtins(terms.stretch_goals),
        terms.opens_at,
        terms.closes_at,
        terms.settle_hours,
        terms.timezone,
        terms.sources,
        terms.revision,
        terms.status,
        msgspec.to_builtins(terms.rewards),
    )


def campaign_totals(update: Update, gap_offset: int | None) -> Values:
    """Return the row of `campaign_totals` as of the update's end."""
    totals = update.totals
    return (
        update.campaign_id,
        update.partition,
        update.after.offset,
        update.after.number,
        update.fold_version,
        update.complete,
        gap_offset,
        totals.currency,
        totals.goal_minor,
        totals.pledged_minor,
        totals.collected_minor,
        totals.over_returned_minor,
        totals.late_minor,
        totals.percent,
        totals.backers,
        dict(totals.unattributed),
        totals.unknown_reward_claims,
    )


def nothing_yet(update: Update, gap_offset: int | None) -> Values:
    """Return the row of `campaign_totals` for a campaign whose first update here is not its first: all zeros."""
    zeros = msgspec.structs.replace(
        update.totals,
        pledged_minor=0,
        collected_minor=0,
        over_returned_minor=0,
        late_minor=0,
        percent=0,
        backers=0,
        unattributed={},
        unknown_reward_claims=0,
    )
    untold = msgspec.structs.replace(update, after=BEFORE_EVERYTHING, complete=False, totals=zeros)
    return campaign_totals(untold, gap_offset)


def circle_totals(update: Update) -> list[Values]:
    """Return the rows of `circle_totals` as of the update's end: every circle, so that none keeps an old amount."""
    named = {circle.circle: circle for circle in update.totals.circles}
    nothing = [
        CircleTotals(circle=circle, pledged_minor=0, collected_minor=0, backers=0)
        for circle in CIRCLES
        if circle not in named
    ]
    return [
        (
            update.campaign_id,
            circle.circle,
            circle.pledged_minor,
            circle.collected_minor,
            circle.backers,
        )
        for circle in [*named.values(), *nothing]
    ]


def pledge(campaign_id: str, row: Pledge) -> Values:
    """Return the row of `pledges`."""
    return (
        campaign_id,
        row.pledge_id,
        row.circle,
        row.unattributed,
        row.pledged_minor,
        row.collected_minor,
        row.over_returned_minor,
        row.late,
        row.day,
        row.made_at,
        row.backer_id,
        row.share_token,
        row.reward_id,
    )


def share(campaign_id: str, row: Share) -> Values:
    """Return the row of `shares`."""
    return (
        campaign_id,
        row.share_token,
        row.network,
        row.parent_token,
        row.circle,
        row.posted_at,
        row.day,
    )


def visits(campaign_id: str, row: ShareVisits) -> Values:
    """Return the row of `share_visits`."""
    return (campaign_id, row.share_token, row.origin, row.visits, row.bots, row.prefetches)


def reward_totals(campaign_id: str, row: RewardTotals) -> Values:
    """Return the row of `reward_totals`."""
    return (campaign_id, row.reward_id, row.claimed, row.claims_left, row.exhausted_claims)


def entry(update: Update, line: Entry) -> Values:
    """Return the row of `ledger_entries`."""
    return (
        update.partition,
        line.offset,
        line.number,
        update.campaign_id,
        line.event_id,
        line.event_type,
        line.occurred_at,
        line.pledge_id,
        line.circle,
        line.day,
        line.pledged_minor,
        line.collected_minor,
        line.reward_exhausted,
    )


def milestone(update: Update, said: Milestone) -> Values:
    """Return the row of `milestones`."""
    return (
        update.partition,
        said.offset,
        said.number,
        update.campaign_id,
        said.type,
        said.step,
        said.occurrence,
        said.stretch_goal_id,
        said.threshold_minor,
        said.total_minor,
        said.event_id,
        said.occurred_at,
        said.circle,
        said.narrower_circle,
    )
