"""While the database ends a transaction the sink reads on: what it then has in hand is not lost nor applied twice."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import kafka.errors
import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from schemas.topics import UPDATES
from sinks.apply import Commit, Outcome, apply, begin
from sinks.errors import UnreadableUpdateError
from sinks.positions import TopicPartition
from sinks.process import SinkProcess
from sinks.records import Batch, Record
from sinks.settings import SinkSettings
from tests.sinks.running import WAIT_SECONDS_MAX
from tests.sinks.stories import TOPIC_IDS, FakePartition, Story, assert_rows_tell, story


class FakeConsumer:
    """A consumer of partitions in memory; each poll brings the next record of each, and moves on."""

    joined = True

    def __init__(self, *topics: FakePartition) -> None:
        self.polled: list[int] = []
        self.during_poll: dict[int, Callable[[], None]] = {}
        """What happens while the record at that offset is fetched, once."""
        self.idle: Callable[[], None] = lambda: None
        """What happens when there is nothing to read, and no transaction under way."""
        self.placed: list[int] = []
        self.waited: list[bool] = []
        self._topics = {topic.place: topic for topic in topics}
        self._read_next = dict.fromkeys(self._topics, 0)
        self._positions: dict[TopicPartition, int] = {}
        self._assigned = True

    @property
    def position(self) -> int | None:
        """Where the first partition stands, when it is placed."""
        return self._positions.get(next(iter(self._topics)))

    def poll(self, *, wait: bool = True) -> dict[TopicPartition, Sequence[Record]]:
        """Return the next record of each partition that is placed."""
        self.waited.append(wait)
        found: dict[TopicPartition, Sequence[Record]] = {}
        for place in self._positions:
            if records := self._topics[place].records[self._read_next[place] :][:1]:
                found[place] = records
                self._read_next[place] += 1
        if not found and wait and not self.unplaced():
            self.idle()
        for offset in [records[0].offset for records in found.values()]:
            self.polled.append(offset)
            self.during_poll.pop(offset, lambda: None)()
        return found

    def take_away(self) -> None:
        """Give the partitions to another sink."""
        self._positions.clear()
        self._assigned = False

    def give_back(self) -> None:
        """Assign the partitions to this sink."""
        self._assigned = True

    def unplaced(self) -> list[TopicPartition]:
        """Return the partitions that wait for their position."""
        return sorted(self._topics.keys() - self._positions.keys()) if self._assigned else []

    def place(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read on from there."""
        self._positions |= positions
        self._read_next |= positions
        self.placed.extend(positions.values())

    def unplace(self, places: Iterable[TopicPartition]) -> None:
        """Stop reading."""
        for place in places:
            self._positions.pop(place, None)

    def positions(self) -> dict[TopicPartition, int]:
        """Return where the partitions stand that are placed."""
        return dict(self._positions)

    def applied(self, place: TopicPartition, next_offset: int) -> None:
        """Take note of it, when the partition is placed."""
        if place in self._positions:
            self._positions[place] = next_offset

    def topic_ids(self) -> Mapping[str, str]:
        """Return the ids of the topics."""
        return TOPIC_IDS

    def check_topics(self) -> None:
        """Do nothing."""

    def end_offsets(self) -> dict[TopicPartition, int]:
        """Return where the partitions end."""
        return {place: len(self._topics[place].records) for place in self._positions}

    def commit(self) -> None:
        """Do nothing."""


class Working:
    """A sink that works in the test's own thread, and a campaign of which each line is a record of its own."""

    def __init__(self, engine: Engine) -> None:
        self.told: Story = story(facts=6)
        self.topic = FakePartition()
        self.topic.say(*[self.told.update(line, line + 1) for line in range(len(self.told.lines))])
        self.consumer = FakeConsumer(self.topic)
        self.engine = engine
        self.sink = SinkProcess(SinkSettings(lag_seconds=300))
        self.stop = threading.Event()
        self.consumer.idle = self.stop.set

    def work(self) -> None:
        """Work until stopped, which it is when everything is read and applied."""
        consumer: Any = self.consumer
        self.stop.clear()
        self.sink._work(consumer, self.engine, self.stop)

    def assert_applied(self, lines: int) -> None:
        """See that the rows tell so much of the campaign's story, once, and that the sink knows."""
        assert self.topic.position(self.engine) == lines
        assert_rows_tell(self.engine, self.told, lines)
        updates = [self.value("cercles_sink_updates_total", result=result) for result in ("gap", "known")]
        assert updates == [0, 0]

    def assert_all_applied(self) -> None:
        """See that the rows tell the campaign's story, once."""
        assert self.consumer.position == len(self.topic.records)
        self.assert_applied(len(self.told.lines))

    def value(self, metric: str, **labels: str) -> float | None:
        """Return one of the sink's metrics."""
        return self.sink.registry.get_sample_value(metric, labels)


@pytest.fixture
def working(engine: Engine) -> Working:
    return Working(engine)


def _ending(monkeypatch: pytest.MonkeyPatch, offset: int, end: Callable[[Commit], Outcome], *, times: int = 1) -> None:
    """Let `end` end the transaction that applies this record, so many times."""
    left = [end] * times

    def begin_and_hand_over(engine: Engine, *batches: Batch) -> Commit:
        commit = begin(engine, *batches)
        if batches[0].records[0].offset != offset or not left:
            return commit
        return partial(left.pop(), commit)

    monkeypatch.setattr("sinks.process.begin", begin_and_hand_over)


def _disk_error() -> OperationalError:
    cause = sqlite3.OperationalError("disk I/O error")
    cause.sqlite_errorcode = sqlite3.SQLITE_IOERR
    return OperationalError("COMMIT", None, cause)


def _answer_lost(commit: Commit) -> Outcome:
    """Commit, and let nobody know."""
    commit()
    raise _disk_error()


def _failing(monkeypatch: pytest.MonkeyPatch, commit: Commit, error: Exception | None = None) -> Outcome:
    """Fail just before COMMIT."""

    def fail(*_: object) -> None:
        raise error or _disk_error()

    with monkeypatch.context() as patched:
        patched.setattr("sinks.apply.execute", fail)
        return commit()


@pytest.mark.parametrize(("answer_lost", "failures"), [(False, 1), (False, 2), (True, 1)])
def test_what_was_read_ahead_of_a_failed_commit_is_read_again(
    working: Working, monkeypatch: pytest.MonkeyPatch, failures: int, *, answer_lost: bool
) -> None:
    """From where the database is, be it before or after the transaction: nobody else knows."""
    _ending(monkeypatch, 2, _answer_lost if answer_lost else partial(_failing, monkeypatch), times=failures)
    working.work()
    working.assert_all_applied()
    assert working.value("cercles_sink_retries_total", cause="database") == failures
    assert working.consumer.placed == [0, *[3 if answer_lost else 2] * failures]
    assert working.consumer.polled[:4] == [0, 1, 2, 3], "the next record was in hand"


@pytest.mark.parametrize("moved_on", [False, True])
def test_what_is_in_hand_of_a_partition_that_is_taken_away_is_left_to_its_new_sink(
    working: Working, engine: Engine, *, moved_on: bool
) -> None:
    """The transaction under way is ended, nothing else is applied; when the partition comes back, all is read again."""
    working.consumer.during_poll[3] = working.consumer.take_away
    working.work()
    working.assert_applied(3)
    if moved_on:
        working.topic.drain(engine, records_max=2)
    working.consumer.give_back()
    working.work()
    working.assert_all_applied()


def test_a_partition_that_comes_back_is_placed_after_the_transaction_under_way(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes: its position is the database's, and what is in hand is applied once."""
    came_back = threading.Event()

    def rebalance() -> None:
        working.consumer.take_away()
        working.consumer.give_back()
        came_back.set()

    def end_late(commit: Commit) -> Outcome:
        came_back.wait(WAIT_SECONDS_MAX)
        time.sleep(0.2)
        return commit()

    _ending(monkeypatch, 2, end_late)
    working.consumer.during_poll[3] = rebalance
    working.work()
    assert working.consumer.placed[:2] == [0, 3]
    working.assert_all_applied()


def test_a_broker_that_fails_leaves_no_transaction_without_its_end(working: Working) -> None:
    """What is committed is taken note of before the broker is waited for."""

    def fail() -> None:
        assert not working.consumer.waited.pop(), "a transaction is under way"
        working.consumer.waited.clear()
        raise kafka.errors.KafkaConnectionError

    working.consumer.during_poll[3] = fail
    working.work()
    assert working.consumer.waited[0], "none is any more"
    working.assert_all_applied()


def test_a_record_that_cannot_be_read_does_not_undo_the_one_before(working: Working) -> None:
    """Which was under way when it was decoded."""
    working.topic.records[3] = working.topic.records[3]._replace(value=b"not an update")
    with pytest.raises(UnreadableUpdateError):
        working.work()
    assert working.value("cercles_sink_records_total", topic=UPDATES.name) == 3
    working.assert_applied(3)


def test_a_sink_that_is_stopped_ends_the_transaction_under_way(working: Working) -> None:
    """And applies nothing more."""
    working.consumer.during_poll[3] = working.stop.set
    working.work()
    assert working.consumer.position == 3
    working.assert_applied(3)


def test_a_sink_that_is_stopped_while_a_commit_fails_ends_all_the_same(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one asks the database where it stands."""
    _ending(monkeypatch, 2, partial(_failing, monkeypatch))
    working.consumer.during_poll[3] = working.stop.set
    working.work()
    working.assert_applied(2)
    working.work()
    working.assert_all_applied()


@pytest.mark.parametrize(("meanwhile", "offset"), [("nothing", 1), ("another_sink", -1), ("stop", 1)])
def test_what_a_lock_has_held_up_is_applied_partition_by_partition(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, meanwhile: str, offset: int
) -> None:
    """The lock is met by the last statements, after the next records are in hand; none of those is begun before.

    Meanwhile another sink may have applied the last record of one of the partitions, or this one be asked to stop.
    """
    stories = [story(f"film-{number}", facts=6, partition=number) for number in range(3)]
    topics = [FakePartition(partition=number) for number in range(3)]
    for told, topic in zip(stories, topics, strict=True):
        topic.say(*[told.update(line, line + 1) for line in range(len(told.lines))])
    consumer: Any = FakeConsumer(*topics)
    sink, stop = SinkProcess(SinkSettings(lag_seconds=300)), threading.Event()
    consumer.idle = stop.set
    locked = len(topics[0].records[:offset]) + 1
    begun: list[list[int]] = []

    def meet_a_lock(commit: Commit) -> Outcome:
        try:
            return _failing(monkeypatch, commit, psycopg.errors.LockNotAvailable("canceling statement"))
        finally:
            if meanwhile == "another_sink":
                apply(engine, topics[1].batch(engine, records_max=1))
            elif meanwhile == "stop":
                stop.set()

    def begin_and_note(engine: Engine, *batches: Batch) -> Commit:
        begun.append([batch.partition for batch in batches])
        commit = begin(engine, *batches)
        return partial(meet_a_lock, commit) if len(begun) == locked else commit

    monkeypatch.setattr("sinks.process.begin", begin_and_note)
    sink._work(consumer, engine, stop)
    assert begun[:locked] == [[0, 1, 2]] * locked
    if meanwhile == "stop":
        assert len(begun) == locked, "nothing was begun after the stop"
        stop.clear()
        sink._work(consumer, engine, stop)
    alone = [[0], [2]] if meanwhile == "another_sink" else [[0], [1], [2]]
    assert [which for which in begun if len(which) == 1] == alone
    if meanwhile == "nothing":
        assert begun[-1] == [0, 1, 2], "then all have one transaction again"
    for told, topic in zip(stories, topics, strict=True):
        assert topic.position(engine) == len(topic.records)
        assert_rows_tell(engine, told, len(told.lines))
