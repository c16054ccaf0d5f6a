"""Stripe's objects, as far as they are read: Stripe adds fields at any time.

Source: Stripe's API reference, https://docs.stripe.com/api, pages "The Event object", "The PaymentIntent object", "The
Charge object", "The SetupIntent object", "The Refund object" and "The Dispute object".
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

RELEASES: Final = ("basil", "clover", "dahlia", "endive")
"""Stripe's releases that are understood, from 2025-03-31.basil on.

Within a release only compatible changes are made (https://docs.stripe.com/api-versions). Before basil, letting go of
uncaptured money made a refund, which nothing tells from money given back
(https://support.stripe.com/questions/changes-to-balance-transaction-behavior-for-partial-capture-and-payment-cancellation-flows).
"""

_VERSION: Final = re.compile(rf"20[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}}\.({'|'.join(RELEASES)})")


def understood(api_version: str | None) -> bool:
    """Whether the objects of an event rendered in that version of Stripe's API have the form that is read here."""
    return api_version is not None and _VERSION.fullmatch(api_version) is not None


class EventData(Struct):
    object: msgspec.Raw


class StripeEvent(Struct):
    id: str
    type: str
    created: int
    livemode: bool
    data: EventData
    api_version: str | None = None


class Tagged(Struct):
    """Any object that has metadata."""

    metadata: dict[str, Any] | None = None


class Named(Struct):
    """An object of which only the id is wanted, where Stripe may give it whole ("Expanding Responses")."""

    id: str


class PaymentError(Struct):
    code: str | None = None
    charge: str | None = None


class PaymentIntent(Struct):
    id: str
    created: int
    currency: str
    amount_capturable: int | None = None
    amount_received: int | None = None
    latest_charge: str | Named | None = None
    last_payment_error: PaymentError | None = None
    metadata: dict[str, str] = {}


class Charge(Struct):
    id: str
    created: int
    currency: str
    amount_captured: int | None = None
    payment_intent: str | Named | None = None
    metadata: dict[str, str] = {}


class SetupIntent(Struct):
    id: str
    created: int
    metadata: dict[str, str] = {}


class Refund(Struct):
    id: str
    amount: int
    currency: str
    status: str
    payment_intent: str | Named | None = None
    charge: str | Named | None = None
    balance_transaction: str | Named | msgspec.UnsetType | None = msgspec.UNSET
    reason: str | None = None


class BalanceTransaction(Struct):
    amount: int
    currency: str


class Dispute(Struct):
    id: str
    amount: int
    currency: str
    status: str
    payment_intent: str | Named | None = None
    charge: str | Named | None = None
    balance_transactions: list[BalanceTransaction] = []
