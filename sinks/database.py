"""What differs between SQLite and PostgreSQL: connecting, transactions, bulk writing, and which errors may pass."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg
from sqlalchemy import JSON, Connection, Engine, FromClause, Table, column, create_engine, event, insert, select
from sqlalchemy import table as table_clause
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sinks.errors import UnsupportedDatabaseError

BUSY_SECONDS_MAX: Final = 5
"""How long a transaction waits for a lock that another holds."""

CONNECT_SECONDS_MAX: Final = 5
STATEMENT_SECONDS_MAX: Final = 30
IDLE_IN_TRANSACTION_SECONDS_MAX: Final = 30
"""How long PostgreSQL lets a frozen sink hold its locks."""

POOL_CONNECTIONS_MAX: Final = 2
STAGED_ROWS_MIN: Final = 100
"""From so many rows on, PostgreSQL takes them faster by COPY into a temporary table than one by one."""

Row = Mapping[str, Any]
DatabaseErrors: Final = (SQLAlchemyError, psycopg.Error, sqlite3.Error)
"""What database work raises: SQLAlchemy's errors, and the drivers' own where a bulk path goes around it."""

# PostgreSQL's documentation, appendix A: connection exceptions, transaction rollbacks, insufficient resources, operator
# intervention and system errors; lock not available; a standby during fail-over; a session that was idle for too long.
_TRANSIENT_CLASSES: Final = frozenset({"08", "40", "53", "57", "58"})
_TRANSIENT_STATES: Final = frozenset({"55P03", "25006", "25P03"})
_TRANSIENT_SQLITE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_SQLITE_PRIMARY_CODE: Final = 0xFF


def writing_engine(url: str) -> Engine:
    """Return an engine whose transactions are durable and take the write lock when they begin (SQLite).

    Nothing is opened yet. Raises UnsupportedDatabaseError.
    """
    return _engine(url, begin="BEGIN IMMEDIATE", on_sqlite=(), on_postgresql=("SET synchronous_commit = on",))


def reading_engine(url: str) -> Engine:
    """Return an engine whose transactions each see one moment of the database, and can't write.

    Nothing is opened yet. Raises UnsupportedDatabaseError.
    """
    engine = _engine(url, begin="BEGIN", on_sqlite=("PRAGMA query_only = ON",), on_postgresql=())
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine


def _engine(url: str, *, begin: str, on_sqlite: Sequence[str], on_postgresql: Sequence[str]) -> Engine:
    match make_url(url).get_dialect().name:
        case "sqlite":
            return _sqlite_engine(url, begin, on_sqlite)
        case "postgresql":
            return _postgresql_engine(url, on_postgresql)
        case other:
            raise UnsupportedDatabaseError(
                f"no way to write to {other!r}: CERCLES_DATABASE_URL must begin with sqlite:/// or postgresql+psycopg://"
            )


def _sqlite_engine(url: str, begin: str, statements: Sequence[str]) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS_MAX},
        pool_size=POOL_CONNECTIONS_MAX,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS_MAX,
    )

    # Python's sqlite3 begins transactions by itself, late and deferred, unless isolation_level is None; then SQLAlchemy
    # asks the `begin` event ("Transactions with SQLite and the sqlite3 driver" in SQLAlchemy's SQLite dialect).
    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", *statements):
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def beginning(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _postgresql_engine(url: str, statements: Sequence[str]) -> Engine:
    engine = create_engine(
        url,
        connect_args={"connect_timeout": CONNECT_SECONDS_MAX, "tcp_user_timeout": STATEMENT_SECONDS_MAX * 1000},
        pool_size=POOL_CONNECTIONS_MAX,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS_MAX,
        pool_pre_ping=True,
    )
    limits = (
        f"SET lock_timeout = '{BUSY_SECONDS_MAX}s'",
        f"SET statement_timeout = '{STATEMENT_SECONDS_MAX}s'",
        f"SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_SECONDS_MAX}s'",
    )

    @event.listens_for(engine, "connect")
    def connected(connection: psycopg.Connection[Any], _record: object) -> None:
        connection.autocommit = True  # or a rollback would take the settings back
        for statement in (*limits, *statements):
            connection.execute(statement.encode())
        connection.autocommit = False

    return engine


def upsert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows; where their primary keys already stand, put them in place of the old ones."""
    if not rows:
        return
    statement = _conflicting_insert(connection, table)
    keys = [column.name for column in table.primary_key]
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    if len(rows) >= STAGED_ROWS_MIN and _can_copy(connection, table):
        staged = _stage(connection, table, rows)
        statement = statement.from_select([column.name for column in table.columns], select(staged))
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))
    else:
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows))


def insert_new(connection: Connection, table: Table, keys: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert the rows whose unique `keys` do not stand there yet; leave the others out."""
    if rows:
        statement = _conflicting_insert(connection, table).on_conflict_do_nothing(index_elements=list(keys))
        connection.execute(statement, list(rows))


def append(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert many new rows by the database's bulk path: COPY on PostgreSQL. A key that already stands is an error."""
    if not rows:
        return
    if _can_copy(connection, table):
        _copy(connection, table.name, table, rows)
    else:
        connection.execute(insert(table), list(rows))


def _can_copy(connection: Connection, table: Table) -> bool:
    """JSON would have to be written out by ourselves; the tables that have it are those with few rows."""
    return connection.dialect.name == "postgresql" and not any(isinstance(c.type, JSON) for c in table.columns)


def _stage(connection: Connection, table: Table, rows: Sequence[Row]) -> FromClause:
    """Copy the rows into a temporary table, empty again after the transaction: COPY itself can't replace rows."""
    name = f"staged_{table.name}"
    connection.exec_driver_sql(f"CREATE TEMP TABLE IF NOT EXISTS {name} (LIKE {table.name}) ON COMMIT DELETE ROWS")
    _copy(connection, name, table, rows)
    return table_clause(name, *[column(c.name, c.type) for c in table.columns], schema="pg_temp")


def _copy(connection: Connection, name: str, table: Table, rows: Sequence[Row]) -> None:
    names = [column.name for column in table.columns]
    driver: psycopg.Connection[Any] | None = connection.connection.driver_connection
    if driver is None:
        raise psycopg.OperationalError("the connection is gone")
    statement = psycopg.sql.SQL("COPY {} ({}) FROM STDIN").format(
        psycopg.sql.Identifier(name), psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, names))
    )
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([row[name] for name in names])


def _conflicting_insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def is_transient(error: Exception) -> bool:
    """Whether trying the whole transaction again may succeed: the database is away, locked, full or stopping."""
    match error:
        case PoolTimeoutError() | InterfaceError() | DBAPIError(connection_invalidated=True):
            return True
        case DBAPIError(orig=psycopg.Error() | sqlite3.Error() as cause):
            return is_transient(cause)
        case psycopg.Error(sqlstate=None):  # the connection broke, or could not be made
            return isinstance(error, psycopg.OperationalError)
        case psycopg.Error(sqlstate=str(state)):
            return state in _TRANSIENT_STATES or state[:2] in _TRANSIENT_CLASSES
        case sqlite3.Error():
            return (getattr(error, "sqlite_errorcode", 0) & _SQLITE_PRIMARY_CODE) in _TRANSIENT_SQLITE
        case _:
            return False
