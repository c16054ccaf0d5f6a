"""Stripe's smallest units against ISO 4217's."""

import pytest

from producers.gateway.stripe_money import FractionError, NotStripesError, minor_units
from schemas.money import MoneyFormatError


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        (1050, "EUR", 1050),
        (500, "JPY", 500),
        (500, "KRW", 500),
        (5120, "KWD", 5120),
        (5120, "TND", 5120),
        (500, "ISK", 5),
        (500, "UGX", 5),
        (500, "MGA", 50_000),
        (1000, "HUF", 1000),
        (1000, "TWD", 1000),
    ],
)
def test_amounts_are_in_the_units_of_iso_4217(amount: int, currency: str, minor: int) -> None:
    """They differ for three currencies only."""
    assert minor_units(amount, currency) == minor


def test_a_fraction_of_the_smallest_coin_is_refused() -> None:
    """Nothing is ever rounded."""
    with pytest.raises(FractionError):
        minor_units(550, "ISK")


@pytest.mark.parametrize("currency", ["IQD", "LYD", "CLF", "UYI", "UYW"])
def test_a_unit_that_stripe_does_not_state_is_not_assumed(currency: str) -> None:
    """Its table lacks two of ISO 4217's currencies of three digits, those of four, and one of none."""
    with pytest.raises(NotStripesError):
        minor_units(1000, currency)


@pytest.mark.parametrize("currency", ["eur", "XAU", ""])
def test_other_codes_are_refused(currency: str) -> None:
    """Only active currencies, in capitals."""
    with pytest.raises(MoneyFormatError):
        minor_units(1, currency)
