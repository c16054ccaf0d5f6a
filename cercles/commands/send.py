"""`cercles send`."""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from cercles.commands.doors import sender
from cercles.commands.words import fail
from cercles.exit_codes import EXIT_FAILED, EXIT_SETTINGS, EXIT_UNREACHABLE
from producers.sending import (
    ANSWER_SECONDS_MAX,
    BATCH_EVENTS_DEFAULT,
    Gateway,
    GatewayAwayError,
    LineError,
    RefusedError,
    Sender,
    batches,
    read_lines,
)

BATCH_EVENTS_MAX: Final = 5_000


def send(
    file: Annotated[str, typer.Argument(help="File of CloudEvents, one JSON object a line; - is standard input.")],
    source: Annotated[str, typer.Option(help="Name of the source that vouches for these events.")],
    gateway: Annotated[str, typer.Option(help="Address of the gateway.")] = "http://127.0.0.1:8080",
    secret: Annotated[
        str | None,
        typer.Option(help="The source's secret (whsec_…); better by CERCLES_SEND_SECRET.", show_default=False),
    ] = None,
    batch_events: Annotated[
        int, typer.Option(min=1, max=BATCH_EVENTS_MAX, help="Most events of one batch.")
    ] = BATCH_EVENTS_DEFAULT,
) -> None:
    """Sign events and post them to a gateway, in batches.

    A batch is accepted or refused whole. When the gateway asks for patience, a batch is sent again, a bounded number of
    times. Sending a file again is always safe: what is known already changes nothing.

    Prints how many events were accepted, and where the last one stands in the log (partition:offset).

    Exit codes: 0 all accepted, 1 a line or a batch was refused, 2 a setting is wrong, 3 the gateway can't be reached.
    """
    sent = _Sent()
    problem: tuple[str, int] | None = None
    try:
        with _opened(file) as lines, httpx.Client(timeout=ANSWER_SECONDS_MAX) as client:
            _send_all(sender(Gateway(client, gateway), source, secret), lines, batch_events, sent)
    except (LineError, RefusedError) as error:
        problem = str(error), EXIT_FAILED
    except GatewayAwayError as error:
        problem = str(error), EXIT_UNREACHABLE
    if sent.events or problem is None:
        last = f"; the last stands at {sent.last_position}" if sent.last_position else ""
        typer.echo(f"{sent.events} event{'' if sent.events == 1 else 's'} accepted{last}")
    if problem is not None:
        fail(*problem)


@dataclass(slots=True)
class _Sent:
    events: int = 0
    last_position: str | None = None


def _send_all(door: Sender, file: BinaryIO, batch_events: int, sent: _Sent) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    # Without a terminal there is nothing to draw on, and rich would leave an empty line behind.
    with Progress(*columns, console=console, transient=True, disable=not console.is_interactive) as progress:
        task = progress.add_task("sending", total=_size_bytes(file))
        for batch in batches(read_lines(file), batch_events):
            accepted = door.send(batch)
            sent.events += len(accepted)
            sent.last_position = accepted[-1].position
            size_bytes = sum(len(line.content) + 1 for line in batch)
            progress.update(task, advance=size_bytes, description=f"{sent.events} events")


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


def _size_bytes(file: BinaryIO) -> int | None:
    """Return the size of a file; of a pipe, whose end nobody knows, None."""
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None
