"""The table of a run, for people and as JSON."""

import json
from dataclasses import asdict, fields
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.faults.fault import Row

WIDTH: Final = 140


def as_json(rows: list[Row]) -> str:
    """Return one line: a list of objects."""
    return json.dumps([asdict(row) for row in rows], ensure_ascii=False)


def show(rows: list[Row], *, closing: str) -> None:
    """Print the table on standard output."""
    table = Table(caption=closing, caption_justify="left")
    for column in fields(Row):
        table.add_column(column.name.replace("_", " "), justify="left" if column.name == "fault" else "right")
    for row in rows:
        style = "bold red" if row.lost or row.duplicated else None
        table.add_row(*("–" if value is None else str(value) for value in asdict(row).values()), style=style)
    console = Console()
    # Piped into a file there is no width to go by; the table's own is then the best.
    (console if console.is_terminal else Console(width=WIDTH)).print(table)
