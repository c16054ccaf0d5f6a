"""One command for each process: `cercles gateway`, `resolver`, `worker`, `sink`, `exporter`, `reader`, `clock`."""

from collections.abc import Callable
from functools import partial

import typer

from cercles.processes import DESCRIPTIONS, ProcessName, make


def add_process_commands(app: typer.Typer, panel: str) -> None:
    """Add a command for each process to the app."""
    for name, description in DESCRIPTIONS.items():
        app.command(name, help=_help(description), short_help=description, rich_help_panel=panel)(_command(name))


def _command(name: ProcessName) -> Callable[[], None]:
    def run() -> None:
        from cercles.running import run_process  # noqa: PLC0415 - `cercles --help` should not wait for it

        raise typer.Exit(run_process(name, partial(make, name)))

    return run


def _help(description: str) -> str:
    return (
        f"{description}\n\nTakes no options: its settings are environment variables, all of them in "
        "docs/reference/settings.md. Serves /healthz, /readyz and /metrics on CERCLES_OPERATIONS_HOST and "
        "CERCLES_OPERATIONS_PORT. Stops cleanly on SIGTERM and Ctrl-C.\n\nExit codes: 0 stopped when asked, 1 failed "
        "(the last line of the log says why), 2 a setting is wrong."
    )
