"""Amounts as Stripe writes them, in the minor units of ISO 4217.

Source: https://docs.stripe.com/currencies, sections "Minor units in API amounts", "Zero-decimal currencies",
"Three-decimal currencies" and "Special cases". The table is Stripe's own: where it says nothing of a currency that ISO
4217 gives other than two digits, nothing is assumed.
"""

from typing import Final

from schemas.money import exponent

_ZERO_DECIMAL: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THREE_DECIMAL: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
_TWO_DECIMAL: Final = frozenset({"ISK", "UGX"})
"""Without minor units in ISO 4217; Stripe still takes, and says, two digits, which are always 00."""

_USUAL_DIGITS: Final = 2


class FractionError(ValueError):
    """The amount is not a whole number of the currency's minor units."""


class NotStripesError(ValueError):
    """Stripe's table does not say in which unit it writes amounts of the currency."""


def minor_units(amount: int, currency: str) -> int:
    """Return the ISO 4217 minor units of an amount in Stripe's smallest unit of that currency (a code in capitals).

    Raises FractionError, NotStripesError, and MoneyFormatError for a code that is no active currency.
    """
    ours, theirs = exponent(currency), _digits(currency)
    if ours >= theirs:
        return amount * int(10 ** (ours - theirs))
    minor, rest = divmod(amount, int(10 ** (theirs - ours)))
    if rest:
        raise FractionError(f"an amount in {currency} that has a fraction of its smallest coin")
    return minor


def _digits(currency: str) -> int:
    """Return how many digits of Stripe's amounts stand after the point."""
    if currency in _ZERO_DECIMAL:
        return 0
    if currency in _THREE_DECIMAL:
        return 3
    if currency not in _TWO_DECIMAL and exponent(currency) != _USUAL_DIGITS:
        raise NotStripesError(f"Stripe does not say in which unit it writes amounts in {currency}")
    return _USUAL_DIGITS
