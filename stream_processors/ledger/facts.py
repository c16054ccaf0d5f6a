"""The facts of pledges: each is added to what is known of its pledge, or is known already, or is in conflict.

Every function here checks everything before it changes anything, raises `Refusal` if the fact cannot stand, and
returns the pledge of which it changed what is known, or None.
"""

from datetime import UTC, datetime
from typing import Final

from schemas.events import (
    PledgeAmendedData,
    PledgeAuthorizedData,
    PledgeCanceledData,
    PledgeCapturedData,
    PledgeDisputedData,
    PledgeFailedData,
    PledgeRefundedData,
)
from schemas.fields import DisputeStatus, RefundStatus
from schemas.updates import Pledge as PledgeRow
from stream_processors.ledger.circles import follow
from stream_processors.ledger.moments import check_moment
from stream_processors.ledger.outcome import Refusal
from stream_processors.ledger.pledges import Cumulative, Dispute, Pledge, Refund
from stream_processors.ledger.rewards import choose
from stream_processors.ledger.state import Campaign

_REFUND_RANK: Final[dict[RefundStatus, int]] = {"pending": 0, "succeeded": 1, "failed": 2, "canceled": 2}
_DISPUTE_RANK: Final[dict[DisputeStatus, int]] = {"open": 0, "lost": 1, "won": 2}


def _refuse_conflict(kind: str, fact_id: str, what: str) -> None:
    raise Refusal("conflicting_duplicate", f"{kind} {fact_id} is known with another {what}")


_MoneyData = PledgeAuthorizedData | PledgeCapturedData | PledgeRefundedData | PledgeDisputedData


def _check(campaign: Campaign, known: Pledge | PledgeRow | None, data: _MoneyData, kind: str, fact_id: str) -> None:
    """Raise Refusal when the fact is in another currency, or known of another pledge."""
    currency = data.currency
    if currency != campaign.currency:
        if known is not None:
            _refuse_conflict(kind, fact_id, "currency")
        raise Refusal("currency_mismatch", f"the campaign is in {campaign.currency}, the event in {currency}")
    if known is not None and known.pledge_id != data.pledge_id:
        _refuse_conflict(kind, fact_id, "pledge")


def authorize(campaign: Campaign, data: PledgeAuthorizedData, time: datetime) -> Pledge | None:
    """An authorization: the greatest amount seen counts, unless it is canceled."""
    fact_id = data.authorization_id
    fact = campaign.authorizations.get(fact_id)
    canceled = campaign.canceled_authorizations.get(fact_id)
    _check(campaign, canceled if fact is None else fact.pledge, data, "authorization", fact_id)
    made_at = _made_at(data, time)
    if fact is None:
        fact = campaign.authorizations[fact_id] = Cumulative(campaign.find_pledge(data.pledge_id))
    pledge = fact.pledge
    changed = data.amount_minor > fact.amount_minor
    if changed:
        if canceled is None:
            pledge.authorized_minor += data.amount_minor - fact.amount_minor
        fact.amount_minor = data.amount_minor
    return pledge if _sight(campaign, pledge, data, made_at) | changed else None


def capture(campaign: Campaign, data: PledgeCapturedData, time: datetime) -> Pledge | None:
    """A capture: the greatest amount seen counts; final once any sighting says so."""
    known = campaign.captures.get(data.capture_id)
    if isinstance(known, PledgeRow) and _says(known, data, time) and data.currency == campaign.currency:
        return None
    _check(campaign, known.pledge if isinstance(known, Cumulative) else known, data, "capture", data.capture_id)
    made_at = _made_at(data, time)
    fact = campaign.find_capture(data.capture_id)
    if fact is None:
        fact = campaign.captures[data.capture_id] = Cumulative(campaign.find_pledge(data.pledge_id))
    pledge = fact.pledge
    changed = data.amount_minor > fact.amount_minor
    if changed:
        pledge.captured_minor += data.amount_minor - fact.amount_minor
        fact.amount_minor = data.amount_minor
    if data.final and not pledge.final:
        pledge.final = changed = True
    return pledge if _sight(campaign, pledge, data, made_at) | changed else None


def _says(row: PledgeRow, data: PledgeCapturedData, time: datetime) -> bool:
    """Return whether the pledge's only capture says the same, as every repetition of it does."""
    return (
        data.pledge_id == row.pledge_id
        and data.amount_minor == row.pledged_minor
        and (data.made_at or time) == row.made_at
        and data.share_token == row.share_token
        and data.backer_id == row.backer_id
        and data.reward_id is None
        and (data.made_at is None or data.made_at.tzinfo is UTC)
    )


def amend(campaign: Campaign, data: PledgeAmendedData, _time: datetime) -> Pledge | None:
    """An amendment of the promise: of all revisions the highest counts."""
    pledge = campaign.pledges.get(data.pledge_id)
    amendments = pledge.amendments if isinstance(pledge, Pledge) else None
    known = None if amendments is None else amendments.get(data.revision)
    if known is not None:
        if known != data.amount_minor:
            _refuse_conflict("amendment", f"{data.pledge_id} revision {data.revision}", "amount")
        return None
    pledge = campaign.find_pledge(data.pledge_id)
    if pledge.amendments is None:
        pledge.amendments = {}
    pledge.amendments[data.revision] = data.amount_minor
    pledge.amended_minor = pledge.amendments[max(pledge.amendments)]
    return pledge


def refund(campaign: Campaign, data: PledgeRefundedData, _time: datetime) -> Pledge | None:
    """A refund: its amount is fixed, its status only advances."""
    fact = campaign.refunds.get(data.refund_id)
    known = None if fact is None else fact.pledge
    _check(campaign, known, data, "refund", data.refund_id)
    if fact is not None:
        if fact.amount_minor != data.amount_minor:
            _refuse_conflict("refund", data.refund_id, "amount")
        if _REFUND_RANK[data.status] <= _REFUND_RANK[fact.status]:
            return None
        fact.pledge.refunded_minor -= _refunded(fact)
        fact.status = data.status
    else:
        fact = campaign.refunds[data.refund_id] = Refund(
            campaign.find_pledge(data.pledge_id), data.amount_minor, data.status
        )
    fact.pledge.refunded_minor += _refunded(fact)
    return fact.pledge


def _refunded(fact: Refund) -> int:
    return 0 if fact.status in ("failed", "canceled") else fact.amount_minor


def dispute(campaign: Campaign, data: PledgeDisputedData, _time: datetime) -> Pledge | None:
    """A dispute: its amount is fixed, its status only advances, and what it cost only shrinks."""
    fact = campaign.disputes.get(data.dispute_id)
    known = None if fact is None else fact.pledge
    _check(campaign, known, data, "dispute", data.dispute_id)
    changed = fact is None
    if fact is None:
        fact = campaign.disputes[data.dispute_id] = Dispute(campaign.find_pledge(data.pledge_id), data.amount_minor)
    elif fact.amount_minor != data.amount_minor:
        _refuse_conflict("dispute", data.dispute_id, "amount")
    else:
        _weigh(fact, -1)
    if _DISPUTE_RANK[data.status] > _DISPUTE_RANK[fact.status]:
        fact.status = data.status
        changed = True
    if data.withdrawn and not fact.withdrawn:
        fact.withdrawn = changed = True
    if data.lost_minor is not None and data.lost_minor < fact.lost_minor:
        fact.lost_minor = data.lost_minor
        changed = True
    _weigh(fact, +1)
    return fact.pledge if changed else None


def _weigh(fact: Dispute, sign: int) -> None:
    """Add what the dispute takes to its pledge's sums, or take it back."""
    if fact.status == "lost":
        fact.pledge.lost_minor += sign * fact.lost_minor
    elif fact.status == "open" and fact.withdrawn:
        fact.pledge.withdrawn_minor += sign * fact.amount_minor


def fail(campaign: Campaign, data: PledgeFailedData, _time: datetime) -> Pledge | None:
    """A failed attempt: remembered, so that it is told once; it moves no money."""
    known = campaign.attempts.get(data.attempt_id)
    if known is not None:
        if known.pledge_id != data.pledge_id:
            _refuse_conflict("attempt", data.attempt_id, "pledge")
        return None
    pledge = campaign.attempts[data.attempt_id] = campaign.find_pledge(data.pledge_id)
    return pledge


def cancel(campaign: Campaign, data: PledgeCanceledData, _time: datetime) -> Pledge | None:
    """A cancellation of one authorization or of the whole pledge: final, also before what it cancels."""
    fact_id = data.authorization_id
    if fact_id is None:
        pledge = campaign.find_pledge(data.pledge_id)
        changed = not pledge.canceled
        pledge.canceled = True
        return pledge if changed else None
    fact = campaign.authorizations.get(fact_id)
    canceled = campaign.canceled_authorizations.get(fact_id)
    known = canceled if fact is None else fact.pledge
    if known is not None and known.pledge_id != data.pledge_id:
        _refuse_conflict("authorization", fact_id, "pledge")
    if canceled is not None:
        return None
    pledge = campaign.find_pledge(data.pledge_id)
    campaign.canceled_authorizations[fact_id] = pledge
    if fact is not None:
        pledge.authorized_minor -= fact.amount_minor
    return pledge


def _made_at(data: PledgeAuthorizedData | PledgeCapturedData, time: datetime) -> datetime:
    """Return when the sighting was made, in UTC."""
    made_at = data.made_at
    if made_at is None:
        made_at = time
    else:
        check_moment(made_at)
    return made_at if made_at.tzinfo is UTC else made_at.astimezone(UTC)


def _sight(
    campaign: Campaign, pledge: Pledge, data: PledgeAuthorizedData | PledgeCapturedData, made_at: datetime
) -> bool:
    """Take day, circle, reward and backer from the earliest-made sighting; return whether that changed any of them.

    Each is the least of all sightings in an order of its own, so it does not matter in which order they come.
    """
    changed = False
    first = pledge.made_at
    if first is None or made_at < first:
        pledge.made_at = made_at
        changed = True
        if data.share_token != pledge.share_token:
            follow(campaign, pledge, data.share_token)
        if data.reward_id != pledge.reward_id:
            choose(campaign, pledge, data.reward_id)
    elif made_at == first:
        if _is_less(data.share_token, pledge.share_token):
            follow(campaign, pledge, data.share_token)
            changed = True
        if data.reward_id is not None and _is_less(data.reward_id, pledge.reward_id):
            choose(campaign, pledge, data.reward_id)
            changed = True
    if data.backer_id is not None and data.backer_id != pledge.backer_id:
        since = pledge.backer_made_at
        if since is None or made_at < since or (made_at == since and _is_less(data.backer_id, pledge.backer_id)):
            pledge.backer_id = data.backer_id
            pledge.backer_made_at = made_at
            changed = True
    elif data.backer_id is not None and pledge.backer_made_at is not None and made_at < pledge.backer_made_at:
        pledge.backer_made_at = made_at
        changed = True
    return changed


def _is_less(candidate: str | None, present: str | None) -> bool:
    """Return whether the candidate comes before the present one; absence comes last."""
    return candidate is not None and (present is None or candidate < present)
