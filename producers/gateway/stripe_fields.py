"""Fields of Stripe's objects as fields of our events."""

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

from producers.gateway.stripe_money import FractionError, NotStripesError, minor_units
from producers.gateway.stripe_objects import Named
from schemas.fields import IDENTIFIER_LENGTH_MAX
from schemas.money import MoneyFormatError

PREFIX: Final = "stripe:"
"""Stands before every id that is Stripe's, so that no other gateway's can be the same."""


class CannotMapError(Exception):
    """The words say why."""


def stripe_id(given: str | Named) -> str:
    """Return an id of Stripe's, which may have come with its whole object, as it stands on the log.

    One that is too long with the prefix, which Stripe's 255 characters can be, is replaced by its hash: the same one
    for the same id, so that a fact seen again is still the same fact.
    """
    identifier = given if isinstance(given, str) else given.id
    if not identifier:
        raise CannotMapError("an id is empty")
    if len(PREFIX) + len(identifier) <= IDENTIFIER_LENGTH_MAX:
        return PREFIX + identifier
    return f"{PREFIX}sha256:{hashlib.sha256(identifier.encode()).hexdigest()}"


def money(amount: int | None, currency: str, field: str) -> dict[str, Any]:
    """Return `amount_minor` and `currency` of an amount in Stripe's smallest unit."""
    if amount is None:
        raise CannotMapError(f"{field} is missing")
    code = currency.upper()
    try:
        return {"amount_minor": minor_units(amount, code), "currency": code}
    except NotStripesError as error:
        raise CannotMapError(str(error)) from None
    except (FractionError, MoneyFormatError):
        raise CannotMapError(f"{field} and currency are not an amount of an active ISO 4217 currency") from None


def instant(seconds: int) -> datetime:
    """Return a moment that Stripe gives in seconds since 1970."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise CannotMapError("created is not a time") from None
