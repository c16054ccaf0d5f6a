"""How the embedded broker's download is shown on standard error: a bar, or one line where there is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as RichProgress
from rich.table import Column

from cercles.embedded.jars import Progress

BAR_COLUMNS: Final = 24
"""Width of the bar; with the words and numbers beside it, it fits terminals of 80 columns."""


@contextmanager
def progress_bar(console: Console | None = None) -> Iterator[Progress]:
    """A `Progress` that draws a bar, only when something is really downloaded, and clears it at the end."""
    console = console or Console(stderr=True)
    if not console.is_interactive:
        yield _one_line(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=BAR_COLUMNS),
        DownloadColumn(table_column=Column(no_wrap=True)),
        TransferSpeedColumn(table_column=Column(no_wrap=True)),
    )
    with RichProgress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Apache Kafka", total=None, visible=False)

        def report(_file_name: str, done_bytes: int, total_bytes: int) -> None:
            bar.update(task, completed=done_bytes, total=total_bytes, visible=True)

        yield report


def _one_line(console: Console) -> Progress:
    written = False

    def report(_file_name: str, _done_bytes: int, total_bytes: int) -> None:
        nonlocal written
        if not written:
            written = True
            console.print(f"downloading Apache Kafka, {total_bytes / 1e6:.0f} MB", highlight=False, soft_wrap=True)

    return report
