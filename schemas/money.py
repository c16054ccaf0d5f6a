"""Money: an integer of minor units with its ISO 4217 currency. Never a float, never added across currencies.

Source of the exponents: ISO 4217, list one (active currencies and funds) as published on 2026-09-17, 165 codes. Codes
without minor units (precious metals, SDR, testing) are left out: nobody can be charged in them.
"""

import re
from dataclasses import dataclass
from typing import Final

_BY_EXPONENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
        "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
        "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
        "MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP "
        "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG "
        "YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

EXPONENTS: Final[dict[str, int]] = {
    code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()
}
"""Digits after the decimal point of every active ISO 4217 currency."""

AMOUNT_DIGITS_MAX: Final = 18
"""Most digits before the point in the text of an amount, so that no text costs more than it is worth."""

_AMOUNT: Final = re.compile(rf"(-?)([0-9]{{1,{AMOUNT_DIGITS_MAX}}})(?:\.([0-9]+))?")


class CurrencyMismatchError(ValueError):
    """Two amounts of different currencies were to be added or compared."""


class MoneyFormatError(ValueError):
    """A text is not an amount of that currency."""


def exponent(currency: str) -> int:
    """Return the currency's digits after the decimal point (JPY 0, EUR 2, TND 3).

    Raises MoneyFormatError when the code is not an active ISO 4217 currency.
    """
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise MoneyFormatError(f"{currency!r} is not an active ISO 4217 currency code") from None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units with its currency."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.amount_minor, bool) or not isinstance(self.amount_minor, int):
            raise MoneyFormatError(f"amount_minor must be an integer, not {self.amount_minor!r}")
        exponent(self.currency)

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise CurrencyMismatchError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __str__(self) -> str:
        return f"{format_amount(self.amount_minor, self.currency)} {self.currency}"


def format_amount(amount_minor: int, currency: str) -> str:
    """Return the amount in major units with the currency's own digits: 1723000 EUR is `17230.00`.

    Raises MoneyFormatError for an unknown currency.
    """
    digits = exponent(currency)
    if digits == 0:
        return str(amount_minor)
    sign = "-" if amount_minor < 0 else ""
    text = str(abs(amount_minor)).zfill(digits + 1)
    return f"{sign}{text[:-digits]}.{text[-digits:]}"


def parse_amount(text: str, currency: str) -> int:
    """Return the minor units of an amount in major units: `17230.00` or `17230` EUR is 1723000.

    Takes ASCII digits, and after one point at most the currency's own digits; no exponent, no grouping, no blanks.
    Raises MoneyFormatError for anything else, so that nothing is ever rounded.
    """
    digits = exponent(currency)
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise MoneyFormatError(f"{text[:40]!r} is not an amount in {currency}: use digits and at most one point")
    sign, major, fraction = match[1], match[2], match[3] or ""
    if len(fraction) > digits:
        raise MoneyFormatError(
            f"{text[:40]!r} has more than {digits} digits after the point, which {currency} does not"
        )
    minor = int(major + fraction.ljust(digits, "0"))
    return -minor if sign else minor
