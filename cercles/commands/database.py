"""`cercles db upgrade`, `current` and `check`."""

import typer

from cercles.commands.words import fail, settings
from cercles.exit_codes import EXIT_UNREACHABLE
from schemas.connections import DatabaseConnection

database_commands = typer.Typer(
    name="db",
    help="Make and check the database's tables.",
    short_help="Make and check the database's tables.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@database_commands.command()
def upgrade() -> None:
    """Bring the tables of CERCLES_DATABASE_URL to this version. Any number of processes may do so at a time."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - `cercles --help` should not wait for it

    from sinks import migrate  # noqa: PLC0415 - likewise

    url = _url()
    try:
        before = migrate.current(url)
        migrate.upgrade(url)
        after = migrate.current(url)
    except SQLAlchemyError as error:
        fail(f"the database: {error}", EXIT_UNREACHABLE)
    typer.echo(f"at revision {after} already" if before == after else f"from revision {before or 'none'} to {after}")


@database_commands.command()
def current() -> None:
    """Show the revision that the tables are at."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - `cercles --help` should not wait for it

    from sinks import migrate  # noqa: PLC0415 - likewise

    try:
        revision = migrate.current(_url())
    except SQLAlchemyError as error:
        fail(f"the database: {error}", EXIT_UNREACHABLE)
    typer.echo(revision or "none")


@database_commands.command()
def check() -> None:
    """Exit with 1 unless the tables are those of this version."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - `cercles --help` should not wait for it

    from sinks import migrate  # noqa: PLC0415 - likewise
    from sinks.errors import SchemaError  # noqa: PLC0415 - likewise

    try:
        migrate.check(_url())
    except SchemaError as error:
        fail(str(error))
    except SQLAlchemyError as error:
        fail(f"the database: {error}", EXIT_UNREACHABLE)
    typer.echo("the tables are those of this version")


def _url() -> str:
    return settings(DatabaseConnection).url.get_secret_value()
