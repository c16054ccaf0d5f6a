"""Money: integers of minor units, each with the exponent of its own currency."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import (
    AMOUNT_DIGITS_MAX,
    EXPONENTS,
    CurrencyMismatchError,
    Money,
    MoneyFormatError,
    exponent,
    format_amount,
    parse_amount,
)

currencies = st.sampled_from(sorted(EXPONENTS))
amounts = st.integers(-(10**17), 10**17)


def test_the_list_has_every_code_with_minor_units() -> None:
    """ISO 4217 list one as published on 2026-09-17: 165 codes, three capital letters each."""
    assert len(EXPONENTS) == 165
    assert all(code.isascii() and code.isupper() and len(code) == 3 for code in EXPONENTS)
    assert {digits: list(EXPONENTS.values()).count(digits) for digits in range(5)} == {0: 17, 1: 0, 2: 139, 3: 7, 4: 2}


@pytest.mark.parametrize(
    ("codes", "digits"),
    [
        ("JPY KRW ISK CLP UGX XOF XAF XPF VND", 0),
        ("EUR USD GBP HUF TWD MGA MRU", 2),
        ("TND BHD IQD JOD KWD LYD OMR", 3),
        ("CLF UYW", 4),
    ],
)
def test_a_currency_has_its_own_exponent(codes: str, digits: int) -> None:
    """JPY 0, EUR 2, TND 3; a wrong one is every amount wrong by a power of ten."""
    assert {code: exponent(code) for code in codes.split()} == dict.fromkeys(codes.split(), digits)


@pytest.mark.parametrize("code", ["XCG", "ZWG", "SLE", "VED", "XAD", "BYN", "STN", "CUP"])
def test_the_latest_currencies_are_there(code: str) -> None:
    """The guilder of Curaçao and Sint Maarten, Zimbabwe's gold, the new leone and others."""
    assert code in EXPONENTS


@pytest.mark.parametrize("code", ["BGN", "HRK", "ANG", "CUC", "ZWL", "SLL", "VEF", "LTL", "DEM", "MRO"])
def test_withdrawn_currencies_are_not(code: str) -> None:
    """Bulgaria has paid in euros since 2026; nobody can be charged in these."""
    with pytest.raises(MoneyFormatError, match="not an active ISO 4217"):
        exponent(code)


@pytest.mark.parametrize("code", ["XAU", "XAG", "XDR", "XTS", "XXX", "XUA", "BTC", "eur", "EUR ", "", "€"])
def test_what_is_no_currency_is_refused(code: str) -> None:
    """Metals, drawing rights and testing have no minor units; other texts are no codes."""
    for use in (lambda: exponent(code), lambda: format_amount(1, code), lambda: parse_amount("1", code)):
        with pytest.raises(MoneyFormatError):
            use()
    with pytest.raises(MoneyFormatError):
        Money(1, code)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1_723_000, "EUR", "17230.00"),
        (1, "EUR", "0.01"),
        (-1, "EUR", "-0.01"),
        (-1_005, "EUR", "-10.05"),
        (0, "EUR", "0.00"),
        (1_723_000, "JPY", "1723000"),
        (-5, "JPY", "-5"),
        (1_723_000, "TND", "1723.000"),
        (1, "CLF", "0.0001"),
        (10**12, "EUR", "10000000000.00"),
    ],
)
def test_an_amount_is_written_with_the_currencys_own_digits(minor: int, currency: str, text: str) -> None:
    """And read back to the same."""
    assert format_amount(minor, currency) == text
    assert parse_amount(text, currency) == minor


@given(amounts, currencies)
def test_what_is_written_is_read_back(minor: int, currency: str) -> None:
    """For every amount of every currency, with exactly its digits."""
    text = format_amount(minor, currency)
    assert parse_amount(text, currency) == minor
    assert len(text.partition(".")[2]) == exponent(currency)
    assert Decimal(text).scaleb(exponent(currency)) == minor


@given(amounts, currencies, st.integers(0, 4))
def test_fewer_digits_mean_the_same(minor: int, currency: str, dropped: int) -> None:
    """Zeros at the end of the fraction may be left out, and the point with them."""
    major, point, fraction = format_amount(minor, currency).partition(".")
    kept = fraction[: len(fraction) - min(dropped, len(fraction) - len(fraction.rstrip("0")))]
    assert parse_amount(major + (point + kept if kept else ""), currency) == minor


@pytest.mark.parametrize("currency", ["EUR", "JPY", "TND"])
@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "-", "-.", "1.", ".5", "-.5", "1.2.3", "+1", "--1", "1-"),
        *("1e3", "1E3", "NaN", "Infinity", "0x1", "1_000", "1,000", "1'000"),
        *(" 1", "1 ", "1\n", "1\u00a0000", "\x00", "1\x00"),
        # Digits of other scripts, fullwidth ones, powers and fractions.
        *("\u0663", "1.\u0663", "\uff11", "\u00b2", "\u00bd"),
        *("\u20ac1", "1\u20ac", "1 EUR"),
    ],
)
def test_anything_else_is_refused(text: str, currency: str) -> None:
    """No exponent, no grouping, no blanks, no other digits, no bare point: nothing is guessed."""
    with pytest.raises(MoneyFormatError):
        parse_amount(text, currency)


@pytest.mark.parametrize(("text", "currency"), [("1.005", "EUR"), ("1.000", "EUR"), ("1.0", "JPY"), ("1.0000", "TND")])
def test_more_digits_than_the_currency_has_are_refused(text: str, currency: str) -> None:
    """Also zeros: who writes yen with a point may mean another currency."""
    with pytest.raises(MoneyFormatError, match="digits after the point"):
        parse_amount(text, currency)


def test_a_huge_amount_is_exact_or_refused() -> None:
    """Never rounded: up to 18 digits before the point, and no more."""
    assert parse_amount("9" * AMOUNT_DIGITS_MAX + ".99", "EUR") == int("9" * (AMOUNT_DIGITS_MAX + 2))
    for digits in (AMOUNT_DIGITS_MAX + 1, 40, 100_000):
        with pytest.raises(MoneyFormatError) as caught:
            parse_amount("9" * digits, "EUR")
        assert len(str(caught.value)) < 200


@given(st.text(max_size=12), currencies)
def test_no_text_does_anything_else(text: str, currency: str) -> None:
    """An amount or a MoneyFormatError, whatever comes."""
    try:
        minor = parse_amount(text, currency)
    except MoneyFormatError:
        return
    assert Decimal(text).scaleb(exponent(currency)) == minor


def test_money_of_one_currency_adds_up() -> None:
    """And shows itself with its currency."""
    assert Money(1_500_000, "EUR") + Money(223_000, "EUR") == Money(1_723_000, "EUR")
    assert str(Money(1_723_000, "EUR")) == "17230.00 EUR"


def test_money_of_two_currencies_does_not() -> None:
    """Never added across currencies."""
    with pytest.raises(CurrencyMismatchError, match="cannot add USD to EUR"):
        Money(1, "EUR") + Money(1, "USD")


@pytest.mark.parametrize("amount", [1.0, True, "1", None, Decimal(1)])
def test_money_is_an_integer(amount: int) -> None:
    """Never a float, a bool or a text."""
    with pytest.raises(MoneyFormatError, match="must be an integer"):
        Money(amount, "EUR")
