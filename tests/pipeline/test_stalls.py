"""Real processes that hang: each says so, and ends with exit code 1 within a bounded time."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from kafka import KafkaProducer
from sqlalchemy import make_url

from cercles.ports import free_ports
from cercles.stall_watch import GRACE_SECONDS
from schemas.topics import LOG
from tests.conftest import wait_until
from tests.faults.proxy import DatabaseProxy
from tests.gateway.knocking import ADMIN_KEY, CAMPAIGN, PSEUDONYM_KEY, SOURCE, SOURCE_SECRET, captured, send
from tests.pipeline.hanging import PROGRAM
from tests.sinks.running import say
from tests.sinks.stories import story
from tests.worker.pipeline import launch

STALL_SECONDS_MAX = 8
END_SECONDS_MAX = STALL_SECONDS_MAX + GRACE_SECONDS + 20
"""The bound that the settings give, and what a busy machine may take on top."""

BLACK_HOLE_SECONDS = 3600.0


@dataclass
class Running:
    """A process, with where it answers and what it writes."""

    process: "subprocess.Popen[bytes]"
    operations: str
    log: Path

    def answer(self, path: str) -> str:
        """Return the answer of the operations address, or an empty text while nothing listens there yet."""
        try:
            return httpx.get(f"{self.operations}{path}").text
        except httpx.TransportError:
            return ""

    def until_ready(self) -> None:
        wait_until(lambda: self.answer("/readyz") == "ready\n", f"{self.log.name} is ready")

    def until_it_says_so(self) -> None:
        """Wait until it says from outside that it stands still, while it still runs."""
        wait_until(lambda: "no progress for" in self.answer("/readyz"), f"{self.log.name} says that it stands still")
        assert "cercles_process_stalled_seconds 0.0" not in self.answer("/metrics")

    def ended(self) -> tuple[str, str]:
        """Wait until it has ended, with exit code 1. Return its log, and the last line of it."""
        assert self.process.wait(END_SECONDS_MAX) == 1
        log = self.log.read_text()
        return log, log.splitlines()[-1]


@contextmanager
def a_process(program: Sequence[str], directory: Path, **settings: str) -> Iterator[Running]:
    (port,) = free_ports(1)
    path = directory / f"{program[-1]}.log"
    environment = settings | {
        "CERCLES_OPERATIONS_PORT": str(port),
        "CERCLES_OPERATIONS_STALL_SECONDS_MAX": str(STALL_SECONDS_MAX),
    }
    with path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *program], env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield Running(process, f"http://127.0.0.1:{port}", path)
    finally:
        process.kill()
        process.wait()


def ask(port: int, path: str) -> socket.socket:
    """Send a request, and wait for no answer."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
    return connection


@pytest.mark.timeout(120)
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_database_that_never_answers_ends_every_process_that_asks_it(
    topics: str, migrated_url: str, tmp_path: Path
) -> None:
    """Connected, and from then on a black hole: nothing is refused, no packet is lost, no timeout of a driver helps."""
    url = make_url(migrated_url)
    proxy = DatabaseProxy(Path(str(url.query["host"])) / ".s.PGSQL.5432")
    proxied = url.set(host="127.0.0.1", port=proxy.port, query={"sslmode": "disable"})
    reader_port, exporter_port = free_ports(2)
    settings = {
        "CERCLES_KAFKA_BOOTSTRAP_SERVERS": topics,
        "CERCLES_DATABASE_URL": proxied.render_as_string(hide_password=False),
        "CERCLES_READER_PORT": str(reader_port),
        "CERCLES_EXPORTER_PORT": str(exporter_port),
        "CERCLES_CLOCK_INTERVAL_SECONDS": "0.5",
        "CERCLES_SINK_LAG_SECONDS": "0.5",
    }
    told = story()
    with ExitStack() as stack:
        stack.callback(proxy.close)
        names = ("sink", "reader", "exporter", "clock")
        processes = [stack.enter_context(a_process(("-m", "cercles", name), tmp_path, **settings)) for name in names]
        say(topics, told.update(0, 2))
        for one in processes:
            one.until_ready()
        httpx.get(f"http://127.0.0.1:{exporter_port}/metrics").raise_for_status()
        proxy.delay_seconds = BLACK_HOLE_SECONDS
        say(topics, told.update(2, 3))
        stack.enter_context(ask(reader_port, "/v1/campaigns"))
        stack.enter_context(ask(exporter_port, "/metrics"))
        for one in processes:
            one.until_it_says_so()
        for one in processes:
            log, last = one.ended()
            assert "process_stalled" in log
            assert "psycopg" in log, "the stacks show what it waits for"
            assert "process_ended" in last
            assert f"no progress for {STALL_SECONDS_MAX} s" in last


@pytest.mark.timeout(120)
def test_a_worker_whose_event_loop_is_blocked_ends(topics: str, tmp_path: Path) -> None:
    """Nothing of it runs any more that could notice by itself."""
    settings = {"CERCLES_KAFKA_BOOTSTRAP_SERVERS": topics, "CERCLES_WORKER_SESSION_TIMEOUT_SECONDS": "6"}
    with a_process((*PROGRAM, "worker"), tmp_path, **settings) as worker:
        worker.until_ready()
        with closing(KafkaProducer(bootstrap_servers=topics)) as producer:
            producer.send(LOG.name, key=CAMPAIGN.encode(), value=launch(CAMPAIGN)).get(10)
        worker.until_it_says_so()
        log, last = worker.ended()
    assert "in hang_for_ever" in log
    assert "process_ended" in last


@pytest.mark.timeout(120)
def test_a_gateway_whose_lane_hangs_ends(topics: str, tmp_path: Path) -> None:
    """It shares its event loop with all that answers: nobody is answered, until it is started again."""
    (port,) = free_ports(1)
    settings = {
        "CERCLES_KAFKA_BOOTSTRAP_SERVERS": topics,
        "CERCLES_GATEWAY_PORT": str(port),
        "CERCLES_GATEWAY_ADMIN_KEY": ADMIN_KEY,
        "CERCLES_GATEWAY_SOURCES": json.dumps({SOURCE: {"current": SOURCE_SECRET}}),
        "CERCLES_GATEWAY_PUBLISH_SECONDS": "1",
        "CERCLES_PSEUDONYM_KEY": PSEUDONYM_KEY,
    }
    with a_process((*PROGRAM, "gateway"), tmp_path, **settings) as gateway:
        gateway.until_ready()
        time.sleep(STALL_SECONDS_MAX + 2)
        assert gateway.answer("/readyz") == "ready\n", "without traffic nothing is to be done"
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client, pytest.raises(httpx.ReadTimeout):
            send(client, [captured()])
        gateway.until_it_says_so()
        log, last = gateway.ended()
    assert "in hang_for_ever" in log
    assert "no progress for" in last


@pytest.mark.timeout(120)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_clock_whose_lane_hangs_ends(topics: str, migrated_url: str, tmp_path: Path) -> None:
    """Its own looks at the deadlines go on; none of them could ever lead to a close."""
    settings = {"CERCLES_KAFKA_BOOTSTRAP_SERVERS": topics, "CERCLES_DATABASE_URL": migrated_url}
    with a_process((*PROGRAM, "clock"), tmp_path, **settings) as clock:
        clock.until_it_says_so()
        log, last = clock.ended()
    assert "in hang_for_ever" in log
    assert "publishing lane at" in last
