"""Fresh databases that have the tables, and what stands in them when a sink is done."""

import itertools
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.types.string import TextLoader
from sqlalchemy import make_url

from sinks import migrate

Rows = dict[str, list[tuple[Any, ...]]]
"""Rows by table, as the database's own driver gives and takes them."""

Ask = Callable[[str], Sequence[tuple[Any, ...]]]
"""Returns the rows that a statement finds."""

_TEMPLATE: Final = "migrated"


class Sqlite:
    """Files of SQLite."""

    kind: Final = "SQLite"

    def __init__(self, directory: Path) -> None:
        self._migrated = directory / "migrated.db"
        self._file = directory / "benchmark.db"
        migrate.upgrade(f"sqlite:///{self._migrated}")

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Make a database that has the tables, and delete it after the block; its URL, for SQLAlchemy."""
        shutil.copy(self._migrated, self._file)
        try:
            yield f"sqlite:///{self._file}"
        finally:
            for file in self._file.parent.glob(f"{self._file.name}*"):
                file.unlink()

    @contextmanager
    def asked(self, url: str) -> Iterator[Ask]:
        """Give what asks the database."""
        with closing(sqlite3.connect(str(make_url(url).database))) as connection:
            yield lambda statement: connection.execute(statement).fetchall()

    def write(self, url: str, rows: Rows) -> None:
        """Write the rows with `executemany` in one transaction, as durably as the sink."""
        with closing(sqlite3.connect(str(make_url(url).database), isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            for table, lines in rows.items():
                places = ", ".join("?" * len(lines[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({places})", lines)  # noqa: S608 - our own tables
            connection.execute("COMMIT")


class Postgresql:
    """Databases of one PostgreSQL server."""

    kind: Final = "PostgreSQL"

    def __init__(self, server: str) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self._execute("CREATE DATABASE {}", _TEMPLATE)
        migrate.upgrade(self._url(_TEMPLATE))

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Make a database that has the tables, and drop it after the block; its URL, for SQLAlchemy."""
        name = f"benchmark_{next(self._numbers)}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, _TEMPLATE)
        try:
            yield self._url(name)
        finally:
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    @contextmanager
    def asked(self, url: str) -> Iterator[Ask]:
        """Give what asks the database."""
        with psycopg.connect(_libpq(url), autocommit=True) as connection:
            connection.adapters.register_loader("json", TextLoader)  # as COPY takes it again
            yield lambda statement: connection.execute(statement.encode()).fetchall()

    def write(self, url: str, rows: Rows) -> None:
        """Write the rows with COPY in one transaction, as durably as the sink."""
        with psycopg.connect(_libpq(url)) as connection, connection.cursor() as cursor:
            for table, lines in rows.items():
                with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
                    for line in lines:
                        copy.write_row(line)

    def _url(self, name: str) -> str:
        url = make_url(self._server).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _libpq(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
