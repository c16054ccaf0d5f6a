"""Stripe's refunds and disputes as facts of their payment, which is all that they name.

Source: Stripe's API reference, https://docs.stripe.com/api/refunds/object, https://docs.stripe.com/api/disputes/object
and https://docs.stripe.com/api/events/types. docs/gateways/stripe.md has the whole table.
"""

from typing import Any, Final, Literal, NamedTuple

import msgspec

from producers.gateway.stripe_fields import CannotMapError, instant, money, stripe_id
from producers.gateway.stripe_objects import Dispute, Refund, StripeEvent
from schemas.fields import DisputeStatus, RefundStatus

Nothing = Literal[
    "not_ours",  # it names no payment
    "released",  # a refund of money that was never captured
    "inquiry",  # a dispute that has moved no money: an inquiry, or one that was prevented
]

SAID_ELSEWHERE: Final = frozenset({"charge.refunded", "charge.refund.updated"})
"""What the refund's own events say, and more exactly: a charge only has the sum of its refunds."""

_WITHDRAWN: Final = "charge.dispute.funds_withdrawn"
_RELEASED: Final = "expired_uncaptured_charge"

_REFUND_STATUS: Final[dict[str, RefundStatus]] = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "canceled",
}
_DISPUTE_STATUS: Final[dict[str, DisputeStatus]] = {
    "needs_response": "open",
    "under_review": "open",
    "appeal_needs_response": "open",
    "appeal_under_review": "open",
    "won": "won",
    "lost": "lost",
    "prevented": "lost",
}
_INQUIRY: Final = "warning_"


class PaymentMapping(NamedTuple):
    """What an event of one of Stripe's types becomes, and what its object is."""

    type: str
    decoder: msgspec.json.Decoder[Any]


def payment_fields(event: StripeEvent, source: str) -> dict[str, Any] | Nothing:
    """Return the fields of the fact that an event of one of the `PAYMENT_MAPPINGS` makes, or why it is none.

    Raises CannotMapError.
    """
    mapping = PAYMENT_MAPPINGS[event.type]
    seen: Refund | Dispute = mapping.decoder.decode(event.data.object)
    payment = seen.payment_intent or seen.charge
    if payment is None:
        return "not_ours"
    said = _refunded(seen) if isinstance(seen, Refund) else _disputed(event.type, seen)
    if isinstance(said, str):
        return said
    return {
        "type": mapping.type,
        "specversion": "1.0",
        "id": event.id,
        "source": source,
        "time": instant(event.created),
        "data": {"payment_id": stripe_id(payment), **said},
    }


def _refunded(refund: Refund) -> dict[str, Any] | Nothing:
    if refund.reason == _RELEASED or (refund.status == "succeeded" and refund.balance_transaction is None):
        # Nothing left the account, so nothing had come: an authorization was let go of.
        return "released"
    if refund.status not in _REFUND_STATUS:
        raise CannotMapError("the refund has a status that is not known")
    return {
        "refund_id": stripe_id(refund.id),
        **money(refund.amount, refund.currency, "amount"),
        "status": _REFUND_STATUS[refund.status],
    }


def _disputed(kind: str, dispute: Dispute) -> dict[str, Any] | Nothing:
    if dispute.status.startswith(_INQUIRY):
        return "inquiry"
    if dispute.status == "prevented" and not dispute.balance_transactions:
        return "inquiry"
    if dispute.status not in _DISPUTE_STATUS:
        raise CannotMapError("the dispute has a status that is not known")
    status = _DISPUTE_STATUS[dispute.status]
    fields = {
        "dispute_id": stripe_id(dispute.id),
        **money(dispute.amount, dispute.currency, "amount"),
        "status": status,
        "withdrawn": kind == _WITHDRAWN,
    }
    returned = _returned(dispute) if status == "lost" else 0
    if returned >= dispute.amount:
        return fields | {"status": "won"}
    if returned:
        lost = money(dispute.amount - returned, dispute.currency, "balance_transactions")
        return fields | {"lost_minor": lost["amount_minor"]}
    return fields


def _returned(dispute: Dispute) -> int:
    """Return what came back of a lost dispute, in Stripe's smallest unit of the dispute's currency."""
    returned = [one for one in dispute.balance_transactions if one.amount > 0]
    if any(one.currency != dispute.currency for one in returned):
        raise CannotMapError("a lost dispute gave a part back in another currency: say what was lost through a source")
    return sum(one.amount for one in returned)


_REFUND: Final = PaymentMapping("cercles.payment.refunded", msgspec.json.Decoder(Refund))
_DISPUTE: Final = PaymentMapping("cercles.payment.disputed", msgspec.json.Decoder(Dispute))

PAYMENT_MAPPINGS: Final = {
    "refund.created": _REFUND,
    "refund.updated": _REFUND,
    "refund.failed": _REFUND,
    "charge.dispute.created": _DISPUTE,
    "charge.dispute.updated": _DISPUTE,
    "charge.dispute.funds_withdrawn": _DISPUTE,
    "charge.dispute.funds_reinstated": _DISPUTE,
    "charge.dispute.closed": _DISPUTE,
}
"""By Stripe's type."""
