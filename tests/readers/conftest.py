"""Every test of a reader runs on SQLite and on PostgreSQL, over HTTP, against the real process in a thread."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from readers.process import ReaderProcess
from readers.settings import ReaderSettings
from schemas.connections import DatabaseConnection
from sinks.database import writing_engine
from tests.readers.stored import Stored

READ_KEY = "a-read-key-of-tests"
START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 10


@pytest.fixture
def stored(migrated_url: str) -> Iterator[Stored]:
    """The database, to write to."""
    engine = writing_engine(migrated_url)
    yield Stored(engine, migrated_url)
    engine.dispose()


def settings_for(url: str, **changes: Any) -> ReaderSettings:
    """Return settings of a reader of that database: a free port, a read key, short waits."""
    values: dict[str, Any] = {
        "port": 0,
        "key": SecretStr(READ_KEY),
        "wait_seconds": 0.5,
        "wait_poll_seconds": 0.02,
    } | changes
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
def start_reader(migrated_url: str) -> Iterator[StartReader]:
    """Start a reader with settings of the test's choice, and return a client of it."""
    with ExitStack() as stack:

        def start(**changes: Any) -> httpx.Client:
            url = stack.enter_context(running(ReaderProcess(settings_for(migrated_url, **changes))))
            return stack.enter_context(httpx.Client(base_url=url, timeout=20))

        yield start


@pytest.fixture
def api(stored: Stored, start_reader: StartReader) -> httpx.Client:  # noqa: ARG001 - the database comes first
    """A client of a reader that has the read key in every request."""
    client = start_reader()
    client.headers["authorization"] = f"Bearer {READ_KEY}"
    return client
