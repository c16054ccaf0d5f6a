"""The scene of the faults: broker, PostgreSQL behind a proxy, every process of ours, the load, and the oracle."""

import json
import random
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Final, Self

import httpx
from kafka import KafkaConsumer, TopicPartition
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from cercles.embedded.kafka import EmbeddedKafka
from cercles.ports import LOOPBACK, free_ports
from schemas.tables import campaigns
from schemas.topics import PAYMENTS
from tests.faults import payments
from tests.faults.disks import Disk
from tests.faults.load import ADMIN_KEY, SECRET, SOURCES, Load
from tests.faults.oracle import Oracle, Verdict
from tests.faults.postgresql import PostgreSQL
from tests.faults.processes import Fleet
from tests.faults.proxy import DatabaseProxy
from tests.faults.receipts import Receipts
from tests.faults.servers import servers
from tests.faults.stored import has_applied
from tests.faults.views import READ_KEY, in_metrics, over_http
from tests.worker.pipeline import log_ends

EVERYBODY: Final = ("reader", "exporter", "sink", "worker", "resolver", "clock", "gateway")
EVENTS_PER_SECOND: Final = 60.0
"""How hard the load pushes, when nothing is in its way."""

RECOVERY_SECONDS_MAX: Final = 180.0
"""Recovery that takes longer counts as none."""

CLOSE_SECONDS_MAX: Final = 30.0
"""Longest time until the clock has closed every campaign, whose time has long passed."""

RESOLVERS: Final = "cercles-resolver"
"""The consumer group of the resolvers."""

SESSION_SECONDS: Final = 3
"""After so long without a sign of life the group gives a worker's, or a sink's, partitions to others."""


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
    urls: Mapping[str, str]
    """Where gateway, reader and exporter answer."""
    chance: random.Random
    short: bool
    load: Load | None = None
    recoveries: list[float] = field(default_factory=list)
    """Seconds from each fault's end until the database had everything that was accepted before."""
    complaints: list[str] = field(default_factory=list)
    """What a fault itself has found wrong, such as too much memory."""

    @property
    def bootstrap(self) -> str:
        return self.broker.bootstrap_servers

    @property
    def checkpoints(self) -> Path:
        """The directory of the workers' checkpoints."""
        return self.disks["checkpoints"].directory / "files"

    def new_directory(self) -> Path:
        """Return an empty directory, which is gone with the scene."""
        return Path(mkdtemp(dir=self.directory))

    def begin(self, prefix: str) -> None:
        """Let new campaigns be told, until `judge`."""
        self.recoveries.clear()
        receipts = Receipts(self.directory / f"{prefix}.receipts")
        self.load = Load(
            self.urls["gateway"],
            self.bootstrap,
            receipts,
            prefix=prefix,
            seed=self.chance.randrange(2**32),
            events_per_second=EVENTS_PER_SECOND,
        )
        self.load.start()

    def recover(self) -> float:
        """Wait until the database has everything accepted up to now, and everybody answers; return the seconds.

        Raises TimeoutError.
        """
        started = time.monotonic()
        self._await({} if self.load is None else self.load.receipts.ends())
        return time.monotonic() - started

    def go_on(self) -> None:
        """Wait until something that was accepted from now on is in the database. Raises TimeoutError."""
        before = self.present_load.receipts.count
        self.fleet.wait_until(
            lambda: self.present_load.receipts.count > before, "something is accepted again", RECOVERY_SECONDS_MAX
        )
        self.recover()

    def judge(self) -> Verdict:
        """End the load, let everything come through, and ask the oracle."""
        self.fleet.settle()
        load, self.load = self.present_load, None
        load.stop()
        with closing(load.receipts), self._quiet(load.receipts.ends()):
            verdict = self.oracle.judge(load.receipts.read(), load.owed.facts)
        for complaint in (*load.complaints, *self.complaints):
            verdict.complain(complaint)
        self.complaints.clear()
        return verdict

    def judge_everything(self) -> Verdict:
        """Ask the oracle about the whole log, from its beginning."""
        with self._quiet({}):
            return self.oracle.judge_everything()

    @contextmanager
    def _quiet(self, accepted: Mapping[int, int]) -> Iterator[None]:
        """Let everything come through, the closes too, and keep the clock from adding more meanwhile."""
        try:
            self._await(accepted)
            self.fleet.wait_until(
                lambda: not self._is_any_open(), "the clock has closed all campaigns", CLOSE_SECONDS_MAX
            )
        except TimeoutError as error:
            self.complaints.append(str(error))
        clock = self.fleet["clock"]
        clock.send(signal.SIGSTOP)
        try:
            payment_ends = log_ends(self.bootstrap, topic=PAYMENTS)
            self.fleet.wait_until(
                lambda: self.has_resolved(payment_ends), f"{payment_ends} are resolved", RECOVERY_SECONDS_MAX
            )
            ends = log_ends(self.bootstrap)
            self.fleet.wait_until(lambda: self.has_applied(ends), f"the database has {ends}", RECOVERY_SECONDS_MAX)
        except TimeoutError as error:
            self.complaints.append(str(error))
        try:
            yield
        finally:
            clock.send(signal.SIGCONT)

    def _await(self, ends: Mapping[int, int]) -> None:
        self.fleet.wait_until(
            lambda: self.has_applied(ends) and all(map(_answers, self.urls.values())),
            f"the database has everything below {ends}, and everybody answers",
            RECOVERY_SECONDS_MAX,
        )

    def _is_any_open(self) -> bool:
        with self.engine.connect() as connection:
            return bool(connection.scalar(select(func.count()).where(campaigns.c.status == "open")))

    def has_applied(self, ends: Mapping[int, int]) -> bool:
        """Whether the database has the log below these offsets; not while it is away, which may be the fault."""
        try:
            return has_applied(self.engine, ends)
        except SQLAlchemyError:
            return False

    def has_resolved(self, ends: Mapping[int, int]) -> bool:
        """Whether the resolver has acknowledged the payments' log below these offsets."""
        with closing(
            KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=RESOLVERS, enable_auto_commit=False)
        ) as consumer:
            return all(
                (consumer.committed(TopicPartition(PAYMENTS.name, partition)) or 0) >= end
                for partition, end in ends.items()
            )

    def pause(self, seconds: float) -> None:
        """Let time pass, and look after the processes meanwhile."""
        until = time.monotonic() + seconds
        self.fleet.wait_until(lambda: time.monotonic() > until, "time has passed", seconds + 5)

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
def scene(seed: int, *, short: bool) -> Iterator[Scene]:
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
            oracle=Oracle(broker.bootstrap_servers, engine, views, seed),
            urls=urls,
            chance=chance,
            short=short,
        )
        with whole:
            fleet.start(EVERYBODY)
            whole.recover()
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
        "resolver": {
            "CERCLES_RESOLVER_GROUP": RESOLVERS,
            "CERCLES_RESOLVER_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
            "CERCLES_RESOLVER_BATCH_EVENTS_MAX": "20",
            "CERCLES_RESOLVER_COMMIT_INTERVAL_SECONDS": "0.3",
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
            "CERCLES_GATEWAY_STRIPE_ACCOUNTS": json.dumps({payments.ACCOUNT: {"current": payments.SECRET}}),
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
