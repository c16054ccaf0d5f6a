"""The languages of the page: which one a reader of it wants, and how it writes money, numbers and dates."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from readers.page.words import EN, FR, Counted, Words
from schemas.money import exponent

_NARROW_SPACE: Final = "\N{NARROW NO-BREAK SPACE}"
_SPACE: Final = "\N{NO-BREAK SPACE}"
_WEIGHTED: Final = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]+)?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?")
"""One language range of Accept-Language with its weight (RFC 9110, sections 12.4.2 and 12.5.4)."""


@dataclass(frozen=True)
class Language:
    """A language of the page.

    Numbers are written as ISO 80000-1 has them, thousands apart by a narrow space and the unit after a space, in every
    language: `17 230 €` can't be misread by whoever is used to another's points and commas.
    """

    code: str
    locale: Locale
    words: Words

    def money(self, amount_minor: int, currency: str) -> str:
        """Return an amount in major units; its minor digits only where there are any: `17 230 €`, `12.50 €`."""
        digits = exponent(currency)
        places = "." + "0" * digits if amount_minor % 10**digits else ""
        text = format_currency(
            Decimal(amount_minor).scaleb(-digits),
            currency,
            format=f"#,##0{places}{_SPACE}\N{CURRENCY SIGN}",
            locale=self.locale,
            currency_digits=False,
        )
        return self._spaced(text)

    def number(self, number: int) -> str:
        """Return a whole number."""
        return self._spaced(format_decimal(number, format="#,##0", locale=self.locale))

    def decimal(self, text: str | None) -> str:
        """Return a number of two decimals, such as `4.25`; a dash where there is none."""
        if text is None:
            return "\N{EN DASH}"
        return self._spaced(format_decimal(Decimal(text), format="#,##0.00", locale=self.locale))

    def percent(self, percent: int) -> str:
        """Return a percentage: 115 is `115 %`."""
        return f"{self.number(percent)}{_SPACE}%"

    def day(self, day: date) -> str:
        """Return a day, written out."""
        return format_date(day, "long", locale=self.locale)

    def short_day(self, day: date) -> str:
        """Return a day and its month, shortened."""
        return format_date(day, "d MMM", locale=self.locale)

    def moment(self, moment: datetime, zone: ZoneInfo) -> str:
        """Return a moment in that zone, to the minute."""
        there = moment.astimezone(zone)
        return self.words.at.format(day=self.day(there.date()), time=f"{there:%H:%M}")

    def count(self, number: int, phrase: Counted) -> str:
        """Return a phrase that counts, with its number filled in."""
        form = phrase.one if self.locale.plural_form(number) == "one" else phrase.more
        return form.format(number=self.number(number))

    def _spaced(self, text: str) -> str:
        return text.replace(",", _NARROW_SPACE) if self.locale.number_symbols["latn"]["group"] == "," else text


ENGLISH: Final = Language("en", Locale("en", "GB"), EN)
FRENCH: Final = Language("fr", Locale("fr", "FR"), FR)
LANGUAGES: Final = {language.code: language for language in (ENGLISH, FRENCH)}


def choose_language(asked: str | None, accept_language: str) -> Language:
    """Return the language asked for by its code, else the best of an Accept-Language header, else English."""
    if asked is not None:
        return LANGUAGES[asked]
    weights: dict[str, float] = {}
    for one in accept_language.split(","):
        found = _WEIGHTED.fullmatch(one)
        if found is not None and found[1].lower() in LANGUAGES:
            code = found[1].lower()
            weights[code] = max(weights.get(code, 0.0), float(found[2] or 1))
    wanted = {code: weight for code, weight in weights.items() if weight > 0}
    return LANGUAGES[max(wanted, key=lambda code: wanted[code])] if wanted else ENGLISH
