"""The operations address against the whole table of hostile requests."""

import threading
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from cercles.operations import OperationsServer
from cercles.settings import OperationsSettings
from cercles.stall_watch import StallWatch
from schemas.headway import Headway
from schemas.http_bounds import PunctualH11
from tests.hostile import DRIPS, Door, answers, is_cut_off, status_of
from tests.series import series_of

HOST = "127.0.0.1"


class Idle:
    """A process with nothing to do."""

    name = "idle"

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.headway = Headway()

    def not_ready(self) -> str | None:
        """Be ready."""
        return None

    def run(self, stop: threading.Event) -> None:
        """Wait."""
        stop.wait()


@pytest.fixture
def idle() -> Idle:
    """A process that is looked at."""
    return Idle()


@pytest.fixture
def port(idle: Idle) -> Iterator[int]:
    """Where it is looked at."""
    watch = StallWatch(idle, 60, threading.Event())
    with OperationsServer(idle, OperationsSettings(host=HOST, port=0), watch) as server:
        yield int(server.address.rpartition(":")[2])


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_the_whole_table(path: str, idle: Idle, port: int) -> None:
    """No row is a fault of ours or a series more; each is answered or ended in bounded time, and the next served."""
    before = series_of(idle.registry)
    door = Door(method="GET", path=path, headers={})
    statuses = answers(HOST, port, door)
    assert {row: status for row, status in statuses.items() if status is not None and status >= 500} == {}
    assert status_of(HOST, port, door.request()) == 200
    assert series_of(idle.registry) == before


def test_who_drips_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty-two connections are all that there are: none is kept that asks for nothing."""
    monkeypatch.setattr(PunctualH11, "head_seconds_max", 0.5)
    assert {name: is_cut_off(HOST, port, drip) for name, drip in DRIPS.items()} == dict.fromkeys(DRIPS, True)
