"""Real servers for the whole suite: one Apache Kafka and one PostgreSQL, on free ports, in fresh directories."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from cercles.embedded.kafka import EmbeddedKafka
from schemas.topics import PARTITIONS_EMBEDDED, TOPICS, Topic

# Real databases, and: with CI=true a skip of any kind is a failure.
pytest_plugins = ["tests.databases", "tests.project.no_skips"]

_TOPIC_SECONDS_MAX = 30.0


@pytest.fixture(scope="session", autouse=True)
def _logs_stay_pytests() -> Iterator[None]:
    """Commands that run in the tests' process leave its logs alone: theirs go to a standard error soon closed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("cercles.logs.configure_logs", lambda _settings: None)
        yield


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A real broker of the suite's own. It does not flush every record: no test here cuts the machine's power."""
    directory: Path = tmp_path_factory.mktemp("kafka")
    with EmbeddedKafka(directory, flush_every_message=False) as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_broker: EmbeddedKafka) -> str:
    """The broker's address, as host:port."""
    return kafka_broker.bootstrap_servers


@pytest.fixture
def topics(kafka_bootstrap: str) -> str:
    """The three topics, empty, and no consumer groups: what a test before has left is deleted. Gives the address."""
    make_topics(kafka_bootstrap)
    return kafka_bootstrap


def make_topics(kafka_bootstrap: str) -> None:
    """Make the three topics, empty; those that are there are deleted first."""
    with closing(KafkaAdminClient(bootstrap_servers=kafka_bootstrap)) as admin:
        wanted = {topic.name for topic in TOPICS}
        present = wanted & set(admin.list_topics())
        if present:
            admin.delete_topics(sorted(present))
            wait_until(lambda: not wanted & set(admin.list_topics()), "the topics of an earlier test are gone")
        admin.create_topics(
            [NewTopic(topic.name, PARTITIONS_EMBEDDED, 1, topic_configs=topic.config) for topic in TOPICS]
        )
        wait_until(lambda: wanted <= set(admin.list_topics()), "the topics exist")


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    """A broker of the test's own, that it may damage, with topics of one partition."""
    with EmbeddedKafka(tmp_path / "kafka", flush_every_message=False) as broker:
        with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)) as admin:
            admin.create_topics([NewTopic(topic.name, 1, 1, topic_configs=topic.config) for topic in TOPICS])
        yield broker


def cut_the_end(broker: EmbeddedKafka, data_directory: Path, topic: Topic) -> None:
    """Take the second half of a topic's only partition away, as a disk that lost its last writes would.

    The broker is terminated for it, and started again.
    """
    broker.terminate()
    (directory,) = data_directory.rglob(f"{topic.name}-0")
    (segment,) = directory.glob("*.log")
    with segment.open("r+b") as file:
        file.truncate(segment.stat().st_size // 2)
    for leftover in [*directory.glob("*.index"), *directory.glob("*.timeindex"), *directory.glob("*.snapshot")]:
        leftover.unlink()
    # Without the mark of a clean shutdown the broker looks through the segment and drops the broken batch at its end.
    for mark in data_directory.rglob(".kafka_cleanshutdown"):
        mark.unlink()
    for checkpoint in data_directory.rglob("*-offset-checkpoint"):
        checkpoint.unlink()
    broker.start()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds. Raises TimeoutError that says for what."""
    deadline = time.monotonic() + _TOPIC_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {_TOPIC_SECONDS_MAX} s until {what}")
        time.sleep(0.05)
