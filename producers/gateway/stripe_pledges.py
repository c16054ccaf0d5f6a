"""Stripe's payments, charges and set-up cards as events of pledges: the objects that carry the campaign's metadata.

Source: Stripe's API reference, https://docs.stripe.com/api/events/types. docs/gateways/stripe.md has the whole table.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from producers.gateway.stripe_fields import CannotMapError, instant, money, stripe_id
from producers.gateway.stripe_objects import Charge, Named, PaymentError, PaymentIntent, SetupIntent, StripeEvent

_AMOUNT: Final = re.compile(r"[0-9]{1,15}")
"""An amount in the metadata, in Stripe's smallest unit as everywhere at Stripe."""


class Told(NamedTuple):
    """What one event tells: the fields of the event of a pledge, and of the link to it, where a payment has one."""

    pledge: dict[str, Any]
    link: dict[str, Any] | None


class PledgeMapping(NamedTuple):
    """How events of one of Stripe's types become events of a pledge."""

    type: str
    """Ours."""
    decoder: msgspec.json.Decoder[Any]
    fields: Callable[[StripeEvent, Any], dict[str, Any]]
    sighting: bool = False
    """Whether it says who pledged, by which link, and for which reward."""


def pledge_fields(event: StripeEvent, campaign_id: str, source: str, pseudonym: Callable[[str], str]) -> Told:
    """Return what an event of one of the `PLEDGE_MAPPINGS` tells. Raises CannotMapError."""
    mapping = PLEDGE_MAPPINGS[event.type]
    seen: PaymentIntent | Charge | SetupIntent = mapping.decoder.decode(event.data.object)
    payment_id = stripe_id(_payment_of(seen))
    names = {"campaign_id": campaign_id, "pledge_id": seen.metadata.get("pledge_id") or payment_id}
    data = mapping.fields(event, seen) | names
    if mapping.sighting:
        backer_id = seen.metadata.get("backer_id")
        data |= {"made_at": instant(seen.created)}
        data |= {"backer_id": pseudonym(backer_id)} if backer_id else {}
        data |= {name: named for name in ("share_token", "reward_id") if (named := seen.metadata.get(name))}
    envelope = {"specversion": "1.0", "id": event.id, "source": source, "time": instant(event.created)}
    pledge = {"type": mapping.type, **envelope, "data": data}
    if isinstance(seen, SetupIntent):
        return Told(pledge, None)
    link = {"payment_id": payment_id, **names, "currency": seen.currency.upper()}
    if event.type == "payment_intent.succeeded":
        link["captured_minor"] = data["amount_minor"]
    return Told(pledge, {"type": "cercles.payment.linked", **envelope, "data": link})


def _payment_of(seen: PaymentIntent | Charge | SetupIntent) -> str | Named:
    """Return the payment that refunds and disputes will name: a charge has a payment intent, or stands for itself."""
    return (seen.payment_intent or seen.id) if isinstance(seen, Charge) else seen.id


def _authorized(_: StripeEvent, intent: PaymentIntent) -> dict[str, Any]:
    return {
        "authorization_id": stripe_id(intent.id),
        **money(intent.amount_capturable, intent.currency, "amount_capturable"),
    }


def _succeeded(_: StripeEvent, intent: PaymentIntent) -> dict[str, Any]:
    if intent.latest_charge is None:
        raise CannotMapError("latest_charge is missing: a capture is known by its charge")
    return {
        "capture_id": stripe_id(intent.latest_charge),
        **money(intent.amount_received, intent.currency, "amount_received"),
    }


def _captured(_: StripeEvent, charge: Charge) -> dict[str, Any]:
    """Return the same capture as the payment intent's, which alone says that nothing more follows."""
    return {
        "capture_id": stripe_id(charge.id),
        **money(charge.amount_captured, charge.currency, "amount_captured"),
        "final": False,
    }


def _canceled(_: StripeEvent, intent: PaymentIntent) -> dict[str, Any]:
    return {"authorization_id": stripe_id(intent.id)}


def _failed(event: StripeEvent, intent: PaymentIntent) -> dict[str, Any]:
    error = intent.last_payment_error or PaymentError()
    return {"attempt_id": stripe_id(error.charge or event.id), "reason": error.code or "payment_failed"}


def _set_up(_: StripeEvent, intent: SetupIntent) -> dict[str, Any]:
    """Return an authorization that never expires: a card was kept, and the amount is a promise."""
    amount, currency = intent.metadata.get("amount", ""), intent.metadata.get("currency", "")
    if _AMOUNT.fullmatch(amount) is None or not currency:
        raise CannotMapError("metadata.amount and metadata.currency are needed: a setup intent has no amount")
    return {"authorization_id": stripe_id(intent.id), **money(int(amount), currency, "metadata.amount")}


_intent: Final = msgspec.json.Decoder(PaymentIntent)

PLEDGE_MAPPINGS: Final = {
    "payment_intent.amount_capturable_updated": PledgeMapping(
        "cercles.pledge.authorized", _intent, _authorized, sighting=True
    ),
    "payment_intent.succeeded": PledgeMapping("cercles.pledge.captured", _intent, _succeeded, sighting=True),
    "charge.captured": PledgeMapping("cercles.pledge.captured", msgspec.json.Decoder(Charge), _captured, sighting=True),
    "payment_intent.canceled": PledgeMapping("cercles.pledge.canceled", _intent, _canceled),
    "payment_intent.payment_failed": PledgeMapping("cercles.pledge.failed", _intent, _failed),
    "setup_intent.succeeded": PledgeMapping(
        "cercles.pledge.authorized", msgspec.json.Decoder(SetupIntent), _set_up, sighting=True
    ),
}
"""By Stripe's type."""
