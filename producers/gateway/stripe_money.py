"""Amounts as Stripe writes them, in the minor units of ISO 4217.

Source: Stripe's documentation, "Supported currencies", sections "Zero-decimal currencies" and "Special cases". Stripe's
smallest unit is ISO's but for three currencies: ISK and UGX have no minor unit, and Stripe still takes two digits that
are always 00; the ariary (MGA) has two digits in ISO 4217, and none at Stripe.
"""

from typing import Final

from schemas.money import exponent

_STRIPE_EXPONENTS: Final = {"ISK": 2, "UGX": 2, "MGA": 0}


class FractionError(ValueError):
    """The amount is not a whole number of the currency's minor units."""


def minor_units(amount: int, currency: str) -> int:
    """Return the ISO 4217 minor units of an amount in Stripe's smallest unit of that currency (a code in capitals).

    Raises FractionError, and MoneyFormatError for a code that is no active currency.
    """
    ours = exponent(currency)
    theirs = _STRIPE_EXPONENTS.get(currency, ours)
    if ours >= theirs:
        return amount * int(10 ** (ours - theirs))
    minor, rest = divmod(amount, int(10 ** (theirs - ours)))
    if rest:
        raise FractionError(f"an amount in {currency} that has a fraction of its smallest coin")
    return minor
