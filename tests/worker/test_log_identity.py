"""Positions belong to one log: a worker that finds another, or one whose end is cut, stops with instructions."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from cercles.embedded.kafka import EmbeddedKafka
from schemas.topics import LOG, TOPICS
from tests.conftest import wait_until
from tests.worker.pipeline import Worker, capture, launch, wait_until_committed

WHAT_TO_DO = "start over with an empty group, an empty database and no checkpoints"


def send_story(bootstrap: str, captures: int) -> None:
    """Send a launch and captures of one campaign."""
    with closing(KafkaProducer(bootstrap_servers=bootstrap, acks="all")) as producer:
        producer.send(LOG.name, key=b"film", value=launch("film"))
        for number in range(captures):
            producer.send(LOG.name, key=b"film", value=capture("film", number, 100))
            if number % 10 == 0:
                # Batches of their own, so that the end can be cut between them.
                producer.flush()
        producer.flush()


def make_topics(bootstrap: str) -> None:
    """Make the topics, with one partition each."""
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.create_topics([NewTopic(topic.name, 1, 1, topic_configs=topic.config) for topic in TOPICS])


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    """A broker of the test's own, that it may damage."""
    with EmbeddedKafka(tmp_path / "kafka", flush_every_message=False) as broker:
        make_topics(broker.bootstrap_servers)
        yield broker


def test_a_log_that_was_made_again_stops_a_running_worker(topics: str, tmp_path: Path) -> None:
    """Its offsets begin again at 0, and would pass for events that are known."""
    worker = Worker(topics, tmp_path / "worker.log", CERCLES_WORKER_LOG_CHECK_INTERVAL_SECONDS="1")
    send_story(topics, 20)
    wait_until_committed(topics)
    with closing(KafkaAdminClient(bootstrap_servers=topics)) as admin:
        admin.delete_topics([LOG.name])
        wait_until(lambda: LOG.name not in admin.list_topics(), "the log is gone")
        admin.create_topics([NewTopic(LOG.name, 4, 1, topic_configs=LOG.config)])
    assert worker.wait() != 0
    log = (tmp_path / "worker.log").read_text()
    assert WHAT_TO_DO in log or "run `cercles topics` first" in log


@pytest.mark.timeout(200)
def test_a_log_whose_end_is_cut_stops_the_worker_when_it_starts(own_kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """Faust alone would begin at the start again, without a word, and new events would stand at known offsets."""
    send_story(own_kafka.bootstrap_servers, 200)
    worker = Worker(own_kafka.bootstrap_servers, tmp_path / "first.log")
    wait_until_committed(own_kafka.bootstrap_servers, partitions=1)
    assert worker.stop()[0] == 0
    own_kafka.terminate()
    cut_the_end(tmp_path / "kafka")
    own_kafka.start()
    second = Worker(own_kafka.bootstrap_servers, tmp_path / "second.log")
    assert second.wait() != 0
    log = (tmp_path / "second.log").read_text()
    assert "but 0 to 201 was folded" in log
    assert WHAT_TO_DO in log


def cut_the_end(data_directory: Path) -> None:
    """Take the second half of the log's only partition away, as a disk that lost its last writes would."""
    (directory,) = data_directory.rglob(f"{LOG.name}-0")
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
