"""How commands end with words for people: one clear line on standard error, and an exit code."""

from collections.abc import Callable
from functools import partial
from typing import NoReturn, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from cercles.exit_codes import EXIT_FAILED, EXIT_SETTINGS
from cercles.settings import LogSettings
from cercles.settings_faults import explain

_Settings = TypeVar("_Settings")


def fail(words: str, code: int = EXIT_FAILED) -> NoReturn:
    """Say why on standard error, and exit."""
    typer.echo(f"cercles: {words}", err=True)
    raise typer.Exit(code)


def settings(make: Callable[[], _Settings]) -> _Settings:
    """Return the settings from the environment, or exit with a line for each that is wrong."""
    try:
        return make()
    except (ValidationError, SettingsError) as fault:
        for line in explain(fault):
            typer.echo(f"cercles: {line}", err=True)
        raise typer.Exit(EXIT_SETTINGS) from None


def only_warnings() -> None:
    """Keep the log of a supervising command to warnings: what it does, it shows."""
    from cercles.logs import configure_logs  # noqa: PLC0415 - `cercles --help` should not wait for it

    configure_logs(settings(partial(LogSettings, level="WARNING")))
