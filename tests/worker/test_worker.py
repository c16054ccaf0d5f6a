"""The worker on a real broker: every event said exactly once, whatever is killed."""

import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from schemas.topics import LOG
from tests.conftest import wait_until
from tests.faults.saboteur import RUNNER, VARIABLE
from tests.worker.pipeline import (
    POISON,
    Load,
    Worker,
    capture,
    group_position,
    launch,
    log_ends,
    read_dead_letters,
    read_story,
    wait_until_committed,
)


def assert_story_is_true(bootstrap: str, load: Load) -> None:
    """The updates, heard as a sink hears them, give the totals that were sent; the poison lies among the dead."""
    story = read_story(bootstrap)
    assert story.gaps == []
    assert story.totals_minor == load.totals_minor
    assert story.entries_minor == load.totals_minor
    assert max(Counter(story.milestones).values()) == 1
    assert story.progress == log_ends(bootstrap)
    origins = {letter.origin for letter in read_dead_letters(bootstrap)}
    assert len(origins) == load.poison


@pytest.mark.timeout(240)
def test_two_workers_killed_again_and_again_say_everything_once(topics: str, tmp_path: Path) -> None:
    """Six times kill -9 of one of two workers under load: no update is missing, none counts twice."""
    load = Load(topics)
    workers = [Worker(topics, tmp_path / f"worker-{number}.log") for number in range(2)]
    for round_number in range(6):
        load.send(2500)
        time.sleep(1.0 + 0.7 * round_number)
        victim = round_number % 2
        workers[victim].kill()
        workers[victim] = Worker(topics, tmp_path / f"worker-{victim}.log")
    load.send(2500)
    load.close()
    wait_until_committed(topics)
    assert_story_is_true(topics, load)
    for worker in workers:
        code, _ = worker.stop()
        assert code == 0, (tmp_path / "worker-0.log").read_text() + (tmp_path / "worker-1.log").read_text()


@pytest.mark.timeout(200)
def test_workers_with_checkpoints_killed_again_and_again_say_everything_once(topics: str, tmp_path: Path) -> None:
    """With frequent checkpoints, shared by two workers, the story is as true as without."""
    more = {
        "CERCLES_WORKER_CHECKPOINT_DIRECTORY": str(tmp_path / "checkpoints"),
        "CERCLES_WORKER_CHECKPOINT_INTERVAL_SECONDS": "0.2",
    }
    load = Load(topics)
    workers = [Worker(topics, tmp_path / f"worker-{number}.log", **more) for number in range(2)]
    for number in range(5):
        load.send(1500)
        time.sleep(1.5 + 0.5 * number)
        workers[number % 2].kill()
        workers[number % 2] = Worker(topics, tmp_path / f"worker-{number % 2}.log", **more)
    load.send(1500)
    wait_until_committed(topics)
    wait_until(lambda: any((tmp_path / "checkpoints").glob("*.checkpoint")), "there is a checkpoint")
    for number, worker in enumerate(workers):
        assert worker.stop()[0] == 0, (tmp_path / f"worker-{number}.log").read_text()
    last = Worker(topics, tmp_path / "last.log", **more)
    load.send(500)
    load.close()
    wait_until_committed(topics)
    assert last.stop()[0] == 0, (tmp_path / "last.log").read_text()
    assert "restored" in (tmp_path / "last.log").read_text()
    assert_story_is_true(topics, load)


def test_what_faust_drops_is_said_and_committed_although_nothing_comes_after_it(topics: str, tmp_path: Path) -> None:
    """The worker reads it from the log itself; the group's position must not stay behind for that."""
    load = Load(topics)
    load.send(300)
    load.close()
    log = tmp_path / "worker.log"
    worker = Worker(topics, log, program=(*RUNNER, "worker"), **{VARIABLE: "skipping_deliveries"})
    wait_until_committed(topics, seconds_max=60)
    assert worker.stop()[0] == 0, log.read_text()
    assert_story_is_true(topics, load)


def test_offsets_are_committed_from_zero_to_the_end(topics: str, tmp_path: Path) -> None:
    """Faust's own bookkeeping commits 1 and then nothing here; ours commits the end, in many small batches too."""
    load = Load(topics)
    load.send(3000)
    worker = Worker(topics, tmp_path / "worker.log", CERCLES_WORKER_BATCH_EVENTS_MAX="50")
    wait_until_committed(topics)
    for _ in range(3):
        load.send(1)
        wait_until_committed(topics)
    load.close()
    assert worker.stop()[0] == 0
    assert_story_is_true(topics, load)


def test_sigterm_stops_within_ten_seconds_with_nothing_half_done(topics: str, tmp_path: Path) -> None:
    """After SIGTERM under load, what the group has acknowledged is exactly what was said, and the rest follows."""
    load = Load(topics)
    load.send(20_000)
    worker = Worker(topics, tmp_path / "worker.log", CERCLES_WORKER_BATCH_EVENTS_MAX="500")
    with group_position(topics) as committed:
        while sum(committed().values()) == 0:
            time.sleep(0.05)
        code, seconds = worker.stop()
        assert (code, seconds < 10) == (0, True), (tmp_path / "worker.log").read_text()
        assert {source: offset for source, offset in committed().items() if offset} == read_story(topics).progress
    second = Worker(topics, tmp_path / "worker.log")
    load.close()
    wait_until_committed(topics)
    assert second.stop()[0] == 0
    assert_story_is_true(topics, load)


def test_refused_records_become_dead_letters_as_they_were(topics: str, tmp_path: Path) -> None:
    """Bad bytes, a wrong key, an unknown campaign, a tombstone: key, value and headers as they were, and where."""
    producer = KafkaProducer(bootstrap_servers=topics, acks="all")
    sent = {
        "invalid_event": (b"a", b"\xff\x00 not JSON", [("trace", b"1")]),
        "campaign_unknown": (b"nobody", capture("nobody", 1, 500), []),
        "misrouted": (b"other", capture("film", 2, 500), []),
    }
    producer.send(LOG.name, key=b"film", value=launch("film"))
    positions = {}
    for reason, (key, value, headers) in sent.items():
        positions[reason] = producer.send(LOG.name, key=key, value=value, headers=headers).get(30)
    tombstone = producer.send(LOG.name, key=b"film", value=None).get(30)
    producer.send(LOG.name, key=b"film", value=POISON)
    producer.close()
    worker = Worker(topics, tmp_path / "worker.log")
    wait_until_committed(topics)
    assert worker.stop()[0] == 0
    letters = read_dead_letters(topics)
    by_offset = {
        (letter.origin.partition, letter.origin.offset): letter for letter in letters if letter.origin is not None
    }
    for reason, (key, value, headers) in sent.items():
        letter = by_offset[positions[reason].partition, positions[reason].offset]
        assert (letter.reason, letter.key, letter.value) == (reason, key, value)
        assert list(letter.headers) == headers
        assert letter.detail
    assert by_offset[tombstone.partition, tombstone.offset].reason == "invalid_event"
    assert len(letters) == len(sent) + 2


def test_without_its_topics_the_worker_does_not_start_and_says_what_to_do(topics: str, tmp_path: Path) -> None:
    """A missing log is hopeless: the process ends, not zero, with the command that helps."""
    with closing(KafkaAdminClient(bootstrap_servers=topics)) as admin:
        admin.delete_topics([LOG.name])
        while LOG.name in admin.list_topics():
            time.sleep(0.05)
    worker = Worker(topics, tmp_path / "worker.log")
    assert worker.wait() != 0
    assert "run `cercles topics` first" in (tmp_path / "worker.log").read_text()


def test_a_worker_that_starts_before_its_broker_waits_for_it(tmp_path: Path) -> None:
    """It says what it waits for, and stops at once when it is told to."""
    worker = Worker("127.0.0.1:9", tmp_path / "worker.log")
    wait_until(lambda: "broker_away" in (tmp_path / "worker.log").read_text(), "the worker says that it waits")
    code, seconds = worker.stop()
    assert (code, seconds < 10) == (0, True)
