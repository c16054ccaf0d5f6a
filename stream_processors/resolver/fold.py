"""The fold of the payments' log: one event onto the state of its partition.

A fact is said again, as an event of its pledge, as soon as its payment's link is known; until then it waits, and
nothing else waits for it. What is said does not depend on the order in which links and facts come, nor on repetition:
saying a fact twice is harmless, since the ledger knows it by its id.
"""

from typing import Final

from schemas.events import Event, PledgeDisputed, PledgeDisputedData, PledgeRefunded, PledgeRefundedData
from schemas.payments import (
    PaymentData,
    PaymentDisputed,
    PaymentEvent,
    PaymentFact,
    PaymentLinked,
    PaymentLinkedData,
    PaymentRefunded,
)
from stream_processors.refusals import ResolverRefusalReason
from stream_processors.resolver.record import PaymentRecord
from stream_processors.resolver.state import Payment, ResolverState, Waiting

WAIT_MS_MAX: Final = 7 * 24 * 3600 * 1000
"""How long a fact waits before it is a dead letter: longer than Stripe goes on sending what it got no 2xx for (three
days; https://docs.stripe.com/webhooks, "Retry behavior")."""


class Refusal(Exception):  # noqa: N818 (a refusal is a named result, not an error of the program)
    """The event is not applied, and nothing has changed. It becomes a dead letter."""

    def __init__(self, reason: ResolverRefusalReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: ResolverRefusalReason = reason
        self.detail = detail


def expired(state: ResolverState, time_ms: int) -> list[Waiting]:
    """Let the log's time come to that of a record; return the facts that have waited for too long by then.

    They go on waiting: should their payment appear, they are said like any other.
    """
    state.time_ms = max(state.time_ms, time_ms)
    late: list[Waiting] = []
    for waiting in state.waiting.values():
        if state.time_ms - waiting.since_ms <= WAIT_MS_MAX:
            break
        late.append(waiting)
    for waiting in late:
        del state.waiting[waiting.record.offset]
    return late


def resolve(state: ResolverState, event: PaymentEvent, record: PaymentRecord) -> list[Event]:
    """Apply the event of a record and return the events of pledges that can now be said.

    Raises Refusal (`conflicting_duplicate`) for a link that differs from the one known.
    """
    payment = state.payment(event.source, event.data.payment_id)
    if isinstance(event, PaymentLinked):
        _learn(payment, event.data)
        return _release(state, payment)
    said = _said(payment, event)
    if said is not None:
        return [said]
    if payment.waiting is None:
        payment.waiting = {}
    if event.data not in payment.waiting:
        payment.waiting[event.data] = state.waiting[record.offset] = Waiting(event, record, state.time_ms)
    return []


def _learn(payment: Payment, link: PaymentLinkedData) -> None:
    known = payment.link or link
    if (known.campaign_id, known.pledge_id, known.currency) != (link.campaign_id, link.pledge_id, link.currency):
        raise Refusal(
            "conflicting_duplicate",
            f"payment {link.payment_id} is known as one of pledge {known.pledge_id} of campaign {known.campaign_id} in "
            f"{known.currency}",
        )
    if payment.captured_minor is not None and link.captured_minor not in (None, payment.captured_minor):
        raise Refusal("conflicting_duplicate", f"payment {link.payment_id} is known with another captured amount")
    payment.link = known
    if payment.captured_minor is None:
        payment.captured_minor = link.captured_minor


def _release(state: ResolverState, payment: Payment) -> list[Event]:
    """Return what the payment's waiting facts say, and let them wait no longer."""
    released: list[Event] = []
    still: dict[PaymentData, Waiting] = {}
    for fact, waiting in (payment.waiting or {}).items():
        said = _said(payment, waiting.event)
        if said is None:
            still[fact] = waiting
        else:
            released.append(said)
            state.waiting.pop(waiting.record.offset, None)
    payment.waiting = still or None
    return released


def _said(payment: Payment, event: PaymentFact) -> Event | None:
    """Return the fact as an event of its pledge, or None as long as that can't be said."""
    link = payment.link
    if link is None:
        return None
    if isinstance(event, PaymentRefunded):
        return _refunded(link, event)
    return _disputed(link, payment.captured_minor, event)


def _refunded(link: PaymentLinkedData, event: PaymentRefunded) -> Event:
    data = event.data
    return PledgeRefunded(
        specversion="1.0",
        id=event.id,
        source=event.source,
        time=event.time,
        data=PledgeRefundedData(
            campaign_id=link.campaign_id,
            pledge_id=link.pledge_id,
            refund_id=data.refund_id,
            amount_minor=data.amount_minor,
            currency=data.currency,
            status=data.status,
        ),
    )


def _disputed(link: PaymentLinkedData, captured_minor: int | None, event: PaymentDisputed) -> Event | None:
    """Return the dispute; one in another currency takes everything that the payment has taken, once that is known.

    Source: https://docs.stripe.com/disputes, the disputed amount "can differ (usually because of currency
    fluctuation)". What of it a bank gives back can't be told in the payment's currency.
    """
    data = event.data
    amount_minor: int | None = data.amount_minor
    lost_minor = data.lost_minor
    if data.currency != link.currency:
        amount_minor, lost_minor = captured_minor, None
    if amount_minor is None:
        return None
    return PledgeDisputed(
        specversion="1.0",
        id=event.id,
        source=event.source,
        time=event.time,
        data=PledgeDisputedData(
            campaign_id=link.campaign_id,
            pledge_id=link.pledge_id,
            dispute_id=data.dispute_id,
            amount_minor=amount_minor,
            currency=link.currency,
            status=data.status,
            withdrawn=data.withdrawn,
            lost_minor=lost_minor,
        ),
    )
