"""What the naive ledger knows: an event that changes none of it has no effect."""

from typing import Any

from schemas.events import (
    CampaignAmended,
    CampaignClosed,
    CampaignLaunched,
    LogEvent,
    PledgeAuthorized,
    PledgeCanceled,
    PledgeCaptured,
    PledgeDisputed,
    PledgeRefunded,
    SharePosted,
    ShareVisited,
)
from tests.ledger.naive_campaign import DISPUTE_RANKS, REFUND_RANKS, NaiveCampaign
from tests.ledger.naive_refusals import CALENDAR, fixed


def known(campaign: NaiveCampaign) -> dict[Any, Any]:
    """Return every fact as it is known, with its terms and what sightings say."""
    facts: dict[Any, Any] = {"terms": campaign.terms(), "revisions": sorted(campaign.amendments())}
    for one in campaign.log:
        key, value = _fact(one.event)
        facts[key] = value if key not in facts else _merged(facts[key], value)
    for pledge in campaign.pledges():
        named = (pledge.share_token, pledge.reward_id, campaign.naming(pledge.pledge_id))
        facts["seen", pledge.pledge_id] = (pledge.made_at, *named)
        # One final capture ends what is promised; which one it is, and a second one, make no difference.
        captures = campaign.of(PledgeCaptured, pledge.pledge_id)
        facts["final", pledge.pledge_id] = any(data.final for data in captures)
    return facts


def _fact(event: LogEvent) -> tuple[Any, dict[str, Any]]:  # noqa: PLR0911 (one case for each kind)
    """Return the fact's key, and of it what only ever grows when it is seen again."""
    match event:
        case PledgeAuthorized(data=data):
            return ("authorization", data.authorization_id), {"amount": data.amount_minor}
        case PledgeCanceled(data=data):
            return ("cancellation", data.pledge_id, data.authorization_id), {}
        case PledgeCaptured(data=data):
            return ("capture", data.capture_id), {"amount": data.amount_minor}
        case PledgeRefunded(data=data):
            return ("refund", data.refund_id), {"status": REFUND_RANKS[data.status]}
        case PledgeDisputed(data=data):
            cost = data.amount_minor if data.lost_minor is None else data.lost_minor
            return (
                ("dispute", data.dispute_id),
                {"status": DISPUTE_RANKS[data.status], "withdrawn": data.withdrawn, "spared": -cost},
            )
        case SharePosted(data=data):
            return ("share", data.share_token), {"earliness": CALENDAR[1] - event.time}
        case ShareVisited(data=data):
            counter = (data.share_token, data.counter_id, data.origin)
            return ("visits", *counter), {"visits": data.visits, "bots": data.bots, "prefetches": data.prefetches}
        case CampaignLaunched() | CampaignAmended() | CampaignClosed():
            return "campaign", {}
        case _:
            return fixed(event)[0], {}


def _merged(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return before | {name: max(before[name], value) if name in before else value for name, value in after.items()}
