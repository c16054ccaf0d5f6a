"""The servers of the scene: a broker and a PostgreSQL behind a proxy, each on a small disk of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from cercles.embedded.kafka import EmbeddedKafka
from cercles.ports import free_ports
from cercles.settings import TopicsSettings
from cercles.topics import connect, ensure_topics
from schemas.connections import KafkaConnection
from schemas.topics import PARTITIONS_EMBEDDED
from sinks import migrate
from tests.faults.disks import Disk
from tests.faults.postgresql import PostgreSQL
from tests.faults.proxy import DatabaseProxy

DISK_MEBIBYTES: Final = {"kafka": 1024, "postgresql": 1024, "checkpoints": 64}


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
