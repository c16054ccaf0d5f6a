"""The reader as a process: ready when it can answer, 503 while the database is away, clean stops, true metrics."""

import socket
import threading
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr, ValidationError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from readers.process import ReaderProcess
from readers.settings import ReaderSettings
from schemas.connections import DatabaseConnection
from tests.conftest import wait_until
from tests.readers.conftest import READ_KEY, running, settings_for
from tests.readers.stored import Stored


def test_it_is_ready_once_it_listens_on_a_migrated_database(stored: Stored) -> None:
    """With port 0 the address that it got is known, and works."""
    process = ReaderProcess(settings_for(stored.url))
    assert process.name == "reader"
    assert process.not_ready() == "not listening yet"
    with running(process) as url:
        assert process.not_ready() is None
        assert process.bound_address is not None
        assert process.bound_address[0] == "127.0.0.1"
        assert httpx.get(f"{url}/v1/campaigns").status_code == 200
    assert process.bound_address is None


def test_without_its_tables_it_is_not_ready_and_answers_503(stored: Stored) -> None:
    """A database that is not migrated, or only in part, is named in readiness, and clients are told to come again."""
    with stored.engine.begin() as connection:
        connection.execute(text("DROP TABLE sink_positions"))
        connection.execute(text("ALTER TABLE campaign_totals RENAME COLUMN gap_offset TO gone"))
    process = ReaderProcess(settings_for(stored.url))
    with running(process) as url:
        assert "not migrated" in (process.not_ready() or "")
        for path in ("/v1/campaigns", "/v1/campaigns/film", "/v1/campaigns?wait_for=0:1"):
            response = httpx.get(f"{url}{path}")
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) > 0
            assert response.headers["content-type"] == "application/problem+json"


def test_a_database_that_cannot_be_reached_is_a_503_in_bounded_time(tmp_path: Path) -> None:
    """Nothing of the database's address or of its words is told to clients; a wrong path makes no new file."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        missing = tmp_path / "missing.db"
        for url in (f"sqlite:///{missing}", f"postgresql+psycopg://someone:secret@127.0.0.1:{port}/nowhere"):
            # A server that accepts and says nothing is the worst of those that are away.
            process = ReaderProcess(settings_for(url, read_seconds=2))
            with running(process) as address:
                began = time.monotonic()
                response = httpx.get(f"{address}/v1/campaigns", timeout=20)
                assert response.status_code == 503
                assert "retry-after" in response.headers
                assert "database is away" in (process.not_ready() or "")
                assert time.monotonic() - began < 10
                for told in (response.text, process.not_ready() or ""):
                    assert not any(word in told for word in ("secret", "someone", "nowhere", str(tmp_path)))
        assert not missing.exists()


def test_it_cannot_write(stored: Stored) -> None:
    """The database itself refuses: no fault of the reader's can change a total."""
    stored.campaign()
    process = ReaderProcess(settings_for(stored.url))
    with running(process), pytest.raises(DBAPIError, match=r"read-?only"):
        process._snapshots.read_here(lambda connection: connection.execute(text("DELETE FROM campaigns")))


def test_too_many_reads_in_line_are_turned_away(stored: Stored) -> None:
    """The line for the threads is bounded: 503 with Retry-After beyond it."""
    process = ReaderProcess(settings_for(stored.url, reads_at_once=1, reads_queued=0))
    # A read takes long while every connection is taken; the only thread then waits for one.
    pool = process._engine.pool
    with running(process) as url:
        taken = [pool.connect(), pool.connect()]
        waiting = threading.Thread(target=httpx.get, args=(f"{url}/v1/campaigns",), kwargs={"timeout": 20})
        waiting.start()
        deadline = time.monotonic() + 20
        while sample(process.registry, "cercles_reader_reads_outstanding") != 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        response = httpx.get(f"{url}/v1/campaigns", timeout=20)
        for connection in taken:
            connection.close()
        waiting.join(20)
        assert response.status_code == 503
        assert "in line" in response.json()["detail"]
        assert "retry-after" in response.headers
        assert httpx.get(f"{url}/v1/campaigns").status_code == 200
        assert sample(process.registry, "cercles_reader_reads_refused_total") == 1


def test_an_address_in_use_ends_the_process_with_an_error(stored: Stored) -> None:
    """Nobody else's port is shared, and nothing runs on silently."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        process = ReaderProcess(settings_for(stored.url, port=other.getsockname()[1]))
        with pytest.raises(OSError, match="in use"):
            process.run(threading.Event())


def test_it_stops_although_a_client_keeps_its_connection(stored: Stored) -> None:
    """An idle connection is closed, not waited for."""
    process = ReaderProcess(settings_for(stored.url))
    with httpx.Client() as client:
        with running(process) as url:
            assert client.get(f"{url}/v1/campaigns").status_code == 200
            began = time.monotonic()
        assert time.monotonic() - began < 5


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Return a metric's value."""
    return registry.get_sample_value(name, labels)


def test_requests_are_counted_by_route_and_never_by_path(stored: Stored) -> None:
    """Labels are bounded: templates instead of paths, known methods, classes of status."""
    stored.campaign()
    process = ReaderProcess(settings_for(stored.url, wait_seconds=0.05))
    with running(process) as url, httpx.Client(base_url=url) as client:
        for path in ("/v1/campaigns/film", "/v1/campaigns/a", "/v1/campaigns/b", "/nowhere/1", "/nowhere/2"):
            client.get(path)
        client.head("/v1/campaigns/film")
        client.request("BREW", "/v1/campaigns/film")
        client.get("/v1/campaigns/film/events/0:1", headers={"authorization": f"Bearer {READ_KEY}"})
        client.get("/v1/campaigns?wait_for=0:1")
        registry, requests = process.registry, "cercles_reader_requests_total"
        campaign = "/v1/campaigns/{campaign_id}"
        assert sample(registry, requests, route=campaign, method="GET", status="2xx") == 1
        assert sample(registry, requests, route=campaign, method="GET", status="4xx") == 2
        assert sample(registry, requests, route=campaign, method="HEAD", status="2xx") == 1
        assert sample(registry, requests, route="unmatched", method="GET", status="4xx") == 2
        assert sample(registry, requests, route="unmatched", method="other", status="4xx") == 1
        event = "/v1/campaigns/{campaign_id}/events/{position}"
        assert sample(registry, requests, route=event, method="GET", status="2xx") == 1
        assert sample(registry, "cercles_reader_request_seconds_count", route=campaign) == 4
        assert sample(registry, "cercles_reader_waits_total", outcome="timed_out") == 1
        # A read is done a moment after its answer has left.
        wait_until(lambda: sample(registry, "cercles_reader_reads_outstanding") == 0, "every read is done")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback and no key unless told otherwise; a variable that is empty is no key."""
    settings = ReaderSettings()
    assert (settings.host, settings.key, settings.wait_seconds) == ("127.0.0.1", None, 10)
    monkeypatch.setenv("CERCLES_READER_KEY", "")
    assert ReaderSettings().key is None
    monkeypatch.setenv("CERCLES_READER_KEY", "a-key")
    monkeypatch.setenv("CERCLES_READER_PORT", "0")
    monkeypatch.setenv("CERCLES_DATABASE_URL", "sqlite:///elsewhere.db")
    settings = ReaderSettings()
    assert (settings.key, settings.port) == (SecretStr("a-key"), 0)
    assert settings.database.url.get_secret_value() == "sqlite:///elsewhere.db"
    assert "a-key" not in repr(settings)
    monkeypatch.setenv("CERCLES_READER_WAIT_SECONDS", "61")
    with pytest.raises(ValidationError, match="wait_seconds"):
        ReaderSettings()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://somewhere/cercles"])
def test_a_database_that_cannot_be_read_from_is_refused_at_once(url: str) -> None:
    """The setting is named, before anything is opened."""
    with pytest.raises(ValueError, match="CERCLES_DATABASE_URL"):
        ReaderProcess(ReaderSettings(database=DatabaseConnection(url=SecretStr(url))))
