"""A real gateway on a free port, whose log is in memory."""

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import httpx
import pytest
from prometheus_client import CollectorRegistry

from producers.gateway.app import make_app
from producers.gateway.server import BACKLOG, Server
from producers.metrics import GatewayMetrics
from producers.settings import GatewaySettings
from schemas.listening import listen
from tests.gateway.fake_log import FakeLog
from tests.gateway.knocking import settings


@dataclass
class RunningGateway:
    """A gateway, its log, what it has counted, and where it listens."""

    log: FakeLog
    registry: CollectorRegistry
    host: str
    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.host}:{self.port}"

    def counted(self, name: str, **labels: str) -> float:
        """Return a counter's value; 0 where nothing has been counted."""
        return self.registry.get_sample_value(name, labels) or 0


def running(chosen: GatewaySettings) -> Generator[RunningGateway]:
    """Run a gateway with these settings until the generator is closed."""
    registry, log, stop = CollectorRegistry(), FakeLog(), threading.Event()
    listening = listen("127.0.0.1", 0, BACKLOG)
    host, port = listening.getsockname()[:2]
    app = make_app(chosen, log, GatewayMetrics(registry))
    server = Server(app, chosen.requests_max, stop, each_tick=lambda: None)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield RunningGateway(log, registry, str(host), int(port))
    finally:
        stop.set()
        thread.join(15)
        listening.close()


@pytest.fixture(scope="session")
def running_gateway() -> Iterator[RunningGateway]:
    """One gateway for all tests of the doors; bodies must come within a second."""
    yield from running(settings(body_seconds=1.0))


@pytest.fixture
def gateway(running_gateway: RunningGateway) -> RunningGateway:
    """The gateway, with an empty log."""
    running_gateway.log.reset()
    return running_gateway


@pytest.fixture(scope="session")
def session_client(running_gateway: RunningGateway) -> Iterator[httpx.Client]:
    """A client of the gateway, made once: making one costs more than most tests."""
    with httpx.Client(base_url=running_gateway.url, timeout=10) as client:
        yield client


@pytest.fixture
def client(gateway: RunningGateway, session_client: httpx.Client) -> httpx.Client:
    """A client of the gateway, whose log is empty."""
    assert gateway.log.records == []
    return session_client
