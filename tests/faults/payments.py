"""What Stripe tells of payments: signed webhooks, in disorder, some of them twice, refunds before their payment."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import stripe

from schemas.events import Event, PledgeDisputed, PledgeRefunded
from tests.ledger.events import NOON

ACCOUNT: Final = "acme"
SECRET: Final = "whsec_of-stripe-for-tests-only"
PATH: Final = f"/v1/webhooks/stripe/{ACCOUNT}"
PAYMENTS: Final = 1
"""Payments of each campaign."""

Fact = tuple[str, str, str, bool]
"""A refund or a dispute as it must come to stand on the campaigns' log: kind, id, status, and whether withdrawn."""


class Webhook(NamedTuple):
    """A webhook, and what it tells."""

    body: str
    payment: str
    fact: Fact | None
    """None: it links the payment to its campaign."""


def webhooks(campaign_id: str, chance: random.Random) -> list[Webhook]:
    """Return what Stripe tells of a campaign's payments."""
    told = [
        webhook for number in range(PAYMENTS) for webhook in _of_payment(f"{campaign_id}-{number}", campaign_id, chance)
    ]
    told += chance.choices(told, k=len(told) // 5)
    chance.shuffle(told)
    return told


def headers(body: str) -> dict[str, str]:
    """Return the headers that Stripe sends with it now."""
    signature = stripe.WebhookSignature.generate_signature_header(body, SECRET)
    return {"content-type": "application/json; charset=utf-8", "stripe-signature": str(signature)}


def fact_of(event: Event) -> Fact | None:
    """Return the fact that stands on the campaigns' log in this event, or None if it is of another kind."""
    if isinstance(event, PledgeRefunded):
        return ("refund", event.data.refund_id, event.data.status, False)
    if isinstance(event, PledgeDisputed):
        return ("dispute", event.data.dispute_id, event.data.status, event.data.withdrawn)
    return None


@dataclass
class Owed:
    """The facts of payments that were accepted; those whose payment is linked must come to stand on the log."""

    _linked: set[str] = field(default_factory=set)
    _told: dict[str, set[Fact]] = field(default_factory=dict)

    def accept(self, webhook: Webhook) -> None:
        """Take down what a webhook told that got its 202."""
        if webhook.fact is None:
            self._linked.add(webhook.payment)
        else:
            self._told.setdefault(webhook.payment, set()).add(webhook.fact)

    @property
    def facts(self) -> set[Fact]:
        """Everything that must stand on the log."""
        return {fact for payment in self._linked for fact in self._told.get(payment, ())}


def _of_payment(name: str, campaign_id: str, chance: random.Random) -> Iterator[Webhook]:
    payment, amount = f"pi_{name}", chance.randrange(500, 20_000)
    common = {"currency": "eur", "created": int(NOON.timestamp()), "metadata": {}}
    yield _webhook(
        "payment_intent.succeeded",
        common
        | {
            "id": payment,
            "object": "payment_intent",
            "amount_received": amount,
            "latest_charge": f"ch_{name}",
            "metadata": {"campaign_id": campaign_id, "pledge_id": f"stripe-{name}"},
        },
        payment,
    )
    refund = {"id": f"re_{name}", "object": "refund", "amount": amount // 3, "payment_intent": payment}
    for event, status in (("refund.created", "pending"), ("refund.updated", "succeeded")):
        told = common | refund | {"status": status, "balance_transaction": f"txn_{name}"}
        yield _webhook(event, told, payment, ("refund", f"stripe:re_{name}", status, False))
    dispute = {"id": f"dp_{name}", "object": "dispute", "amount": amount // 2, "payment_intent": payment}
    for event, status, ours in (
        ("charge.dispute.created", "needs_response", "open"),
        ("charge.dispute.funds_withdrawn", "needs_response", "open"),
        ("charge.dispute.closed", "lost", "lost"),
    ):
        told = common | dispute | {"status": status, "balance_transactions": []}
        withdrawn = event.endswith("funds_withdrawn")
        yield _webhook(event, told, payment, ("dispute", f"stripe:dp_{name}", ours, withdrawn))


def _webhook(kind: str, what: dict[str, Any], payment: str, fact: Fact | None = None) -> Webhook:
    event = {
        "id": f"evt_{kind}_{what['id']}",
        "object": "event",
        "api_version": stripe.api_version,
        "created": int(NOON.timestamp()),
        "livemode": False,
        "type": kind,
        "data": {"object": what},
    }
    return Webhook(json.dumps(event), payment, fact)
