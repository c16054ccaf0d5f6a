"""The scene of the faults: broker, PostgreSQL behind a proxy, every process of ours, the load, and the oracle."""

import json
import random
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

import httpx
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from cercles.embedded.kafka import EmbeddedKafka
from cercles.ports import LOOPBACK, free_ports
from cercles.settings import TopicsSettings
from cercles.topics import connect, ensure_topics
from schemas.connections import KafkaConnection
from schemas.tables import campaigns, sink_positions
from schemas.topics import DEAD_LETTERS, PARTITIONS_EMBEDDED, UPDATES
from sinks import migrate
from tests.faults.disks import Disk
from tests.faults.load import ADMIN_KEY, SECRET, SOURCES, Load
from tests.faults.oracle import Oracle, Verdict
from tests.faults.postgresql import PostgreSQL
from tests.faults.processes import Fleet
from tests.faults.proxy import DatabaseProxy
from tests.faults.receipts import Receipts
from tests.faults.views import READ_KEY, in_metrics, over_http
from tests.worker.pipeline import log_ends

EVERYBODY: Final = ("reader", "exporter", "sink", "worker", "clock", "gateway")
READY_SECONDS_MAX: Final = 60.0
RECOVERY_SECONDS_MAX: Final = 180.0
"""Recovery that takes longer counts as none."""

CLOSE_SECONDS_MAX: Final = 30.0
"""Longest time until the clock has closed every campaign, whose time has long passed."""

SESSION_SECONDS: Final = 3
"""After so long without a sign of life the group gives a worker's, or a sink's, partitions to others."""

DISK_MEBIBYTES: Final = {"kafka": 1024, "postgresql": 1024, "checkpoints": 64}


@dataclass(frozen=True)
class Pace:
    """How hard the load pushes."""

    events_per_second: float = 60.0


@dataclass
class Scene:
    """Everything a fault needs to be inflicted, and everything that shows what it did."""

    directory: Path
    broker: EmbeddedKafka
    postgresql: PostgreSQL
    proxy: DatabaseProxy
    disks: Mapping[str, Disk]
    fleet: Fleet
    engine: Engine
    oracle: Oracle
    gateway_url: str
    chance: random.Random
    short: bool
    pace: Pace = field(default_factory=Pace)
    load: Load | None = None
    complaints: list[str] = field(default_factory=list)
    """What a fault itself has found wrong, such as too much memory."""

    @property
    def bootstrap(self) -> str:
        return self.broker.bootstrap_servers

    def begin(self, prefix: str) -> None:
        """Let new campaigns be told, until `judge`."""
        receipts = Receipts(self.directory / f"{prefix}.receipts")
        self.load = Load(
            self.gateway_url,
            self.bootstrap,
            receipts,
            prefix=prefix,
            seed=self.chance.randrange(2**32),
            events_per_second=self.pace.events_per_second,
        )
        self.load.start()

    def recover(self) -> float:
        """Wait until the database has everything accepted up to now; return the seconds. Raises TimeoutError."""
        started = time.monotonic()
        ends = {} if self.load is None else self.load.receipts.ends()
        self.fleet.wait_until(
            lambda: self.has_applied(ends), f"the database has everything below {ends}", RECOVERY_SECONDS_MAX
        )
        return time.monotonic() - started

    def judge(self) -> Verdict:
        """End the load, let everything come through, and ask the oracle."""
        self.fleet.settle()
        load = self.present_load
        load.stop()
        with self._quiet():
            verdict = self.oracle.judge(load.receipts.read())
        load.receipts.close()
        for complaint in (*load.complaints, *self.complaints):
            verdict.complain(complaint)
        self.complaints.clear()
        self.load = None
        return verdict

    def judge_everything(self) -> Verdict:
        """Ask the oracle about the whole log, from its beginning."""
        with self._quiet():
            return self.oracle.judge_everything()

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Let everything come through, the closes too, and keep the clock from adding more meanwhile."""
        try:
            self.recover()
            self.fleet.wait_until(
                lambda: not self._is_any_open(), "the clock has closed all campaigns", CLOSE_SECONDS_MAX
            )
        except TimeoutError as error:
            self.complaints.append(str(error))
        clock = self.fleet["clock"]
        clock.send(signal.SIGSTOP)
        try:
            ends = log_ends(self.bootstrap)
            self.fleet.wait_until(lambda: self.has_applied(ends), f"the database has {ends}", RECOVERY_SECONDS_MAX)
        except TimeoutError as error:
            self.complaints.append(str(error))
        try:
            yield
        finally:
            clock.send(signal.SIGCONT)

    def _is_any_open(self) -> bool:
        with self.engine.connect() as connection:
            return bool(connection.scalar(select(func.count()).where(campaigns.c.status == "open")))

    def has_applied(self, ends: Mapping[int, int]) -> bool:
        """Whether the database has the log below these offsets, and the dead letters of that stretch."""
        column = sink_positions.c
        try:
            with self.engine.connect() as connection:
                rows = connection.execute(
                    select(
                        column.topic,
                        column.partition_number,
                        column.next_offset,
                        column.log_next_offset,
                        column.dead_letters_next_offset,
                    )
                ).all()
        except SQLAlchemyError:
            return False  # it is away: that may be the fault
        applied = {row.partition_number: row for row in rows if row.topic == UPDATES.name}
        letters = {row.partition_number: row.next_offset for row in rows if row.topic == DEAD_LETTERS.name}
        return all(
            partition in applied
            and applied[partition].log_next_offset >= end
            and letters.get(partition, 0) >= applied[partition].dead_letters_next_offset
            for partition, end in ends.items()
        )

    def pause(self, seconds: float) -> None:
        """Let time pass, and look after the processes meanwhile."""
        until = time.monotonic() + seconds
        self.fleet.wait_until(lambda: time.monotonic() > until, "time has passed", seconds + 5)

    def await_answers(self, urls: Sequence[str]) -> None:
        """Wait until something answers at each address."""
        self.fleet.wait_until(lambda: all(map(_answers, urls)), f"{urls} answer", READY_SECONDS_MAX)

    @property
    def present_load(self) -> Load:
        """The load that is being told. Raises RuntimeError when there is none."""
        if self.load is None:
            raise RuntimeError("no load has been begun")
        return self.load

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.load is not None:
            self.load.stop()
        self.fleet.kill()


@contextmanager
def servers(directory: Path) -> Iterator[tuple[EmbeddedKafka, PostgreSQL, DatabaseProxy, dict[str, Disk]]]:
    """Start broker and database, each on a small disk of its own, with topics and tables."""
    with ExitStack() as stack:
        disks = {name: Disk(directory / name, mebibytes) for name, mebibytes in DISK_MEBIBYTES.items()}
        for disk in disks.values():
            stack.callback(disk.remove)
        (port,) = free_ports(1)
        broker = EmbeddedKafka(
            disks["kafka"].directory / "data",
            port=port,
            heap_mebibytes=384,
            # Lower than brokers' default of 6 s, so that a killed member is missed sooner.
            extra_settings={"group.min.session.timeout.ms": "1000", "log.segment.bytes": str(16 * 1024 * 1024)},
        )
        stack.callback(broker.kill)
        broker.start()
        with connect(KafkaConnection(bootstrap_servers=broker.bootstrap_servers)) as admin:
            ensure_topics(
                admin,
                TopicsSettings(
                    partitions=PARTITIONS_EMBEDDED, replication_factor=1, min_insync_replicas=1, flush_messages=1
                ),
            )
        postgresql = PostgreSQL(disks["postgresql"].directory)
        stack.callback(postgresql.stop)
        postgresql.start()
        migrate.upgrade(postgresql.url)
        proxy = DatabaseProxy(postgresql.socket)
        stack.callback(proxy.close)
        yield broker, postgresql, proxy, disks


@contextmanager
def scene(seed: int, *, short: bool, pace: Pace | None = None) -> Iterator[Scene]:
    """Set the scene: one process of each kind, working. Whatever happens, everything is gone afterwards."""
    with (
        TemporaryDirectory(prefix="cercles-faults-", ignore_cleanup_errors=True) as name,
        servers(Path(name)) as (broker, postgresql, proxy, disks),
    ):
        gateway, reader, exporter = free_ports(3)
        addresses = {"gateway": gateway, "reader": reader, "exporter": exporter}
        logs = Path(name) / "logs"
        logs.mkdir()
        environments = {
            process: _environment(
                process,
                bootstrap=broker.bootstrap_servers,
                database_url=postgresql.proxied_url(proxy.port) if process == "sink" else postgresql.url,
                checkpoints=disks["checkpoints"].directory / "files",
                port=addresses.get(process),
            )
            for process in EVERYBODY
        }
        fleet = Fleet(environments, logs)
        # A connection for each question: one that waits in a pool would not survive what happens to the server.
        engine = create_engine(postgresql.url, poolclass=NullPool, connect_args={"connect_timeout": 2})
        chance = random.Random(seed)
        urls = {process: f"http://{LOOPBACK}:{port}" for process, port in addresses.items()}
        views = (over_http(urls["reader"], chance), in_metrics(f"{urls['exporter']}/metrics"))
        whole = Scene(
            directory=Path(name),
            broker=broker,
            postgresql=postgresql,
            proxy=proxy,
            disks=disks,
            fleet=fleet,
            engine=engine,
            oracle=Oracle(broker.bootstrap_servers, engine, views),
            gateway_url=urls["gateway"],
            chance=chance,
            short=short,
            pace=pace or Pace(),
        )
        with whole:
            fleet.start(EVERYBODY)
            whole.await_answers(list(urls.values()))
            yield whole


def _environment(
    process: str, *, bootstrap: str, database_url: str, checkpoints: Path, port: int | None
) -> dict[str, str]:
    """Return a process's environment: small batches, so that there are many, and short sessions."""
    environment = {"CERCLES_KAFKA_BOOTSTRAP_SERVERS": bootstrap, "CERCLES_DATABASE_URL": database_url}
    if port is not None:
        environment[f"CERCLES_{process.upper()}_PORT"] = str(port)
    return environment | {
        "worker": {
            "CERCLES_WORKER_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
            "CERCLES_WORKER_BATCH_EVENTS_MAX": "50",
            "CERCLES_WORKER_CHECKPOINT_DIRECTORY": str(checkpoints),
            "CERCLES_WORKER_CHECKPOINT_INTERVAL_SECONDS": "2",
            "CERCLES_WORKER_COMMIT_INTERVAL_SECONDS": "0.3",
        },
        "sink": {
            "CERCLES_SINK_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
            "CERCLES_SINK_TRANSACTION_RECORDS_MAX": "40",
            "CERCLES_SINK_RETRY_DELAY_SECONDS_MAX": "1",
        },
        "gateway": {
            "CERCLES_GATEWAY_ADMIN_KEY": ADMIN_KEY,
            "CERCLES_PSEUDONYM_KEY": "pseudonym-key-for-tests",
            "CERCLES_GATEWAY_SOURCES": json.dumps({source: {"current": SECRET} for source in SOURCES}),
        },
        "reader": {"CERCLES_READER_KEY": READ_KEY},
        "exporter": {"CERCLES_EXPORTER_TOP_CAMPAIGNS": "1000"},
        "clock": {"CERCLES_CLOCK_INTERVAL_SECONDS": "0.5"},
    }.get(process, {})


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=1.0)
    except httpx.TransportError:
        return False
    return True
