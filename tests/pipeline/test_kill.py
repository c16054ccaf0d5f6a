"""Two workers and two sinks on real Kafka and a real database, one of each killed again and again."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaProducer
from sqlalchemy import Engine, select

from schemas.tables import sink_positions
from schemas.topics import DEAD_LETTERS, LOG, UPDATES
from tests.pipeline.expectation import Expectation
from tests.pipeline.processes import CerclesProcess
from tests.pipeline.stories import story
from tests.worker.pipeline import log_ends, read_all

CAMPAIGNS = 12
PLEDGES = 60
SEED = 20_260_301
KILLS = 4


@contextmanager
def two_of_each(bootstrap: str, database_url: str, directory: Path) -> Iterator[list[CerclesProcess]]:
    """Two workers and two sinks; whatever happens they are gone afterwards."""
    environment = {
        "CERCLES_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "CERCLES_DATABASE_URL": database_url,
        "CERCLES_WORKER_SESSION_TIMEOUT_SECONDS": "6",
        "CERCLES_WORKER_BATCH_EVENTS_MAX": "200",
        "CERCLES_SINK_TRANSACTION_RECORDS_MAX": "40",
    }
    processes = [
        CerclesProcess(name, environment, directory / f"{name}-{number}.log")
        for name in ("worker", "sink")
        for number in range(2)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()


def wait_until_applied(bootstrap: str, engine: Engine, seconds_max: float) -> None:
    """Wait until the database has everything that the log led to. Raises TimeoutError with both positions."""
    ends = log_ends(bootstrap)
    deadline = time.monotonic() + seconds_max
    column = sink_positions.c
    while True:
        with engine.connect() as connection:
            rows = connection.execute(
                select(
                    column.topic,
                    column.partition_number,
                    column.next_offset,
                    column.log_next_offset,
                    column.dead_letters_next_offset,
                )
            ).all()
        applied = {row.partition_number: row.log_next_offset for row in rows if row.topic == UPDATES.name}
        wanted = {row.partition_number: row.dead_letters_next_offset for row in rows if row.topic == UPDATES.name}
        dead = {row.partition_number: row.next_offset for row in rows if row.topic == DEAD_LETTERS.name}
        if applied == ends and all(dead.get(partition, 0) >= offset for partition, offset in wanted.items()):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds_max} s the database has {applied} of {ends}, dead {dead} of {wanted}")
        time.sleep(0.2)


@pytest.mark.timeout(280)
def test_killing_workers_and_sinks_loses_nothing_and_counts_nothing_twice(
    topics: str, migrated_url: str, engine: Engine, tmp_path: Path
) -> None:
    """The database then holds every entry, milestone and dead letter of the log once, and the naive fold's totals."""
    chance = random.Random(SEED)
    stories = [iter(story(f"campaign-{number}", PLEDGES, chance)) for number in range(CAMPAIGNS)]
    producer = KafkaProducer(bootstrap_servers=topics, acks="all", linger_ms=5)
    with two_of_each(topics, migrated_url, tmp_path) as processes:
        sent = 0
        while stories:
            teller = chance.choice(stories)
            record = next(teller, None)
            if record is None:
                stories.remove(teller)
                continue
            producer.send(LOG.name, key=record[0].encode(), value=record[1])
            sent += 1
            if sent % 500 == 0 and sent <= 500 * KILLS:
                producer.flush()
                time.sleep(chance.uniform(1.0, 4.0))
                chance.choice(processes[:2]).kill_and_restart()
                chance.choice(processes[2:]).kill_and_restart()
        producer.close()
        wait_until_applied(topics, engine, seconds_max=120)
        codes = {process.log.name: process.stop() for process in processes}
        assert set(codes.values()) == {0}, {name: (tmp_path / name).read_text()[-2000:] for name in codes}
    log = ((partition, offset, value) for partition, offset, value in log_lines(topics))
    Expectation.of(log).check(engine)


def log_lines(bootstrap: str) -> Iterator[tuple[int, int, bytes | None]]:
    """Yield partition, offset and value of every record of the log."""
    offsets: dict[int, int] = {}
    for partition, _, value, _ in read_all(bootstrap, LOG):
        offset = offsets.get(partition, 0)
        offsets[partition] = offset + 1
        yield partition, offset, value
