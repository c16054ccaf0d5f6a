"""What differs between SQLite and PostgreSQL: connecting, transactions, and which errors may pass."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, Table, create_engine, event
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


def insert_new(connection: Connection, table: Table, keys: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert the rows whose unique `keys` do not stand there yet; leave the others out."""
    if rows:
        insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
        connection.execute(insert.on_conflict_do_nothing(index_elements=list(keys)), list(rows))


def is_locked(error: Exception) -> bool:
    """Whether PostgreSQL gave up waiting for rows that somebody else has locked: nothing was written.

    SQLite has one lock for everything.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, psycopg.errors.LockNotAvailable)


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
