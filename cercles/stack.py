"""The embedded stack: broker, database and every process of ours, in one data directory, on free ports of loopback."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import httpx

from cercles.data_directory import DataDirectory
from cercles.embedded.download_bar import progress_bar
from cercles.embedded.jars import ensure_jars
from cercles.embedded.kafka import EmbeddedKafka
from cercles.parts import BrokerPart, ChildProcess
from cercles.ports import LOOPBACK, free_ports
from cercles.processes import ProcessName
from cercles.settings import TopicsSettings
from cercles.supervisor import Supervisor
from cercles.topics import connect, ensure_topics
from schemas.connections import KafkaConnection
from schemas.topics import PARTITIONS_EMBEDDED
from sinks.migrate import upgrade

STAGES: Final[tuple[tuple[ProcessName, ...], ...]] = (
    ("exporter", "reader", "sink"),
    ("worker",),
    ("resolver",),
    ("clock", "gateway"),
)
"""In the order of starting, after the broker. The opposite order stops what takes events in first, so that everything
taken in can still pass through."""

READY_SECONDS_MAX: Final = 1.0
"""Longest wait for one answer of `/readyz`."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Who may send events: names of sources that sign CloudEvents, and of Stripe accounts."""

    sources: tuple[str, ...]
    stripe_accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that people and other programs use; 0: a free one."""

    gateway: int = 0
    reader: int = 0
    exporter: int = 0
    kafka: int = 0

    def by_option(self) -> dict[str, int]:
        """Return each port with the option that chooses it."""
        return {f"--{name}-port": port for name, port in asdict(self).items()}


class Stack:
    """One embedded stack. Make it, `prepare` it, `start` its processes, `tend` it, and `stop` it: all in one thread."""

    def __init__(
        self,
        directory: DataDirectory,
        doors: Doors,
        *,
        ports: Ports | None = None,
        say: Callable[[str], None],
    ) -> None:
        self._directory = directory
        self._doors = doors
        self._say = say
        wanted = ports or Ports()
        names = [name for stage in STAGES for name in stage]
        gateway, reader, exporter, kafka, *operations = free_ports(4 + len(names))
        self._operations: Final = dict(zip(names, operations, strict=True))
        self._kafka_port: Final = wanted.kafka or kafka
        self._listening: Final = {
            "gateway": wanted.gateway or gateway,
            "reader": wanted.reader or reader,
            "exporter": wanted.exporter or exporter,
        }
        self.gateway_url: Final = f"http://{LOOPBACK}:{self._listening['gateway']}"
        self.reader_url: Final = f"http://{LOOPBACK}:{self._listening['reader']}"
        self.exporter_url: Final = f"http://{LOOPBACK}:{self._listening['exporter']}/metrics"
        self.bootstrap_servers: Final = f"{LOOPBACK}:{self._kafka_port}"
        # A fixed port: the processes keep the broker's address when it is restarted.
        self._broker = BrokerPart(EmbeddedKafka(directory.kafka, port=self._kafka_port))
        processes = [[self._process(name) for name in stage] for stage in STAGES]
        self._supervisor = Supervisor([[self._broker], *processes], say=say)

    def prepare(self) -> None:
        """Start the broker, and make the topics and tables that are missing.

        Raises StartError, `ensure_jars`' JarsError, PartitionsDifferError, and the errors of Kafka and the database.
        """
        # With a bar of its own, which must be gone before anything else is drawn.
        with progress_bar() as progress:
            ensure_jars(progress=progress)
        self._say("starting Apache Kafka")
        self._broker.start()
        self._say("making topics and tables")
        topics = TopicsSettings(
            partitions=PARTITIONS_EMBEDDED, replication_factor=1, min_insync_replicas=1, flush_messages=1
        )
        with connect(KafkaConnection(bootstrap_servers=self.bootstrap_servers, security_protocol="PLAINTEXT")) as admin:
            ensure_topics(admin, topics)
        upgrade(self._directory.database_url)

    def start(self) -> None:
        """Start the processes. They need a moment until `waiting_for` is empty."""
        self._say(f"starting {', '.join(self._operations)}")
        self._supervisor.start()

    def tend(self) -> None:
        """Look after everything once. Raises HopelessError when something can't be kept alive."""
        self._supervisor.tend()

    def waiting_for(self) -> list[str]:
        """Return the processes that are not ready to work, each with its reason."""
        return [f"{name}: {reason}" for name in self._operations if (reason := self._not_ready(name)) is not None]

    def stop(self) -> None:
        """Stop everything, in order."""
        self._supervisor.stop()

    def operations_addresses(self) -> dict[ProcessName, str]:
        """Return where each process serves health and metrics."""
        return {name: f"http://{LOOPBACK}:{port}" for name, port in self._operations.items()}

    def _not_ready(self, name: ProcessName) -> str | None:
        try:
            answer = httpx.get(f"{self.operations_addresses()[name]}/readyz", timeout=READY_SECONDS_MAX)
        except httpx.TransportError:
            return "does not answer yet"
        return None if answer.is_success else answer.text.strip()

    def _process(self, name: ProcessName) -> ChildProcess:
        command: Sequence[str] = (sys.executable, "-m", "cercles", name)
        return ChildProcess(name, command, self._environment(name), self._directory.log_path(name))

    def _environment(self, name: ProcessName) -> dict[str, str]:
        """Return what a process finds in its environment: ours, and nothing of Cercles from outside but its logs'."""
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith("CERCLES_") or "_LOG_" in key
        }
        secret = self._directory.secret
        ours = {
            "CERCLES_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "CERCLES_DATABASE_URL": self._directory.database_url,
            "CERCLES_OPERATIONS_HOST": LOOPBACK,
            "CERCLES_OPERATIONS_PORT": str(self._operations[name]),
        }
        if name in self._listening:
            prefix = f"CERCLES_{name.upper()}"
            ours |= {f"{prefix}_HOST": LOOPBACK, f"{prefix}_PORT": str(self._listening[name])}
        if name == "worker":
            ours["CERCLES_WORKER_CHECKPOINT_DIRECTORY"] = str(self._directory.checkpoints)
        if name == "reader":
            ours["CERCLES_READER_KEY"] = secret("read_key")
        if name == "gateway":
            ours |= {
                "CERCLES_GATEWAY_ADMIN_KEY": secret("admin_key"),
                "CERCLES_PSEUDONYM_KEY": secret("pseudonym_key"),
                "CERCLES_GATEWAY_CAMPAIGN_PAGES": f"{self.reader_url}/campaigns",
                "CERCLES_GATEWAY_SOURCES": self._secrets(self._doors.sources, "source"),
                "CERCLES_GATEWAY_STRIPE_ACCOUNTS": self._secrets(self._doors.stripe_accounts, "stripe"),
            }
        return inherited | ours

    def _secrets(self, names: tuple[str, ...], kind: str) -> str:
        return json.dumps({name: {"current": self._directory.secret(f"{kind}_{name}")} for name in names})
