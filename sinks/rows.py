"""Updates' parts as rows of the tables, column by column."""

import msgspec

from schemas.fields import CIRCLES
from schemas.updates import BEFORE_EVERYTHING, CircleTotals, Entry, Milestone, Pledge, Update
from sinks.database import Row


def campaign(update: Update) -> Row:
    """Return the row of `campaigns` for an update's terms. Raises ValueError when it has none."""
    terms = update.terms
    if terms is None:
        raise ValueError("the update has no terms")
    return {
        "campaign_id": update.campaign_id,
        "title": terms.title,
        "owner_id": terms.owner_id,
        "currency": update.totals.currency,
        "goal_minor": terms.goal_minor,
        "goal_basis": terms.goal_basis,
        "funding_model": terms.funding_model,
        "stretch_goals": msgspec.to_builtins(terms.stretch_goals),
        "opens_at": terms.opens_at,
        "closes_at": terms.closes_at,
        "settle_hours": terms.settle_hours,
        "timezone": terms.timezone,
        "sources": terms.sources,
        "revision": terms.revision,
        "status": terms.status,
    }


def campaign_totals(update: Update, gap_offset: int | None) -> Row:
    """Return the row of `campaign_totals` as of the update's end."""
    totals = update.totals
    return {
        "campaign_id": update.campaign_id,
        "partition_number": update.partition,
        "position_offset": update.after.offset,
        "position_number": update.after.number,
        "fold_version": update.fold_version,
        "complete": update.complete,
        "gap_offset": gap_offset,
        "currency": totals.currency,
        "goal_minor": totals.goal_minor,
        "pledged_minor": totals.pledged_minor,
        "collected_minor": totals.collected_minor,
        "over_returned_minor": totals.over_returned_minor,
        "late_minor": totals.late_minor,
        "percent": totals.percent,
        "backers": totals.backers,
        "unattributed": dict(totals.unattributed),
    }


def nothing_yet(update: Update, gap_offset: int | None) -> Row:
    """Return the row of `campaign_totals` for a campaign whose first update here is not its first: all zeros."""
    totals = update.totals
    return {
        "campaign_id": update.campaign_id,
        "partition_number": update.partition,
        "position_offset": BEFORE_EVERYTHING.offset,
        "position_number": BEFORE_EVERYTHING.number,
        "fold_version": update.fold_version,
        "complete": False,
        "gap_offset": gap_offset,
        "currency": totals.currency,
        "goal_minor": totals.goal_minor,
        "pledged_minor": 0,
        "collected_minor": 0,
        "over_returned_minor": 0,
        "late_minor": 0,
        "percent": 0,
        "backers": 0,
        "unattributed": {},
    }


def circle_totals(update: Update) -> list[Row]:
    """Return the rows of `circle_totals` as of the update's end: every circle, so that none keeps an old amount."""
    named = {circle.circle: circle for circle in update.totals.circles}
    nothing = [
        CircleTotals(circle=circle, pledged_minor=0, collected_minor=0, backers=0)
        for circle in CIRCLES
        if circle not in named
    ]
    return [
        {
            "campaign_id": update.campaign_id,
            "circle": circle.circle,
            "pledged_minor": circle.pledged_minor,
            "collected_minor": circle.collected_minor,
            "backers": circle.backers,
        }
        for circle in [*named.values(), *nothing]
    ]


def pledge(campaign_id: str, row: Pledge) -> Row:
    """Return the row of `pledges`."""
    return {
        "campaign_id": campaign_id,
        "pledge_id": row.pledge_id,
        "circle": row.circle,
        "unattributed": row.unattributed,
        "pledged_minor": row.pledged_minor,
        "collected_minor": row.collected_minor,
        "over_returned_minor": row.over_returned_minor,
        "late": row.late,
        "day": row.day,
        "made_at": row.made_at,
        "backer_id": row.backer_id,
        "share_token": row.share_token,
    }


def entry(update: Update, line: Entry) -> Row:
    """Return the row of `ledger_entries`."""
    return {
        "partition_number": update.partition,
        "log_offset": line.offset,
        "entry_number": line.number,
        "campaign_id": update.campaign_id,
        "event_id": line.event_id,
        "event_type": line.event_type,
        "occurred_at": line.occurred_at,
        "pledge_id": line.pledge_id,
        "circle": line.circle,
        "day": line.day,
        "pledged_minor": line.pledged_minor,
        "collected_minor": line.collected_minor,
    }


def milestone(update: Update, said: Milestone) -> Row:
    """Return the row of `milestones`."""
    return {
        "partition_number": update.partition,
        "log_offset": said.offset,
        "milestone_number": said.number,
        "campaign_id": update.campaign_id,
        "type": said.type,
        "step": said.step,
        "occurrence": said.occurrence,
        "stretch_goal_id": said.stretch_goal_id,
        "threshold_minor": said.threshold_minor,
        "total_minor": said.total_minor,
        "event_id": said.event_id,
        "occurred_at": said.occurred_at,
    }
