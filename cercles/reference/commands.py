"""The page of the commands, from the command itself, by the documentation writer that comes with typer."""

from typing import Final

import typer
import typer.main
from typer.cli import get_docs_for_click

from cercles.commands import app

HEAD: Final = """\
# Commands

This page is written by `python -m cercles.reference` from the commands themselves; a check keeps it so. Exit codes
and results are for scripts: results go to standard output, everything else to standard error.
"""


def page() -> str:
    """Return the whole page, as Markdown."""
    group = typer.main.get_command(app)
    told = get_docs_for_click(obj=group, ctx=typer.Context(group, info_name="cercles"), name="cercles", indent=1)
    return f"{HEAD}\n{told.rstrip()}\n"
