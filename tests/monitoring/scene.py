"""Every real process of the pipeline, some traffic through it, and a Prometheus that watches."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from cercles.embedded.kafka import EmbeddedKafka
from cercles.ports import LOOPBACK, free_ports
from sinks import migrate
from tests.faults.postgresql import PostgreSQL
from tests.faults.processes import Running
from tests.gateway.knocking import (
    ACCOUNT,
    ADMIN_KEY,
    CAMPAIGN,
    PSEUDONYM_KEY,
    SOURCE,
    SOURCE_SECRET,
    STRIPE_SECRET,
    admin_headers,
    captured,
    launch,
    payment_intent,
    send,
    send_webhook,
    webhook,
)
from tests.monitoring import prometheus
from tests.monitoring.prometheus import Prometheus

PROCESSES: Final = ("exporter", "reader", "sink", "worker", "resolver", "clock", "gateway")
ANSWER_SECONDS_MAX: Final = 5.0
VISIT_SECONDS: Final = 0.1
"""Time between two visits of the traffic."""

WAIT_SECONDS_MAX: Final = 60.0


class Traffic:
    """Sends a pledge, and asks for the totals, again and again in a thread, whatever is answered."""

    def __init__(self, gateway: str, reader: str) -> None:
        self._gateway = gateway
        self._reader = reader
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        with (
            httpx.Client(base_url=self._gateway, timeout=ANSWER_SECONDS_MAX) as gateway,
            httpx.Client(base_url=self._reader, timeout=ANSWER_SECONDS_MAX) as reader,
        ):
            while not self._stop.wait(VISIT_SECONDS):
                number += 1
                # Nobody answers while a process is being started, or is the fault itself.
                with contextlib.suppress(httpx.TransportError):
                    reader.get(f"/v1/campaigns/{CAMPAIGN}")
                with contextlib.suppress(httpx.TransportError):
                    send(gateway, captured(number))


@dataclass
class Scene:
    """What a fault needs to be made, and what shows its alert."""

    prometheus: Prometheus
    broker: EmbeddedKafka
    postgresql: PostgreSQL
    engine: Engine
    checkpoints: Path
    urls: Mapping[str, str]
    """Where gateway, reader and exporter answer."""
    logs: Path
    environments: Mapping[str, Mapping[str, str]]
    processes: dict[str, Running]

    def start(self, name: str) -> None:
        """Start the process of that name."""
        self.processes[name] = Running(name, self.environments[name], self.logs / f"{name}.log")

    def command(self, *words: str) -> str:
        """Run `cercles …` on this broker and database; return what it wrote."""
        command = [sys.executable, "-m", "cercles", *words]
        environment = os.environ | dict(self.environments["sink"])
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    def launch(self, campaign_id: str, **changes: Any) -> None:
        """Launch a campaign."""
        url = f"{self.urls['gateway']}/v1/campaigns/{campaign_id}"
        httpx.put(url, json=launch(**changes), headers=admin_headers()).raise_for_status()

    def send(self, what: dict[str, Any] | list[dict[str, Any]]) -> None:
        """Send an event, or several."""
        with httpx.Client(base_url=self.urls["gateway"]) as client:
            send(client, what).raise_for_status()

    def send_webhook(self, what: dict[str, Any]) -> None:
        """Send an event of Stripe's."""
        with httpx.Client(base_url=self.urls["gateway"]) as client:
            send_webhook(client, what).raise_for_status()

    def until_firing(self, alerts: set[str]) -> None:
        """Wait until all of these fire; further ones may. Raises TimeoutError."""
        _until(lambda: alerts <= self.prometheus.firing(), lambda: f"{alerts - self.prometheus.firing()} fire")

    def until_quiet(self) -> None:
        """Wait until no alert fires. Raises TimeoutError."""
        _until(lambda: not self.prometheus.firing(), lambda: f"{self.prometheus.firing()} fire no more")

    def until_told(self, expression: str) -> None:
        """Wait until an expression has a sample. Raises TimeoutError."""
        _until(lambda: bool(self.prometheus.ask(expression)), lambda: f"{expression} has a sample")


def _until(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {WAIT_SECONDS_MAX:g} s until {what()}")
        time.sleep(0.1)


@contextmanager
def scene(broker: EmbeddedKafka) -> Iterator[Scene]:
    """Set the scene, with the topics at hand. Whatever happens, everything is gone afterwards."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="cercles-monitoring-")))
        settings = stack.enter_context(pytest.MonkeyPatch.context())
        # PostgreSQL's library asks for the directory of the user's session when it is imported.
        settings.setenv("XDG_RUNTIME_DIR", str(directory))
        postgresql = PostgreSQL(directory)
        stack.callback(postgresql.stop)
        postgresql.start()
        migrate.upgrade(postgresql.url)
        doors = dict(zip(("gateway", "reader", "exporter"), free_ports(3), strict=True))
        operations = dict(zip(PROCESSES, free_ports(len(PROCESSES)), strict=True))
        environments = {
            name: _environment(name, broker.bootstrap_servers, postgresql.url, directory, doors.get(name))
            | _operations(port)
            for name, port in operations.items()
        }
        processes: dict[str, Running] = {}
        stack.callback(_kill_all, processes)
        watching = directory / "prometheus"
        watching.mkdir()
        ports = operations | {"campaigns": doors["exporter"]}
        whole = Scene(
            prometheus=stack.enter_context(prometheus.running(watching, ports)),
            broker=broker,
            postgresql=postgresql,
            # A connection for each question: one that waits in a pool would not survive the server.
            engine=create_engine(postgresql.url, poolclass=NullPool),
            checkpoints=directory / "checkpoints",
            urls={name: f"http://{LOOPBACK}:{port}" for name, port in doors.items()},
            logs=directory,
            environments=environments,
            processes=processes,
        )
        for name in PROCESSES:
            whole.start(name)
        whole.until_told("sum(up) == 8")
        whole.launch(CAMPAIGN, goal_minor=10_000)
        # A resolver that has heard of no payment has nothing to show.
        whole.send_webhook(webhook("payment_intent.succeeded", payment_intent()))
        stack.enter_context(Traffic(whole.urls["gateway"], whole.urls["reader"]))
        yield whole


def _kill_all(processes: Mapping[str, Running]) -> None:
    for one in processes.values():
        one.kill()


def _operations(port: int) -> dict[str, str]:
    return {"CERCLES_OPERATIONS_PORT": str(port)}


def _environment(name: str, bootstrap: str, url: str, directory: Path, port: int | None) -> dict[str, str]:
    """Return a process's environment: intervals that fit a minute of one second."""
    environment = {"CERCLES_KAFKA_BOOTSTRAP_SERVERS": bootstrap, "CERCLES_DATABASE_URL": url}
    if port is not None:
        environment[f"CERCLES_{name.upper()}_PORT"] = str(port)
    return environment | {
        "worker": {
            "CERCLES_WORKER_GROUP": "monitored-workers",
            "CERCLES_WORKER_BATCH_EVENTS_MAX": "1",  # so that a backlog takes seconds
            "CERCLES_WORKER_LOG_CHECK_INTERVAL_SECONDS": "1",  # and is known within a second, as far as it is left
            "CERCLES_WORKER_CHECKPOINT_DIRECTORY": str(directory / "checkpoints"),
            "CERCLES_WORKER_CHECKPOINT_INTERVAL_SECONDS": "1",
        },
        "resolver": {
            "CERCLES_RESOLVER_GROUP": "monitored-resolvers",
            "CERCLES_RESOLVER_BATCH_EVENTS_MAX": "1",
            "CERCLES_RESOLVER_LOG_CHECK_INTERVAL_SECONDS": "1",
        },
        "sink": {
            "CERCLES_SINK_GROUP_ID": "monitored-sinks",
            "CERCLES_SINK_RETRY_DELAY_SECONDS_MAX": "0.5",
        },
        "gateway": {
            "CERCLES_GATEWAY_ADMIN_KEY": ADMIN_KEY,
            "CERCLES_GATEWAY_SOURCES": json.dumps({SOURCE: {"current": SOURCE_SECRET}}),
            "CERCLES_GATEWAY_STRIPE_ACCOUNTS": json.dumps({ACCOUNT: {"current": STRIPE_SECRET}}),
            "CERCLES_GATEWAY_PUBLISH_SECONDS": "1",
            "CERCLES_PSEUDONYM_KEY": PSEUDONYM_KEY,
        },
        "clock": {"CERCLES_CLOCK_INTERVAL_SECONDS": "0.5"},
    }.get(name, {})
