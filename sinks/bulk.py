"""Many rows at once, by the way that is fastest on each database.

SQLAlchemy looks at every value of every row on its way to the driver, and takes longer over it than the database over
its own work. Here rows are tuples in the order of their table's columns, a statement is compiled once, and values are
the driver's business. PostgreSQL takes a few rows as one JSON document, which makes one statement of them however many
there are, and many by COPY in its binary format: the driver has them ready in a fifth of the time that text takes, and
the server need not parse them.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from types import NoneType
from typing import Any, Final

import msgspec
import psycopg
from psycopg import sql
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Connection,
    Date,
    Insert,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
)
from sqlalchemy import table as table_clause
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from schemas.tables import UtcDateTime

COPIED_ROWS_MIN: Final = 500
"""From so many rows on, PostgreSQL takes them faster by COPY than as a document."""

Values = tuple[Any, ...]
"""A row: Python's own values, in the order of its table's columns."""

Statement = tuple[str, tuple[Any, ...]]
"""What puts rows in their place that the database has been given, with its parameters: only the server has to work."""

_COPY_TYPES: Final[dict[type, str]] = {
    BigInteger: "int8",
    Boolean: "bool",
    Date: "date",
    Integer: "int4",
    JSON: "json",
    String: "varchar",
    Text: "text",
    UtcDateTime: "timestamptz",
}
"""How PostgreSQL calls the types of our columns: its binary format has no room for guesses."""


def stage_upsert(connection: Connection, table: Table, rows: Sequence[Values]) -> list[Statement]:
    """Give the database rows to insert or, where their primary keys already stand, to put in place of the old ones.

    They stand there once the statements that this returns are executed, too, in the same transaction.
    """
    if not rows:
        return []
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_sqlite_upsert(table), list(rows))
        return []
    if len(rows) < COPIED_ROWS_MIN:
        return [(_upsert_of_document(table), (_document(table, rows),))]
    staged = _staged(table)
    connection.exec_driver_sql(f"CREATE TEMP TABLE IF NOT EXISTS {staged} (LIKE {table.name}) ON COMMIT DELETE ROWS")
    _copy(connection, staged, table, rows)
    return [(_upsert_of_staged(table), ())]


def stage_append(connection: Connection, table: Table, rows: Sequence[Values]) -> list[Statement]:
    """Give the database new rows, as `stage_upsert` does. A key that already stands is an error."""
    if not rows:
        return []
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_sqlite_insert(table), list(rows))
        return []
    if len(rows) < COPIED_ROWS_MIN:
        return [(_insert_of_document(table), (_document(table, rows),))]
    _copy(connection, table.name, table, rows)
    return []


@contextmanager
def appending(connection: Connection, table: Table, rows_max: int) -> Iterator[Callable[[Sequence[Values]], None]]:
    """Give what takes new rows, at most so many in all; they are inserted when the block ends.

    PostgreSQL writes many of them while the block makes others, and answers nothing else meanwhile.
    """
    if connection.dialect.name == "postgresql" and rows_max >= COPIED_ROWS_MIN:
        with _copying(connection, table.name, table) as copy:
            yield lambda rows: _write_rows(copy, rows)
    else:
        gathered: list[Values] = []
        yield gathered.extend
        execute(connection, stage_append(connection, table, gathered))


def execute(connection: Connection, statements: Iterable[Statement]) -> None:
    """Execute what `stage_upsert` and `stage_append` have left to do."""
    for statement, parameters in statements:
        connection.exec_driver_sql(statement, parameters)


def _copy(connection: Connection, name: str, table: Table, rows: Iterable[Values]) -> None:
    with _copying(connection, name, table) as copy:
        _write_rows(copy, rows)


def _write_rows(copy: psycopg.Copy, rows: Iterable[Values]) -> None:
    for row in rows:
        copy.write_row(row)


@contextmanager
def _copying(connection: Connection, name: str, table: Table) -> Iterator[psycopg.Copy]:
    driver: psycopg.Connection[Any] | None = connection.connection.driver_connection
    if driver is None:
        raise psycopg.OperationalError("the connection is gone")
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(name), sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    )
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([_COPY_TYPES[type(column.type)] for column in table.columns])
        yield copy


def _staged(table: Table) -> str:
    """Return the name of the temporary table for rows that are to replace others: COPY itself can't replace any."""
    return f"staged_{table.name}"


def _document(table: Table, rows: Sequence[Values]) -> str:
    names = _names(table)
    return msgspec.json.encode([dict(zip(names, row, strict=True)) for row in rows]).decode()


@cache
def _upsert_of_staged(table: Table) -> str:
    staged = table_clause(_staged(table), *[column(c.name, c.type) for c in table.columns], schema="pg_temp")
    return _postgresql_text(_replacing(postgresql.insert(table).from_select(_names(table), select(staged)), table))


@cache
def _upsert_of_document(table: Table) -> str:
    return _postgresql_text(_replacing(_from_document(table), table))


@cache
def _insert_of_document(table: Table) -> str:
    return _postgresql_text(_from_document(table))


def _from_document(table: Table) -> postgresql.Insert:
    told = func.json_to_recordset(cast(bindparam("document", type_=Text), JSON))
    lines = told.table_valued(*[column(c.name, c.type) for c in table.columns]).render_derived(with_types=True)
    return postgresql.insert(table).from_select(_names(table), select(lines))


@cache
def _sqlite_upsert(table: Table) -> str:
    return str(_replacing(sqlite.insert(table), table).compile(dialect=sqlite.dialect()))


@cache
def _sqlite_insert(table: Table) -> str:
    return str(insert(table).compile(dialect=sqlite.dialect()))


def _replacing(statement: postgresql.Insert | sqlite.Insert, table: Table) -> Insert:
    keys = [column.name for column in table.primary_key]
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _postgresql_text(statement: Insert) -> str:
    """Return the statement as psycopg takes it."""
    return str(statement.compile(dialect=PGDialect_psycopg(paramstyle="format")))  # type: ignore[no-untyped-call]  # it has no types


def _sqlite_moment(moment: datetime) -> str:
    """Return the moment as SQLAlchemy's type for SQLite writes it, and reads it again."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    text: str = msgspec.to_builtins(moment)  # with `Z`, and a fraction of six digits unless there is none
    return f"{text[:10]} {text[11:19]}{text[19:-1] or '.000000'}"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


# How sqlite3 is to write what SQLite has no types for ("How to adapt custom Python types to SQLite values" in its
# documentation, which advises against the adapters that come with it).
sqlite3.register_adapter(datetime, _sqlite_moment)
sqlite3.register_adapter(date, lru_cache(maxsize=4096)(msgspec.to_builtins))
sqlite3.register_adapter(dict, _json)
sqlite3.register_adapter(list, _json)
# It takes them as they are, too, but only after it has asked each for two protocols that they do not have.
sqlite3.register_adapter(bool, int)
sqlite3.register_adapter(NoneType, lambda nothing: nothing)
