"""`cercles audit`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cercles.commands.databases import reading
from cercles.commands.endings import explained
from cercles.commands.words import fail, only_warnings, settings
from cercles.exit_codes import EXIT_FAILED, EXIT_SETTINGS
from schemas.connections import DatabaseConnection, KafkaConnection

if TYPE_CHECKING:
    from cercles.audit.partition import ProgressShown
    from cercles.audit.report import Report

RATE_MIN: Final = 100


def audit(
    *,
    campaign: Annotated[
        str | None, typer.Option(help="Compare this campaign alone; the others of its partition are read past.")
    ] = None,
    since: Annotated[
        list[str] | None,
        typer.Option(
            help="Compare only what events from PARTITION:OFFSET on led to, of that partition alone; everything is "
            "folded all the same. May be given once for each partition.",
            metavar="P:O",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write one JSON object, on one line, instead of words.")] = False,
    events_per_second: Annotated[
        int | None,
        typer.Option(min=RATE_MIN, help="Read the log no faster than this on average; without it as fast as it goes."),
    ] = None,
    waiting_max: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Most events at the log's end that may not be in the database yet: with more, the exit code is 1. "
            "Without it any number may wait.",
        ),
    ] = None,
) -> None:
    """Fold the log again and compare the database with it: every entry, milestone, total, circle, day, pledge, link,
    visit, reward, term and dead letter, each campaign at the position at which its rows stand.

    Names every difference: what is missing, what is there and should not be, what differs; campaigns that a sink has
    marked because it missed something; and payments of a gateway that count in two campaigns.

    Safe beside production, at any time: reads only, joins no consumer group, commits nothing, and holds one read
    transaction of the database for each partition. Memory holds one partition's campaigns. Reads the log of
    CERCLES_KAFKA_BOOTSTRAP_SERVERS and the database of CERCLES_DATABASE_URL.

    Exit codes: 0 equal, 1 something differs, or the database belongs to another log, or more events wait than
    --waiting-max, 2 a setting or an option is wrong, 3 no broker or no database answers. What to do about differences:
    docs/runbook-proof.md.
    """
    only_warnings()
    positions = dict(map(_position, since or ()))
    report = _run(campaign, positions, events_per_second, as_json=json)
    if json:
        import msgspec  # noqa: PLC0415 - `cercles --help` should not wait for it

        sys.stdout.write(msgspec.json.encode({"equal": report.equal} | _plain(report)).decode() + "\n")
    else:
        _tell(report)
    behind = waiting_max is not None and report.waiting_events > waiting_max
    if behind:
        typer.echo(f"{report.waiting_events} events wait, more than the {waiting_max} of --waiting-max", err=True)
    raise typer.Exit(0 if report.equal and not behind else EXIT_FAILED)


def _run(campaign: str | None, since: dict[int, int], events_per_second: int | None, *, as_json: bool) -> "Report":
    from cercles.audit.run import Scope, audit  # noqa: PLC0415 - `cercles --help` should not wait for it
    from cercles.topic_reader import TopicReader  # noqa: PLC0415 - likewise

    kafka, url = settings(KafkaConnection), settings(DatabaseConnection).url.get_secret_value()
    with (
        explained(),
        reading(url) as engine,
        TopicReader(kafka, records_per_second=events_per_second) as reader,
        progress_shown("auditing") as show,
    ):
        return audit(
            engine,
            reader,
            Scope(campaign_id=campaign, since=since),
            show_progress=show,
            show_difference=None if as_json else lambda difference: typer.echo(str(difference)),
        )


def _position(text: str) -> tuple[int, int]:
    partition, separator, offset = text.partition(":")
    if not (separator and partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
        fail(f"--since {text}: a position is PARTITION:OFFSET, such as 3:1200", EXIT_SETTINGS)
    return int(partition), int(offset)


@contextmanager
def progress_shown(words: str) -> "Iterator[ProgressShown]":
    """Show on standard error how far a partition of the log is read, where a person can see it."""
    from rich.console import Console  # noqa: PLC0415 - `cercles --help` should not wait for it
    from rich.progress import (  # noqa: PLC0415 - likewise
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(words, total=None)

        def show(partition: int, done: int, total: int) -> None:
            progress.update(task, description=f"{words} partition {partition}", completed=done, total=total)

        yield show


def _plain(report: "Report") -> dict[str, object]:
    import msgspec  # noqa: PLC0415 - `cercles --help` should not wait for it

    plain: dict[str, object] = msgspec.to_builtins(report)
    return plain


def _tell(report: "Report") -> None:
    counts = report.counts
    for note in report.notes:
        typer.echo(f"note: {note}", err=True)
    if report.waiting_events:
        typer.echo(
            f"{report.waiting_events} events at the log's end are not in the database yet, and were not compared: "
            "where that number does not fall, look at the workers and the sinks"
        )
    unnamed = report.differences_total - len(report.differences)
    if unnamed:
        typer.echo(f"and {unnamed} more differences")
    result = "equal" if report.equal else f"{report.differences_total} differences"
    typer.echo(
        f"{result}: {counts.partitions} partitions, {counts.events} events, {counts.campaigns} campaigns, "
        f"{counts.entries} entries, {counts.milestones} milestones, {counts.pledges} pledges, "
        f"{counts.dead_letters} dead letters compared"
    )
