"""`cercles reconcile`."""

import contextlib
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import typer

from cercles.commands.audit import RATE_MIN, progress_shown
from cercles.commands.endings import explained
from cercles.commands.moments import moment
from cercles.commands.words import fail, only_warnings, settings
from cercles.exit_codes import EXIT_FAILED, EXIT_SETTINGS
from schemas.connections import KafkaConnection

if TYPE_CHECKING:
    from cercles.reconciliation.payments import Reading
    from cercles.reconciliation.run import Report, Scope

_FORMS: Final = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class Form(StrEnum):
    """How the file is written."""

    csv = "csv"
    jsonl = "jsonl"


class Amounts(StrEnum):
    """The units of the file's amounts."""

    minor = "minor"
    major = "major"


def reconcile(
    file: Annotated[str, typer.Argument(help="The gateway's list of payments; - is standard input.")],
    *,
    source: Annotated[
        str | None,
        typer.Option(
            help="The gateway's name before its ids on the log, such as `stripe`: it is put before the file's ids, and "
            "only captures with it are compared. Without it ids are taken as they are, and all captures compared.",
            show_default=False,
        ),
    ] = None,
    amounts: Annotated[
        Amounts,
        typer.Option(
            help="`minor`: whole numbers of the currency's smallest unit, 1250 for 12.50 EUR; an amount with a point "
            "is then an error. `major`: 12.50, with at most the currency's own digits."
        ),
    ] = Amounts.minor,
    form: Annotated[
        Form | None, typer.Option("--format", help="Of the file; by its name if that ends in .csv or .jsonl.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Captures made before this moment need not stand in the list, such as 2026-03-01T00:00Z.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Captures made at or after this moment need not either.", show_default=False)
    ] = None,
    taken: Annotated[
        list[str] | None,
        typer.Option(help="A further status that means money taken; any number of times.", show_default=False),
    ] = None,
    not_taken: Annotated[
        list[str] | None,
        typer.Option(help="A further status that means money not taken; any number of times.", show_default=False),
    ] = None,
    events_per_second: Annotated[
        int | None, typer.Option(min=RATE_MIN, help="Read the log no faster than this on average.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write one JSON object, on one line, instead of words.")] = False,
) -> None:
    """Hold a gateway's own list of payments against the captures that the log counts.

    FILE is CSV, whose first line names the columns, or JSON lines: `id`, `amount`, `currency`, `status`; other columns
    are ignored. The id is that of the capture (of Stripe: the charge, `ch_…`). Names what is missing here, missing
    there, or differs in amount, currency or status, and every line that can't be read. What is missing here because it
    was refused is named with its dead letter.

    The log is folded anew, up to its present end; it is only read, and the database is not needed. Refunds and disputes
    are not compared: a payment that was refunded later is still one that was taken.

    Exit codes: 0 equal, 1 something differs or a line can't be read, 2 an option or the file as a whole is wrong, 3 no
    broker answers.
    """
    only_warnings()
    from cercles.reconciliation.run import Scope  # noqa: PLC0415 - `cercles --help` should not wait for it

    statuses = frozenset(taken or ()), frozenset(not_taken or ())
    reading = _reading(file, "" if source is None else source.rstrip(":") + ":", amounts, form, statuses)
    scope = Scope(prefix=reading.prefix, since=moment("--since", since), until=moment("--until", until))
    report = _run(file, reading, scope, events_per_second)
    if json:
        import msgspec  # noqa: PLC0415 - `cercles --help` should not wait for it

        sys.stdout.write(msgspec.json.encode({"equal": report.equal} | msgspec.to_builtins(report)).decode() + "\n")
    else:
        _tell(report)
    raise typer.Exit(0 if report.equal else EXIT_FAILED)


def _run(file: str, reading: "Reading", scope: "Scope", events_per_second: int | None) -> "Report":
    from cercles.reconciliation.books import Books  # noqa: PLC0415 - `cercles --help` should not wait for it
    from cercles.reconciliation.payments import FileError, read_payments  # noqa: PLC0415 - likewise
    from cercles.reconciliation.run import enter_payments, reconcile  # noqa: PLC0415 - likewise
    from cercles.topic_reader import TopicReader  # noqa: PLC0415 - likewise

    with Books() as books:
        try:
            with _opened(file) as lines:
                report = enter_payments(books, read_payments(lines, reading))
        except FileError as error:
            fail(f"{file}: {error}", EXIT_SETTINGS)
        with (
            explained(),
            TopicReader(settings(KafkaConnection), records_per_second=events_per_second) as reader,
            progress_shown("folding") as show,
        ):
            return reconcile(reader, books, report, scope, show)


def _reading(
    file: str, prefix: str, amounts: Amounts, form: Form | None, statuses: tuple[frozenset[str], frozenset[str]]
) -> "Reading":
    from cercles.reconciliation import payments  # noqa: PLC0415 - `cercles --help` should not wait for it

    chosen = _FORMS.get(Path(file).suffix.lower()) if form is None else form.value
    if chosen is None:
        fail(f"{file}: its name does not tell how it is written: say --format csv or --format jsonl", EXIT_SETTINGS)
    taken, not_taken = payments.TAKEN | statuses[0], payments.NOT_TAKEN | statuses[1]
    both = taken & not_taken
    if both:
        fail(f"status {', '.join(sorted(both))} can't mean both money taken and not taken", EXIT_SETTINGS)
    return payments.Reading(
        form=chosen,  # type: ignore[arg-type]  # one of the two
        amounts=amounts.value,
        prefix=prefix,
        taken=taken,
        not_taken=not_taken,
    )


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(name).open("rb") as file:
            yield file
    except OSError as error:
        fail(f"{name}: {error.strerror}", EXIT_SETTINGS)


def _tell(report: "Report") -> None:
    from cercles.reconciliation.run import words  # noqa: PLC0415 - `cercles --help` should not wait for it

    for bad in report.bad_lines:
        typer.echo(f"line {bad.line}: {bad.reason}")
    for difference in report.differences:
        typer.echo(words(difference))
    unnamed = report.differences_total - len(report.differences) + report.bad_lines_total - len(report.bad_lines)
    if unnamed:
        typer.echo(f"and {unnamed} more")
    if report.hint is not None:
        typer.echo(f"hint: {report.hint}", err=True)
    result = "equal" if report.equal else f"{report.differences_total} differences"
    bad_lines = f", {report.bad_lines_total} bad lines" if report.bad_lines_total else ""
    typer.echo(f"{result}{bad_lines}: {report.payments} payments there, {report.captures} captures here")
