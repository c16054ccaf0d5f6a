"""The events of payments: what a gateway tells of a payment without naming its campaign, and what links the two.

They stand on a log of their own, keyed by payment. `stream_processors.resolver` learns the links and says the facts
again as events of pledges, on the campaigns' log.
"""

from typing import ClassVar, Final

import msgspec
from msgspec import Struct

from schemas.events import Event
from schemas.fields import AmountMinor, Currency, DisputeStatus, Identifier, RefundStatus


class PaymentData(Struct, gc=False, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is told of one payment of a gateway."""

    payment_id: Identifier


class PaymentLinkedData(PaymentData, gc=False, frozen=True, kw_only=True):
    """The campaign and the pledge that a payment belongs to. A payment has one link for good.

    `captured_minor` is everything that the payment has taken, said once nothing more can follow.
    """

    campaign_id: Identifier
    pledge_id: Identifier
    currency: Currency
    captured_minor: AmountMinor | None = None


class PaymentRefundedData(PaymentData, gc=False, frozen=True, kw_only=True):
    """Money of a payment given back. The amount is fixed; the status only advances."""

    refund_id: Identifier
    amount_minor: AmountMinor
    currency: Currency
    status: RefundStatus


class PaymentDisputedData(PaymentData, gc=False, frozen=True, kw_only=True):
    """Money of a payment that the backer's bank asks back, be it in a currency of the bank's.

    `withdrawn`: the gateway has taken the money for the time being. `lost_minor`: what a lost dispute cost, when it
    is less than `amount_minor`.
    """

    dispute_id: Identifier
    amount_minor: AmountMinor
    currency: Currency
    status: DisputeStatus
    withdrawn: bool
    lost_minor: AmountMinor | None = None

    def __post_init__(self) -> None:
        if self.lost_minor is not None and self.lost_minor > self.amount_minor:
            raise ValueError("lost_minor must not exceed amount_minor")


class PaymentLinked(Event, gc=False, frozen=True, kw_only=True, tag="cercles.payment.linked"):
    data: PaymentLinkedData


class PaymentRefunded(Event, gc=False, frozen=True, kw_only=True, tag="cercles.payment.refunded"):
    data: PaymentRefundedData


class PaymentDisputed(Event, gc=False, frozen=True, kw_only=True, tag="cercles.payment.disputed"):
    data: PaymentDisputedData


PaymentFact = PaymentRefunded | PaymentDisputed
PaymentEvent = PaymentLinked | PaymentFact

PAYMENT_TYPES: Final[dict[str, type[Event]]] = {
    str(struct.__struct_config__.tag): struct for struct in (PaymentLinked, PaymentRefunded, PaymentDisputed)
}
"""Every type of the payments' log by its name on the wire."""


class PaymentDecoding:
    """The decoder, made once."""

    log: ClassVar[msgspec.json.Decoder[PaymentEvent]] = msgspec.json.Decoder(PaymentEvent)
