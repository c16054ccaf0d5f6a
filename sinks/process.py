"""The process `cercles sink`: updates and dead letters become rows, exactly once, whatever happens to it."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, Literal, NamedTuple

import kafka.errors
import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from schemas.collector import settle
from schemas.failure_points import reach
from schemas.headway import Headway
from schemas.topics import DEAD_LETTERS, UPDATES
from sinks import migrate, positions
from sinks.apply import Commit, Outcome, begin
from sinks.consumer import Consumer
from sinks.database import DatabaseErrors, is_locked, is_transient, writing_engine
from sinks.errors import SchemaError, StalePositionError
from sinks.metrics import SinkMetrics
from sinks.positions import TopicPartition
from sinks.records import Batch, Record, decoded
from sinks.retries import Retries
from sinks.settings import SinkSettings

Cause = Literal["broker", "database", "schema"]

log = structlog.get_logger(__name__)


class _Ending(NamedTuple):
    """A transaction whose last part, up to the end of COMMIT, runs in the other thread."""

    batches: Sequence[Batch]
    result: Future[tuple[Outcome, float]]
    """What it came to, and the seconds it took."""


class SinkProcess:
    """A sink; any number of them share the partitions out.

    Nothing is remembered between turns but what the database can tell again. Whatever goes wrong with a batch, its
    partition is *unplaced*, and its position is read from the database before another record of it is: after a failed
    COMMIT too, when nobody else could say whether it happened.

    While the database ends a transaction the next records are fetched, updates decoded, and no more than that: they
    know nothing of positions, and the next transaction does not begin before this one has ended. When it ends badly
    they are forgotten, and read again.
    """

    name: Final = "sink"

    def __init__(self, settings: SinkSettings) -> None:
        self._settings = settings
        self.registry = CollectorRegistry()
        self.headway = Headway()
        self._metrics = SinkMetrics(self.registry)
        self._retries = Retries(
            delay_seconds_max=settings.retry_delay_seconds_max, outage_seconds_max=settings.outage_seconds_max
        )
        self._reason: str | None = "it is starting"
        self._looked_at = 0.0
        self._ends: dict[TopicPartition, int] = {}
        self._newest: dict[TopicPartition, float] = {}
        self._holes: dict[TopicPartition, int] = {}
        self._database_thread = ThreadPoolExecutor(1, "sink-commit")
        self._ending: _Ending | None = None
        self._alone: set[TopicPartition] = set()
        """Partitions that were held up by a lock, theirs or another's, until each is applied by itself."""

    def not_ready(self) -> str | None:
        """Return why nothing can be applied just now, or None."""
        return self._reason

    def run(self, stop: threading.Event) -> None:
        """Apply what comes until `stop` is set.

        Raises HopelessError when a person must decide, the last error of an outage that lasted too long, and any other
        that trying again can't cure.
        """
        settle()
        engine = writing_engine(self._settings.database.url.get_secret_value())
        try:
            while not stop.is_set():
                consumer = self._started(stop)
                if consumer is None:
                    return
                try:
                    self._work(consumer, engine, stop)
                finally:
                    consumer.close()
        finally:
            self._database_thread.shutdown()
            engine.dispose()

    def _started(self, stop: threading.Event) -> Consumer | None:
        """Return a consumer that has asked to join the group, once tables, broker and topics are there."""
        consumer: Consumer | None = None
        while not stop.is_set():
            try:
                if consumer is None:
                    migrate.check(self._settings.database.url.get_secret_value())
                    consumer = Consumer(self._settings)
                consumer.subscribe()
            except SchemaError as error:
                self._wait(stop, "schema", error)
            except DatabaseErrors as error:
                self._wait_if_transient(stop, error)
            except kafka.errors.KafkaError as error:
                self._wait_if_transient(stop, error)
            else:
                self._retries.succeeded()
                self._reason = "it is joining its group"
                return consumer
        if consumer is not None:
            consumer.close()
        return None

    def _work(self, consumer: Consumer, engine: Engine, stop: threading.Event) -> None:
        while self._ending is not None or not stop.is_set():
            try:
                self._turn(consumer, engine, stop)
            except StalePositionError as error:
                consumer.unplace(list(consumer.positions()))
                self._metrics.fenced.inc()
                log.warning("position_stale", reason=str(error))
            except (kafka.errors.OffsetOutOfRangeError, kafka.errors.LogTruncationError) as error:
                consumer.unplace(list(consumer.positions()))  # placing finds out what is wrong
                self._wait(stop, "broker", error)
            except DatabaseErrors as error:
                consumer.unplace(list(consumer.positions()))
                engine.dispose()  # no connection of before the failure is used again
                self._wait_if_transient(stop, error)
            except kafka.errors.KafkaError as error:
                self._wait_if_transient(stop, error)
            else:
                self._retries.succeeded()
                self._reason = None if consumer.joined else "it is joining its group"

    def _turn(self, consumer: Consumer, engine: Engine, stop: threading.Event) -> None:
        if stop.is_set():
            self._end(consumer)
            return
        found = self._polled(consumer)
        unplaced = consumer.unplaced()
        try:
            if unplaced or not found:
                self._end(consumer)
            if unplaced:
                consumer.place(positions.read(engine, unplaced, consumer.topic_ids()))
            for taken in transactions(
                found, self._settings.transaction_records_max, self._settings.transaction_bytes_max
            ):
                if stop.is_set():
                    return
                self._apply(consumer, engine, taken, stop)
        except BaseException:
            # kafka-python takes all that poll returned as read: what was not applied of it must be read again.
            consumer.unplace(found)
            raise
        if self._look_is_due():
            self._end(consumer)
            self._look_around(consumer)
        self.headway.note(self._waiting(consumer.positions()))

    def _polled(self, consumer: Consumer) -> dict[TopicPartition, Sequence[Record]]:
        try:
            return consumer.poll(wait=self._ending is None)
        except Exception:
            self._end(consumer)  # nobody knows when the broker will answer again, if this process goes on at all
            raise

    def _apply(
        self,
        consumer: Consumer,
        engine: Engine,
        taken: Mapping[TopicPartition, Sequence[Record]],
        stop: threading.Event,
    ) -> None:
        """Decode the records, end the transaction under way, and begin theirs."""
        try:
            told = {
                place: decoded(place.topic, place.partition, records)
                for place, records in taken.items()
                if place.topic == UPDATES.name
            }
        finally:
            self._end(consumer)
        placed = consumer.positions()
        batches = [
            Batch(place.topic, place.partition, placed[place], records, told.get(place))
            for place, records in taken.items()  # what is unplaced just now will be read again
            if place in placed and self._follows(consumer, place, placed[place], records[0].offset)
        ]
        together = [batch for batch in batches if _place(batch) not in self._alone]
        if together:
            self._begin(engine, together)
        alone = [batch for batch in batches if _place(batch) in self._alone]
        if alone:
            self._end(consumer)
            self._apply_alone(consumer, engine, alone, stop)

    def _begin(self, engine: Engine, batches: Sequence[Batch]) -> None:
        """Do the first part of a transaction, and leave the rest to the other thread."""
        started = time.monotonic()
        reach("sink.batch_taken")
        with self._noting_locks(batches):
            commit = begin(engine, *batches)
        self._ending = _Ending(batches, self._database_thread.submit(_ended, commit, started))

    def _end(self, consumer: Consumer) -> None:
        """Wait for the transaction under way, if there is one, and take note of it. Raises what it raised.

        The wait is bounded by the database, which gives each statement a time.
        """
        if self._ending is None:
            return
        (batches, result), self._ending = self._ending, None
        with self._noting_locks(batches):
            outcome, seconds = result.result()
        reach("sink.applied")
        self._count(batches, outcome, seconds)
        for batch in batches:
            self._newest[_place(batch)] = batch.records[-1].timestamp / 1000
            consumer.applied(_place(batch), batch.next_offset)

    @contextmanager
    def _noting_locks(self, batches: Sequence[Batch]) -> Iterator[None]:
        """Let each of the partitions have a transaction of its own once something in the one they share is locked."""
        try:
            yield
        except DatabaseErrors as error:
            if is_locked(error) and len(batches) > 1:
                self._alone.update(_place(batch) for batch in batches)
            raise

    def _apply_alone(self, consumer: Consumer, engine: Engine, batches: Sequence[Batch], stop: threading.Event) -> None:
        """Apply partition by partition what one that is locked has held up. Raises that one's error after all others.

        Each waits for its own lock at most, so this takes a bounded time, however many are locked.
        """
        locked: Exception | None = None
        for batch in batches:
            if stop.is_set():
                consumer.unplace([_place(batch)])
                continue
            try:
                self._begin(engine, [batch])
                self._end(consumer)
            except DatabaseErrors as error:
                if not is_locked(error):
                    raise
                locked = error
            else:
                self._alone.discard(_place(batch))
            self.headway.note({})  # a lock that lasts has a bound of its own, as an outage has
        if locked is not None:
            raise locked

    def _follows(self, consumer: Consumer, place: TopicPartition, position: int, offset: int) -> bool:
        """Return whether a record there is the next one to apply; else have the partition read again."""
        if offset == position or self._holes.get(place) == position:
            return True
        # Records between may have been missed by us. Met again right after a seek, the hole is the topic's own.
        self._holes[place] = position
        consumer.unplace([place])
        log.warning("hole_before_records", topic=place.topic, partition=place.partition, position=position)
        return False

    def _waiting(self, places: Mapping[TopicPartition, int]) -> dict[str, int]:
        """Return where the partitions stand of which the topic is known to hold more."""
        return {
            f"{place.topic}, partition {place.partition}": position
            for place, position in places.items()
            if position < self._ends.get(place, 0)
        }

    def _count(self, batches: Sequence[Batch], outcome: Outcome, seconds: float) -> None:
        metrics, topic = self._metrics, batches[0].topic
        records = sum(len(batch.records) for batch in batches)
        metrics.transactions.labels(topic).inc()
        metrics.transaction_seconds.labels(topic).observe(seconds)
        metrics.batch_records.labels(topic).observe(records)
        metrics.records.labels(topic).inc(records)
        metrics.updates.labels("applied").inc(outcome.updates_applied)
        metrics.updates.labels("known").inc(outcome.updates_known)
        metrics.updates.labels("gap").inc(len(outcome.gaps))
        metrics.entries.inc(outcome.entries)
        metrics.milestones.inc(outcome.milestones)
        for gap in outcome.gaps:
            if gap.first:
                metrics.gaps.labels(gap.kind).inc()
        for reason, number in outcome.dead_letters.items():
            metrics.count_dead_letters(reason, number)

    def _look_is_due(self) -> bool:
        return time.monotonic() - self._looked_at >= self._settings.lag_seconds

    def _look_around(self, consumer: Consumer) -> None:
        """See how far behind we are (which also tells whether the broker is there), and say it.

        Raises OtherTopicError and PositionLostError: a topic can be made again, or cut, under a sink that runs.
        """
        consumer.check_topics()
        self._ends = ends = consumer.end_offsets()
        consumer.commit()
        places = consumer.positions()
        for place in self._newest.keys() - places.keys():
            del self._newest[place]
            self._metrics.forget_partition(place.topic, place.partition)
        for topic in (UPDATES.name, DEAD_LETTERS.name):
            self._metrics.partitions.labels(topic).set(sum(place.topic == topic for place in places))
        for place, end in ends.items():
            behind = max(end - places.get(place, end), 0)
            newest = self._newest.setdefault(place, time.time())
            labels = (place.topic, str(place.partition))
            self._metrics.lag_records.labels(*labels).set(behind)
            self._metrics.lag_seconds.labels(*labels).set(max(time.time() - newest, 0.0) if behind else 0.0)
        self._looked_at = time.monotonic()

    def _wait_if_transient(self, stop: threading.Event, error: Exception) -> None:
        if isinstance(error, kafka.errors.KafkaError):
            if not error.retriable:
                raise error
            self._wait(stop, "broker", error)
        elif is_transient(error):
            self._wait(stop, "database", error)
        else:
            raise error

    def _wait(self, stop: threading.Event, cause: Cause, error: Exception) -> None:
        """Wait before the next attempt. Raises the error itself when this has gone on for too long."""
        seconds = self._retries.delay_seconds(error)
        self.headway.note({})  # an outage has a bound of its own
        self._metrics.retries.labels(cause).inc()
        self._reason = f"{cause} in the way: {error}"
        log.warning("sink_waits", cause=cause, seconds=round(seconds, 2), reason=str(error))
        stop.wait(seconds)


def _place(batch: Batch) -> TopicPartition:
    return TopicPartition(batch.topic, batch.partition)


def _ended(commit: Commit, started: float) -> tuple[Outcome, float]:
    outcome = commit()
    return outcome, time.monotonic() - started


def transactions(
    found: Mapping[TopicPartition, Sequence[Record]], records_max: int, bytes_max: int
) -> Iterator[dict[TopicPartition, list[Record]]]:
    """Cut records into pieces for one transaction each: of one topic, of at most so many records and bytes.

    A larger record is a piece by itself. Dead letters come first: progress names those before it, and readers wait
    until both are there.
    """
    for topic in (DEAD_LETTERS.name, UPDATES.name):
        piece: dict[TopicPartition, list[Record]] = {}
        number = size = 0
        for place, records in found.items():
            for record in records if place.topic == topic else ():
                record_size = len(record.key or b"") + len(record.value or b"")
                if number and (number == records_max or size + record_size > bytes_max):
                    yield piece
                    piece, number, size = {}, 0, 0
                piece.setdefault(place, []).append(record)
                number, size = number + 1, size + record_size
        if piece:
            yield piece
