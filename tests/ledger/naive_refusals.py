"""Which events of the naive ledger stand, and what of a fact can never change."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.events import (
    CampaignAmended,
    CampaignClosed,
    CampaignLaunched,
    LogEvent,
    PledgeAmended,
    PledgeAuthorized,
    PledgeCanceled,
    PledgeCaptured,
    PledgeDisputed,
    PledgeFailed,
    PledgeRefunded,
    SharePosted,
    ShareVisited,
)
from stream_processors.refusals import RefusalReason
from tests.ledger.naive_campaign import NaiveCampaign

CALENDAR: Final = (datetime(1971, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
"""From the first moment to before the last."""


def refusal(campaign: NaiveCampaign | None, event: LogEvent) -> RefusalReason | None:
    """Return why the event does not stand, given all that stand before it."""
    if any(not CALENDAR[0] <= moment < CALENDAR[1] for moment in _times(event)):
        return "invalid_event"
    if isinstance(event, CampaignLaunched):
        return None if campaign is None or campaign.launch == event.data else "conflicting_duplicate"
    if campaign is None:
        return "campaign_unknown"
    if isinstance(event, CampaignAmended):
        return _refusal_of_amendment(campaign, event)
    if isinstance(event, CampaignClosed):
        return _refusal_of_close(campaign, event)
    return _refusal_of_fact(campaign, event)


def _times(event: LogEvent) -> list[datetime]:
    fields = [event.time, *(getattr(event.data, name, None) for name in ("made_at", "opens_at", "closes_at"))]
    return [moment for moment in fields if moment is not None]


def _refusal_of_fact(campaign: NaiveCampaign, event: LogEvent) -> RefusalReason | None:
    launch = campaign.launch
    sources = {*launch.sources, "admin"} if isinstance(event, SharePosted | ShareVisited) else set(launch.sources)
    if event.source not in sources:
        return "source_not_allowed"
    in_currency = getattr(event.data, "currency", launch.currency) == launch.currency
    fact, never_changing = fixed(event)
    known = [fixed(one.event) for one in campaign.log]
    if any(other == fact and (value != never_changing or not in_currency) for other, value in known):
        return "conflicting_duplicate"
    return None if in_currency else "currency_mismatch"


def _refusal_of_amendment(campaign: NaiveCampaign, event: CampaignAmended) -> RefusalReason | None:
    data = event.data
    known = campaign.amendments().get(data.revision)
    if known is not None:
        return None if known == data else "conflicting_duplicate"
    title_alone = (data.goal_minor, data.stretch_goals, data.closes_at) == (None, None, None)
    if campaign.status() != "open" and not title_alone:
        return "campaign_closed"
    if data.closes_at is None:
        return None
    if data.closes_at <= campaign.launch.opens_at:
        return "invalid_event"
    too_late = event.time >= campaign.term("closes_at") or data.closes_at <= event.time
    return "campaign_closed" if too_late else None


def _refusal_of_close(campaign: NaiveCampaign, event: CampaignClosed) -> RefusalReason | None:
    closes_at = campaign.term("closes_at")
    if event.data.closes_at != closes_at or campaign.status() != "open":
        return None
    settled_at = closes_at + timedelta(hours=campaign.launch.settle_hours)
    return "closed_too_early" if event.time < settled_at else None


def fixed(event: LogEvent) -> tuple[Any, Any]:  # noqa: PLR0911 (one case for each kind)
    """Return the fact's kind and id, and what of it can never change. The currency is the campaign's."""
    match event:
        case PledgeAuthorized(data=data):
            return ("authorization", data.authorization_id), data.pledge_id
        case PledgeCanceled(data=data) if data.authorization_id is not None:
            return ("authorization", data.authorization_id), data.pledge_id
        case PledgeCaptured(data=data):
            return ("capture", data.capture_id), data.pledge_id
        case PledgeRefunded(data=data):
            return ("refund", data.refund_id), (data.pledge_id, data.amount_minor)
        case PledgeDisputed(data=data):
            return ("dispute", data.dispute_id), (data.pledge_id, data.amount_minor)
        case PledgeAmended(data=data):
            return ("amendment", data.pledge_id, data.revision), data.amount_minor
        case PledgeFailed(data=data):
            return ("attempt", data.attempt_id), data.pledge_id
        case SharePosted(data=data):
            circle = data.circle if data.parent_token is not None else data.circle or "friends"
            return ("share", data.share_token), (data.sharer_id, data.network, data.parent_token, circle)
        case _:
            return ("nothing fixed",), None
