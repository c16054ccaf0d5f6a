"""The scene of a soak: Kafka, PostgreSQL, and one process of each kind of ours."""

import subprocess
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
import psycopg
from sqlalchemy import Engine, create_engine, func, make_url, select

from benchmarks.commands import answers, command, wait_until
from benchmarks.databases import Postgresql
from benchmarks.gateway import ENVIRONMENT, PARTITIONS
from benchmarks.log import log_ends
from benchmarks.processes import children, parent, private_bytes, resident_bytes
from benchmarks.servers import make_topics, running_kafka, running_postgresql
from cercles.ports import LOOPBACK, free_ports
from schemas import tables
from schemas.topics import UPDATES
from tests.faults.stored import has_applied

PROCESSES: Final = ("gateway", "worker", "sink", "reader", "exporter", "clock")
CHECKPOINT_SECONDS: Final = 10
"""More often than by default: a dozen checkpoints of a partition leave the allocator as large as it will be, and those
should lie behind when the memory begins to count."""

_DOORS: Final = ("gateway", "reader", "exporter")
"""Those that answer others, at an address of their own."""


class Scene:
    """Everything that a soak watches. It ends with the stack."""

    def __init__(self, stack: ExitStack) -> None:
        kafka = stack.enter_context(running_kafka())
        self.bootstrap = kafka.bootstrap_servers
        make_topics(self.bootstrap, PARTITIONS)
        database = Postgresql(stack.enter_context(running_postgresql()))
        url = stack.enter_context(database.fresh())
        checkpoints = stack.enter_context(TemporaryDirectory(prefix="cercles-soak-checkpoints-"))
        ports = free_ports(len(PROCESSES) + len(_DOORS))
        self.operations_ports = dict(zip(PROCESSES, ports, strict=False))
        self.ports = dict(zip(_DOORS, ports[len(PROCESSES) :], strict=True))
        environment = ENVIRONMENT | {
            "CERCLES_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "CERCLES_DATABASE_URL": url,
            "CERCLES_WORKER_CHECKPOINT_DIRECTORY": str(Path(checkpoints) / "files"),
            "CERCLES_WORKER_CHECKPOINT_INTERVAL_SECONDS": str(CHECKPOINT_SECONDS),
        }
        environment |= {f"CERCLES_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        self._processes: dict[str, subprocess.Popen[bytes]] = {
            name: stack.enter_context(
                command(name, environment | {"CERCLES_OPERATIONS_PORT": str(self.operations_ports[name])})
            )
            for name in PROCESSES
        }
        for port in (*self.operations_ports.values(), *self.ports.values()):
            wait_until(partial(answers, port), f"the server on port {port} answers")
        for name, port in self.operations_ports.items():
            wait_until(partial(_is_ready, port), f"the {name} is ready")
        self.engine: Engine = create_engine(url)
        stack.callback(self.engine.dispose)
        self._kafka_pid = kafka.pid
        self.database_url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(self.database_url) as connection:
            self._postgresql_pid = parent(connection.info.backend_pid)

    def pids(self) -> dict[str, list[int]]:
        """Return the process ids of each kind: ours, and the servers'."""
        ours = {name: [process.pid] for name, process in self._processes.items()}
        postgresql = [self._postgresql_pid, *children(self._postgresql_pid)]
        return ours | {"Kafka": [self._kafka_pid], "PostgreSQL": postgresql}

    def memory(self) -> dict[str, int]:
        """Return the memory of each kind in bytes: resident; of PostgreSQL's processes what they do not share."""
        return {
            name: sum(map(private_bytes if name == "PostgreSQL" else resident_bytes, pids))
            for name, pids in self.pids().items()
        }

    def check(self) -> None:
        """Raise RuntimeError when a process of ours has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"the {name} ended with {process.returncode}")

    def unseen_events(self) -> int:
        """Return how many events of the log the database does not yet show."""
        end = sum(log_ends(self.bootstrap, PARTITIONS).values())
        with self.engine.connect() as connection:
            column = tables.sink_positions.c
            shown = connection.scalar(select(func.sum(column.log_next_offset)).where(column.topic == UPDATES.name))
        return end - int(shown or 0)

    def is_drained(self) -> bool:
        """Whether the database has all that stands on the log."""
        self.check()
        return has_applied(self.engine, log_ends(self.bootstrap, PARTITIONS))


def _is_ready(port: int) -> bool:
    return httpx.get(f"http://{LOOPBACK}:{port}/readyz").is_success
