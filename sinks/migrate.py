"""Brings a database's tables to this version: Alembic, run from code, with its migrations inside the package."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url, text

from sinks.database import reading_engine, writing_engine
from sinks.errors import SchemaError

_LOCK_KEY: Final = 7_309_453_672_116_002_163
"""PostgreSQL's advisory lock that lets one process migrate at a time; any number that nobody else uses."""


def upgrade(url: str) -> None:
    """Bring the tables to this version; nothing happens when they already are.

    Everything happens in one transaction, and only one process does it at a time: the others wait, and then find
    nothing to do. Raises the database's errors; then nothing was changed.
    """
    engine = writing_engine(url)
    try:
        # On SQLite the transaction itself, begun with BEGIN IMMEDIATE, keeps the others out.
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # Before the lock time-out that transactions of the sink have: another's migration may take long.
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            command.upgrade(_config(connection), "head")
    finally:
        engine.dispose()


def current(url: str) -> str | None:
    """Return the revision that the tables are at, or None where there are none. Raises the database's errors."""
    if _is_missing(url):
        return None
    engine = reading_engine(url)
    try:
        with engine.begin() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def head() -> str:
    """Return the revision of this version's tables."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise SchemaError("this installation of Cercles has no migrations: install it again")
    return revision


def check(url: str) -> None:
    """Raise SchemaError unless the tables are those of this version; raise the database's errors."""
    if _is_missing(url):
        raise SchemaError(
            f"there is no database {url}: name the one that you mean by CERCLES_DATABASE_URL (`cercles up` says its "
            "own), or make a new one (`cercles db upgrade`)"
        )
    found, wanted = current(url), head()
    if found != wanted:
        raise SchemaError(
            f"the database's tables are at revision {found or 'none'}, this version needs {wanted}: run `cercles db "
            "upgrade`, with the newest version of Cercles that uses this database"
        )


def _is_missing(url: str) -> bool:
    """Whether it is a file of SQLite that is not there; to look into it would make it."""
    parsed = make_url(url)
    named = parsed.get_dialect().name == "sqlite" and parsed.database not in {None, "", ":memory:"}
    return named and not Path(str(parsed.database)).exists()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "sinks:migrations")
    config.attributes["connection"] = connection
    return config
