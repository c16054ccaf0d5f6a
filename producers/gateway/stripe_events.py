"""What a webhook of Stripe says, as an event of the log. Pure: bytes in, a value out, whatever the bytes are.

Source: Stripe's API reference, "The Event object", "The PaymentIntent object" and "Types of events". Only what is named
here is read; Stripe adds fields at any time.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from producers.gateway.stripe_money import FractionError, minor_units
from producers.refusals import UnmappableReason
from schemas.events import PledgeEvent
from schemas.fields import IDENTIFIER_LENGTH_MAX
from schemas.money import MoneyFormatError
from schemas.strictness import fault_of, first_fault

PREFIX: Final = "stripe:"
"""Stands before every id that is Stripe's, so that no other gateway's can be the same."""

_Mapping = Callable[["_Event", "_PaymentIntent"], dict[str, Any]]


class Ignored(Struct, frozen=True):
    """Nothing for the log: a type that says nothing of a pledge, or a payment that names no campaign."""

    why: Literal["other_type", "not_ours"]


class Unmappable(Struct, frozen=True, kw_only=True):
    """Verified, but not to be mapped; it is kept as a dead letter."""

    reason: UnmappableReason
    detail: str
    event_id: str | None = None
    campaign_id: str | None = None


class Mapped(Struct, frozen=True):
    """An event of the log. Its backer is already a pseudonym; `source` says which account, live or test."""

    event: PledgeEvent


class _Object(Struct):
    object: msgspec.Raw


class _Event(Struct):
    id: str
    type: str
    created: int
    livemode: bool
    data: _Object


class _Tagged(Struct):
    metadata: dict[str, Any] | None = None


class _Charge(Struct):
    id: str


class _PaymentError(Struct):
    code: str | None = None
    charge: str | None = None


class _PaymentIntent(Struct):
    id: str
    created: int
    currency: str
    amount_capturable: int | None = None
    amount_received: int | None = None
    latest_charge: str | _Charge | None = None
    last_payment_error: _PaymentError | None = None
    metadata: dict[str, str] = {}


class _CannotMapError(Exception):
    """The words say why."""


def read_webhook(
    body: bytes, account: str, pseudonym: Callable[[str], str], now: datetime
) -> Mapped | Ignored | Unmappable:
    """Return what the body of a verified webhook means.

    `pseudonym` makes a pseudonym of a backer's id. `now` is aware; times are measured against it.
    """
    try:
        event = _event.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Unmappable(reason="unreadable_webhook", detail="it is not the JSON of an event of Stripe")
    if event.type not in _MAPPINGS:
        return Ignored("other_type")
    event_id = event.id if _storable(event.id) else None
    try:
        campaign_id = _campaign_id(event)
        if campaign_id is None:
            return Ignored("not_ours")
    except _CannotMapError as error:
        return Unmappable(reason="unmappable_payment", detail=str(error), event_id=event_id)
    try:
        return Mapped(_checked(_mapped(event, campaign_id, account, pseudonym), now))
    except _CannotMapError as error:
        return Unmappable(
            reason="unmappable_payment",
            detail=str(error),
            event_id=event_id,
            campaign_id=campaign_id if _storable(campaign_id) else None,
        )


def _campaign_id(event: _Event) -> str | None:
    """Return the campaign that the payment names, or None for another business of the same account."""
    try:
        metadata = _tagged.decode(event.data.object).metadata or {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _CannotMapError("data.object is not a payment intent") from None
    campaign_id = metadata.get("campaign_id")
    if campaign_id is not None and not isinstance(campaign_id, str):
        raise _CannotMapError("metadata.campaign_id is not a text")
    return campaign_id or None


def _mapped(event: _Event, campaign_id: str, account: str, pseudonym: Callable[[str], str]) -> dict[str, Any]:
    """Return the fields of the event that it would make."""
    try:
        intent = _payment_intent.decode(event.data.object)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        place = fault_of(error).pointer if isinstance(error, msgspec.ValidationError) else ""
        raise _CannotMapError(f"data.object is not a payment intent: see {place or 'its form'}") from None
    metadata = intent.metadata
    data = _MAPPINGS[event.type](event, intent) | {
        "campaign_id": campaign_id,
        "pledge_id": metadata.get("pledge_id") or stripe_id(intent.id),
    }
    if event.type in _SIGHTINGS:
        backer_id, share_token = metadata.get("backer_id"), metadata.get("share_token")
        data |= {"backer_id": pseudonym(backer_id)} if backer_id else {}
        data |= {"share_token": share_token} if share_token else {}
    return {
        "type": _TYPES[event.type],
        "specversion": "1.0",
        "id": event.id,
        "source": f"stripe/{account}/{'live' if event.livemode else 'test'}",
        "time": _instant(event.created),
        "data": data,
    }


def _checked(fields: dict[str, Any], now: datetime) -> PledgeEvent:
    try:
        event: PledgeEvent = msgspec.convert(fields, PledgeEvent)
    except msgspec.ValidationError as error:
        fault = fault_of(error)
        raise _CannotMapError(f"{fault.detail} at {fault.pointer} of the event it would make") from None
    broken = first_fault(event, now, identifier_length_max=IDENTIFIER_LENGTH_MAX)
    if broken is not None:
        raise _CannotMapError(f"{broken.detail}, at {broken.pointer} of the event it would make")
    return event


def _authorized(_: _Event, intent: _PaymentIntent) -> dict[str, Any]:
    return {
        "authorization_id": stripe_id(intent.id),
        **_amount(intent.amount_capturable, intent, "amount_capturable"),
        "made_at": _instant(intent.created),
    }


def _captured(_: _Event, intent: _PaymentIntent) -> dict[str, Any]:
    charge = intent.latest_charge
    if charge is None:
        raise _CannotMapError("latest_charge is missing: a capture is known by its charge")
    return {
        "capture_id": stripe_id(charge if isinstance(charge, str) else charge.id),
        **_amount(intent.amount_received, intent, "amount_received"),
        "made_at": _instant(intent.created),
    }


def _canceled(_: _Event, intent: _PaymentIntent) -> dict[str, Any]:
    return {"authorization_id": stripe_id(intent.id)}


def _failed(event: _Event, intent: _PaymentIntent) -> dict[str, Any]:
    error = intent.last_payment_error or _PaymentError()
    return {"attempt_id": stripe_id(error.charge or event.id), "reason": error.code or "payment_failed"}


def _amount(amount: int | None, intent: _PaymentIntent, field: str) -> dict[str, Any]:
    if amount is None:
        raise _CannotMapError(f"{field} is missing")
    currency = intent.currency.upper()
    try:
        return {"amount_minor": minor_units(amount, currency), "currency": currency}
    except (FractionError, MoneyFormatError):
        raise _CannotMapError(f"{field} and currency are not an amount of an active ISO 4217 currency") from None


def _instant(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise _CannotMapError("created is not a time") from None


def stripe_id(identifier: str) -> str:
    """Return an id of Stripe's as it stands on the log.

    One that is too long with the prefix, which Stripe's 255 characters can be, is replaced by its hash: the same one
    for the same id, so that a fact seen again is still the same fact.
    """
    if not identifier:
        raise _CannotMapError("an id is empty")
    if len(PREFIX) + len(identifier) <= IDENTIFIER_LENGTH_MAX:
        return PREFIX + identifier
    return f"{PREFIX}sha256:{hashlib.sha256(identifier.encode()).hexdigest()}"


def _storable(identifier: str) -> bool:
    """Whether a dead letter may name it: short, and without what a database refuses in a text."""
    return 0 < len(identifier) <= IDENTIFIER_LENGTH_MAX and identifier.isprintable()


_event: Final = msgspec.json.Decoder(_Event)
_tagged: Final = msgspec.json.Decoder(_Tagged)
_payment_intent: Final = msgspec.json.Decoder(_PaymentIntent)

_MAPPINGS: Final[dict[str, _Mapping]] = {
    "payment_intent.amount_capturable_updated": _authorized,
    "payment_intent.succeeded": _captured,
    "payment_intent.canceled": _canceled,
    "payment_intent.payment_failed": _failed,
}
_SIGHTINGS: Final = frozenset({"payment_intent.amount_capturable_updated", "payment_intent.succeeded"})
"""Types whose events say who pledged, and by which link."""

_TYPES: Final = {
    "payment_intent.amount_capturable_updated": "cercles.pledge.authorized",
    "payment_intent.succeeded": "cercles.pledge.captured",
    "payment_intent.canceled": "cercles.pledge.canceled",
    "payment_intent.payment_failed": "cercles.pledge.failed",
}
