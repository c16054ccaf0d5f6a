"""How commands end with words for people: one clear line on standard error, and an exit code."""

from collections.abc import Callable
from typing import Final, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from cercles.running import EXIT_SETTINGS
from cercles.settings_faults import explain

EXIT_UNREACHABLE: Final = 3
"""A broker, database or gateway can't be reached: trying again later may help."""

_Settings = TypeVar("_Settings")


def fail(words: str, code: int = 1) -> NoReturn:
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
