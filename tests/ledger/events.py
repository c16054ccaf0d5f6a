"""Builders of events: a test names only what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from schemas.events import (
    CampaignAmended,
    CampaignAmendedData,
    CampaignClosed,
    CampaignClosedData,
    CampaignLaunched,
    CampaignLaunchedData,
    LogEvent,
    PledgeAmended,
    PledgeAmendedData,
    PledgeAuthorized,
    PledgeAuthorizedData,
    PledgeCanceled,
    PledgeCanceledData,
    PledgeCaptured,
    PledgeCapturedData,
    PledgeDisputed,
    PledgeDisputedData,
    PledgeFailed,
    PledgeFailedData,
    PledgeRefunded,
    PledgeRefundedData,
    Reward,
    SharePosted,
    SharePostedData,
    ShareVisited,
    ShareVisitedData,
    StretchGoal,
)

CAMPAIGN: Final = "les-anges-anonymes"
SOURCE: Final = "sources/guichet"
GOAL: Final = 1_500_000
OPENS: Final = datetime(2026, 3, 1, 8, tzinfo=UTC)
CLOSES: Final = datetime(2026, 4, 15, 22, tzinfo=UTC)
"""Midnight in Paris, at the end of 15 April."""

SETTLED: Final = CLOSES + timedelta(hours=1)
NOON: Final = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY: Final = timedelta(days=1)


def _envelope(identifier: str, at: datetime, source: str) -> dict[str, Any]:
    return {"specversion": "1.0", "id": identifier, "source": source, "time": at}


def launch(*, at: datetime = OPENS - DAY, campaign: str = CAMPAIGN, **terms: Any) -> CampaignLaunched:
    """Return a launch of *Les Anges Anonymes*, with other terms where they are given."""
    given: dict[str, Any] = {
        "title": "Les Anges Anonymes",
        "owner_id": "owner",
        "currency": "EUR",
        "goal_minor": GOAL,
        "opens_at": OPENS,
        "closes_at": CLOSES,
        "timezone": "Europe/Paris",
        "sources": [SOURCE],
    }
    data = CampaignLaunchedData(campaign_id=campaign, **given | terms)
    return CampaignLaunched(data=data, **_envelope(f"launch-{campaign}", at, "admin"))


def amend(revision: int, *, at: datetime = NOON, campaign: str = CAMPAIGN, **terms: Any) -> CampaignAmended:
    data = CampaignAmendedData(campaign_id=campaign, revision=revision, **terms)
    return CampaignAmended(data=data, **_envelope(f"amend-{revision}", at, "admin"))


def close(closes_at: datetime = CLOSES, *, at: datetime = SETTLED, campaign: str = CAMPAIGN) -> CampaignClosed:
    data = CampaignClosedData(campaign_id=campaign, closes_at=closes_at)
    return CampaignClosed(data=data, **_envelope("close", at, "clock"))


def authorize(
    pledge: str,
    amount: int,
    *,
    authorization: str | None = None,
    at: datetime = NOON,
    campaign: str = CAMPAIGN,
    source: str = SOURCE,
    currency: str = "EUR",
    **more: Any,
) -> PledgeAuthorized:
    """`more`: made_at, backer_id, share_token, reward_id."""
    name = authorization or f"{pledge}-authorization"
    data = PledgeAuthorizedData(
        campaign_id=campaign, pledge_id=pledge, authorization_id=name, amount_minor=amount, currency=currency, **more
    )
    return PledgeAuthorized(data=data, **_envelope(f"authorized-{name}", at, source))


def capture(
    pledge: str,
    amount: int,
    *,
    capture_id: str | None = None,
    at: datetime = NOON,
    campaign: str = CAMPAIGN,
    source: str = SOURCE,
    currency: str = "EUR",
    **more: Any,
) -> PledgeCaptured:
    """`more`: final, made_at, backer_id, share_token, reward_id."""
    name = capture_id or f"{pledge}-capture"
    data = PledgeCapturedData(
        campaign_id=campaign, pledge_id=pledge, capture_id=name, amount_minor=amount, currency=currency, **more
    )
    return PledgeCaptured(data=data, **_envelope(f"captured-{name}", at, source))


def promise(
    pledge: str, revision: int, amount: int, *, at: datetime = NOON, campaign: str = CAMPAIGN, source: str = SOURCE
) -> PledgeAmended:
    """The backer changes the promise: `pledge.amended`."""
    data = PledgeAmendedData(campaign_id=campaign, pledge_id=pledge, revision=revision, amount_minor=amount)
    return PledgeAmended(data=data, **_envelope(f"promised-{pledge}-{revision}", at, source))


def refund(
    pledge: str,
    amount: int,
    status: str = "succeeded",
    *,
    refund_id: str | None = None,
    at: datetime = NOON,
    campaign: str = CAMPAIGN,
    source: str = SOURCE,
    currency: str = "EUR",
) -> PledgeRefunded:
    name = refund_id or f"{pledge}-refund"
    given: Any = {"status": status}
    data = PledgeRefundedData(
        campaign_id=campaign, pledge_id=pledge, refund_id=name, amount_minor=amount, currency=currency, **given
    )
    return PledgeRefunded(data=data, **_envelope(f"refunded-{name}-{status}", at, source))


def dispute(
    pledge: str,
    amount: int,
    status: str = "open",
    *,
    withdrawn: bool = False,
    lost_minor: int | None = None,
    dispute_id: str | None = None,
    at: datetime = NOON,
    campaign: str = CAMPAIGN,
    source: str = SOURCE,
    currency: str = "EUR",
) -> PledgeDisputed:
    name = dispute_id or f"{pledge}-dispute"
    given: Any = {"status": status}
    data = PledgeDisputedData(
        campaign_id=campaign,
        pledge_id=pledge,
        dispute_id=name,
        amount_minor=amount,
        currency=currency,
        withdrawn=withdrawn,
        lost_minor=lost_minor,
        **given,
    )
    return PledgeDisputed(data=data, **_envelope(f"disputed-{name}-{status}", at, source))


def fail(
    pledge: str,
    *,
    attempt: str | None = None,
    reason: str = "insufficient_funds",
    at: datetime = NOON,
    campaign: str = CAMPAIGN,
    source: str = SOURCE,
) -> PledgeFailed:
    name = attempt or f"{pledge}-attempt"
    data = PledgeFailedData(campaign_id=campaign, pledge_id=pledge, attempt_id=name, reason=reason)
    return PledgeFailed(data=data, **_envelope(f"failed-{name}", at, source))


def cancel(
    pledge: str,
    authorization: str | None = None,
    *,
    at: datetime = NOON,
    campaign: str = CAMPAIGN,
    source: str = SOURCE,
) -> PledgeCanceled:
    """Without `authorization`: the whole pledge."""
    data = PledgeCanceledData(campaign_id=campaign, pledge_id=pledge, authorization_id=authorization)
    return PledgeCanceled(data=data, **_envelope(f"canceled-{authorization or pledge}", at, source))


def share(
    token: str,
    *,
    parent: str | None = None,
    circle: str | None = None,
    sharer: str = "owner",
    network: str = "mail",
    at: datetime = NOON,
    campaign: str = CAMPAIGN,
    source: str = SOURCE,
) -> SharePosted:
    given: Any = {"circle": circle}
    data = SharePostedData(
        campaign_id=campaign, share_token=token, sharer_id=sharer, network=network, parent_token=parent, **given
    )
    return SharePosted(data=data, **_envelope(f"posted-{token}", at, source))


def visit(
    token: str,
    visits: int,
    *,
    counter: str = "site",
    at: datetime = NOON,
    campaign: str = CAMPAIGN,
    source: str = SOURCE,
    **more: Any,
) -> ShareVisited:
    """`more`: bots, prefetches, origin."""
    data = ShareVisitedData(campaign_id=campaign, share_token=token, counter_id=counter, visits=visits, **more)
    return ShareVisited(data=data, **_envelope(f"visited-{token}-{visits}", at, source))


def stretch_goal(identifier: str, amount: int) -> StretchGoal:
    return StretchGoal(stretch_goal_id=identifier, title=f"Stretch goal {identifier}", amount_minor=amount)


def reward(identifier: str, quantity: int | None = None) -> Reward:
    return Reward(reward_id=identifier, quantity=quantity)


def renamed(event: LogEvent, identifier: str) -> LogEvent:
    """Return the same fact told by another event."""
    other: LogEvent = msgspec.structs.replace(event, id=identifier)
    return other


def moved(event: LogEvent, campaign: str) -> LogEvent:
    """Return the same fact of another campaign."""
    data = msgspec.structs.replace(event.data, campaign_id=campaign)
    other: LogEvent = msgspec.structs.replace(event, data=data)
    return other
