"""Positions belong to one log: a worker that finds another, or one whose end is cut, stops with instructions."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from cercles.embedded.kafka import EmbeddedKafka
from schemas.connections import KafkaConnection
from schemas.topics import LOG
from stream_processors.shell.log_reader import log_ranges
from tests.conftest import cut_the_end, wait_until
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


def test_a_worker_without_partitions_has_nothing_to_ask() -> None:
    """There may be more workers than partitions; no broker is needed to say so."""
    assert asyncio.run(log_ranges(KafkaConnection(bootstrap_servers="127.0.0.1:1"), [])) == {}


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
    cut_the_end(own_kafka, tmp_path, LOG)
    second = Worker(own_kafka.bootstrap_servers, tmp_path / "second.log")
    assert second.wait() != 0
    log = (tmp_path / "second.log").read_text()
    assert "but 0 to 201 was folded" in log
    assert WHAT_TO_DO in log
