"""The whole reconciliation: the gateway's list, the log's captures, and what they do not agree about."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from msgspec import Struct

from cercles.reconciliation.books import Books, Difference
from cercles.reconciliation.captures import Show, enter_captures
from cercles.reconciliation.payments import BadLine, Payment
from cercles.topic_reader import TopicReader
from schemas.money import exponent, format_amount

NAMED_MAX: Final = 10_000
"""Most differences, and most bad lines, that are named; further ones are counted."""


class Report(Struct, kw_only=True):
    """What came of it. `equal` once nothing differs and every line could be read."""

    payments: int = 0
    repeated: int = 0
    captures: int = 0
    bad_lines_total: int = 0
    bad_lines: list[BadLine] = []
    differences_total: int = 0
    differences: list[Difference] = []
    hint: str | None = None

    @property
    def equal(self) -> bool:
        """Whether gateway and ledger say the same."""
        return not (self.differences_total or self.bad_lines_total)


class Scope(Struct, frozen=True, kw_only=True):
    """What the gateway's list is about: ids with that prefix; captures made at other times need not stand there."""

    prefix: str = ""

    since: datetime | None = None
    until: datetime | None = None


def enter_payments(books: Books, lines: Iterable[Payment | BadLine]) -> Report:
    """Enter the gateway's list, and begin a report about it. Raises FileError."""
    report = Report()
    for line in lines:
        if isinstance(line, BadLine):
            _add_bad(report, line)
            continue
        before = books.add_payment(line)
        if before is None:
            report.payments += 1
        elif (before.amount_minor, before.currency, before.status) == (line.amount_minor, line.currency, line.status):
            report.repeated += 1
        else:
            _add_bad(report, BadLine(line.line, f"{line.payment_id} stands on line {before.line} with other content"))
    return report


def reconcile(reader: TopicReader, books: Books, report: Report, scope: Scope, show: Show) -> Report:
    """Enter the log's captures and compare. Raises StretchMissingError and Kafka's errors."""
    moments = scope.since is not None or scope.until is not None
    report.captures = enter_captures(reader, books, scope.prefix, show, moments=moments)
    by_hundreds = 0
    amounts = 0
    for difference in books.differences(scope.since, scope.until):
        report.differences_total += 1
        if len(report.differences) < NAMED_MAX:
            report.differences.append(difference)
        if difference.kind == "amount":
            amounts += 1
            by_hundreds += _is_unit_fault(difference)
    if amounts and by_hundreds == amounts:
        report.hint = "every differing amount differs as minor units do from major ones: look at --amounts"
    return report


def words(difference: Difference) -> str:
    """Return a difference in words."""
    one = difference
    line = "" if one.line is None else f"line {one.line}: "
    hint = "" if one.hint is None else f" ({one.hint})"
    there, here = _money(one.there_minor, one.there_currency), _money(one.here_minor, one.here_currency)
    pledge = f"campaign {one.campaign_id}, pledge {one.pledge_id}"
    says: dict[str, Callable[[], str]] = {
        "missing_here": lambda: f"missing here: the gateway has {there}, {one.status}, the ledger nothing",
        "missing_there": lambda: f"missing there: the ledger has {here}, {pledge}, the gateway nothing",
        "amount": lambda: f"amount: {there} there, {here} here, {pledge}",
        "currency": lambda: f"currency: {there} there, {here} here, {pledge}",
        "status": lambda: f"status: {one.status} there, {here} captured here, {pledge}",
        "several_campaigns": lambda: "several campaigns",
    }
    return f"{line}{one.payment_id}: {says[one.kind]()}{hint}"


def _add_bad(report: Report, line: BadLine) -> None:
    report.bad_lines_total += 1
    if len(report.bad_lines) < NAMED_MAX:
        report.bad_lines.append(line)


def _is_unit_fault(difference: Difference) -> bool:
    there, here, currency = difference.there_minor, difference.here_minor, difference.here_currency
    if there is None or here is None or currency is None:
        return False
    factor: int = 10 ** exponent(currency)
    return factor > 1 and max(there, here) == min(there, here) * factor


def _money(amount_minor: int | None, currency: str | None) -> str:
    return "" if amount_minor is None or currency is None else f"{format_amount(amount_minor, currency)} {currency}"
