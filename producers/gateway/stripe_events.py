"""What a webhook of Stripe says, as events of the logs. Pure: bytes in, a value out, whatever the bytes are."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from producers.gateway.stripe_fields import CannotMapError
from producers.gateway.stripe_objects import StripeEvent, Tagged, understood
from producers.gateway.stripe_payments import PAYMENT_MAPPINGS, SAID_ELSEWHERE, Nothing, payment_fields
from producers.gateway.stripe_pledges import PLEDGE_MAPPINGS, pledge_fields
from producers.refusals import UnmappableReason
from schemas.events import PledgeEvent
from schemas.fields import IDENTIFIER_LENGTH_MAX
from schemas.payments import PaymentFact, PaymentLinked
from schemas.strictness import fault_of, first_fault

_T = TypeVar("_T")


class Ignored(Struct, frozen=True):
    """Nothing for a log: a type that says nothing of a pledge, a payment that names no campaign, no money moved."""

    why: Literal["other_type", "said_elsewhere"] | Nothing


class Unmappable(Struct, frozen=True, kw_only=True):
    """Verified, but not to be mapped; it is kept as a dead letter."""

    reason: UnmappableReason
    detail: str
    event_id: str | None = None
    campaign_id: str | None = None


class Mapped(Struct, frozen=True):
    """An event of a pledge. Its backer is already a pseudonym; `source` says which account, live or test."""

    event: PledgeEvent
    link: PaymentLinked | None = None
    """Which payment it is of, for what will name the payment only."""


class Followed(Struct, frozen=True):
    """A fact that names only its payment: the resolver finds the pledge."""

    fact: PaymentFact


def read_webhook(
    body: bytes, account: str, pseudonym: Callable[[str], str], now: datetime
) -> Mapped | Followed | Ignored | Unmappable:
    """Return what the body of a verified webhook means.

    `pseudonym` makes a pseudonym of a backer's id. `now` is aware; times are measured against it.
    """
    try:
        event = _event.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Unmappable(reason="unreadable_webhook", detail="it is not the JSON of an event of Stripe")
    if event.type not in PLEDGE_MAPPINGS and event.type not in PAYMENT_MAPPINGS:
        return Ignored("said_elsewhere" if event.type in SAID_ELSEWHERE else "other_type")
    event_id = event.id if _storable(event.id) else None
    if not understood(event.api_version):
        detail = f"Stripe's API version {event.api_version!r} is not understood: see docs/gateways/stripe.md"
        return Unmappable(reason="unsupported_event", detail=detail, event_id=event_id)
    campaign_id: str | None = None
    try:
        campaign_id = _campaign_id(event)
        return _meaning(event, campaign_id, account, pseudonym, now)
    except CannotMapError as error:
        return Unmappable(
            reason="unmappable_payment",
            detail=str(error),
            event_id=event_id,
            campaign_id=campaign_id if campaign_id is not None and _storable(campaign_id) else None,
        )


def _campaign_id(event: StripeEvent) -> str | None:
    """Return the campaign that the object names, or None for another business of the same account."""
    try:
        metadata = _tagged.decode(event.data.object).metadata or {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CannotMapError("data.object is no object with metadata") from None
    campaign_id = metadata.get("campaign_id")
    if campaign_id is not None and not isinstance(campaign_id, str):
        raise CannotMapError("metadata.campaign_id is not a text")
    return campaign_id or None


def _meaning(
    event: StripeEvent, campaign_id: str | None, account: str, pseudonym: Callable[[str], str], now: datetime
) -> Mapped | Followed | Ignored:
    source = f"stripe/{account}/{'live' if event.livemode else 'test'}"
    if event.type in PAYMENT_MAPPINGS:
        return _followed(event, source, now)
    if campaign_id is None:
        return Ignored("not_ours")
    return _mapped(event, campaign_id, source, pseudonym, now)


def _mapped(
    event: StripeEvent, campaign_id: str, source: str, pseudonym: Callable[[str], str], now: datetime
) -> Mapped:
    told = _read(event, lambda: pledge_fields(event, campaign_id, source, pseudonym))
    link: PaymentLinked | None = None if told.link is None else _checked(told.link, PaymentLinked, now)
    pledge: PledgeEvent = _checked(told.pledge, PledgeEvent, now)
    return Mapped(pledge, link)


def _followed(event: StripeEvent, source: str, now: datetime) -> Followed | Ignored:
    fields = _read(event, lambda: payment_fields(event, source))
    if isinstance(fields, str):
        return Ignored(fields)
    fact: PaymentFact = _checked(fields, PaymentFact, now)
    return Followed(fact)


def _read(event: StripeEvent, read: Callable[[], _T]) -> _T:
    try:
        return read()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        place = fault_of(error).pointer if isinstance(error, msgspec.ValidationError) else ""
        raise CannotMapError(f"data.object is not what {event.type} is about: see {place or 'its form'}") from None


def _checked(fields: dict[str, Any], kind: Any, now: datetime) -> Any:
    try:
        event = msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        fault = fault_of(error)
        raise CannotMapError(f"{fault.detail} at {fault.pointer} of the event it would make") from None
    broken = first_fault(event, now, identifier_length_max=IDENTIFIER_LENGTH_MAX)
    if broken is not None:
        raise CannotMapError(f"{broken.detail}, at {broken.pointer} of the event it would make")
    return event


def _storable(identifier: str) -> bool:
    """Whether a dead letter may name it: short, and without what a database refuses in a text."""
    return 0 < len(identifier) <= IDENTIFIER_LENGTH_MAX and identifier.isprintable()


_event: Final = msgspec.json.Decoder(StripeEvent)
_tagged: Final = msgspec.json.Decoder(Tagged)
