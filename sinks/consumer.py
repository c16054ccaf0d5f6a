"""A Kafka consumer group whose positions are the database's, never the group's."""

import socket
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import kafka
import structlog
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError

from schemas.topics import DEAD_LETTERS, UPDATES
from sinks.errors import OtherTopicError, PositionLostError
from sinks.positions import TopicPartition
from sinks.records import Record
from sinks.settings import SinkSettings

REQUEST_SECONDS_MAX: Final = 3
"""Longest wait for an answer that this sink asks for itself."""

ANSWER_SECONDS_MAX: Final = 8
"""Longest wait for one answer that kafka-python asks for by itself."""

METADATA_SECONDS_MAX: Final = 60
"""How old kafka-python's view of topics and brokers may be."""

CLOSE_SECONDS_MAX: Final = 3
HEARTBEATS_PER_SESSION: Final = 5
FETCH_BYTES_MAX: Final = 32 * 1024 * 1024
PARTITION_FETCH_BYTES_MAX: Final = 4 * 1024 * 1024

FETCH_WAIT_SECONDS_MAX: Final = 0.05
"""How long a broker may hold back its answer to a fetch while it has nothing.

kafka-python has one fetch at a time under way at each broker, without the partitions whose records still wait here:
what is new there waits for that answer, with the default for half a second.
"""

_TOPICS: Final = (UPDATES.name, DEAD_LETTERS.name)

log = structlog.get_logger(__name__)


class Consumer:
    """Reads both topics' partitions as the group shares them out.

    A partition that is assigned is paused at first, and *unplaced*: the owner of this object looks its position up in
    the database and calls `place`. kafka-python calls rebalance listeners on the thread that also keeps the group
    membership alive, so nothing there waits for a database; and since a position is set at once, it never looks for one
    that the group has committed. Range assignment gives the same partition numbers of both topics to one sink.
    """

    def __init__(self, settings: SinkSettings) -> None:
        """Connect. Raises kafka-python's errors."""
        options = settings.kafka.client_options()
        session_ms = int(settings.session_timeout_seconds * 1000)
        _reach(options["bootstrap_servers"])
        self._admin = kafka.KafkaAdminClient(
            **options, request_timeout_ms=REQUEST_SECONDS_MAX * 1000, bootstrap_timeout_ms=REQUEST_SECONDS_MAX * 1000
        )
        try:
            self._consumer = kafka.KafkaConsumer(
                **options,
                group_id=settings.group_id,
                enable_auto_commit=False,
                auto_offset_reset="none",
                allow_auto_create_topics=False,
                partition_assignment_strategy=(RangePartitionAssignor,),
                max_poll_records=settings.transaction_records_max,
                fetch_max_bytes=FETCH_BYTES_MAX,
                fetch_max_wait_ms=int(FETCH_WAIT_SECONDS_MAX * 1000),
                max_partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX,
                request_timeout_ms=ANSWER_SECONDS_MAX * 1000,
                metadata_max_age_ms=METADATA_SECONDS_MAX * 1000,
                session_timeout_ms=session_ms,
                heartbeat_interval_ms=session_ms // HEARTBEATS_PER_SESSION,
                bootstrap_timeout_ms=REQUEST_SECONDS_MAX * 1000,
            )
        except BaseException:
            self._admin.close()
            raise
        self._lock = threading.Lock()
        self._unplaced: set[TopicPartition] = set()
        self._next: dict[TopicPartition, int] = {}
        self._assigned_once = False
        self._topic_ids: dict[str, str] = {}
        self._poll_ms = int(settings.poll_seconds * 1000)

    def subscribe(self) -> None:
        """Join the group. Raises UnknownTopicOrPartitionError while a topic does not exist."""
        self._topic_ids = self.topic_ids()
        if not self._consumer.subscription():
            self._consumer.subscribe(topics=list(_TOPICS), listener=_Listener(self))
        # An answer about no topic may have been on its way while subscribing; kafka-python then takes that one for the
        # whole truth for metadata_max_age_ms, and the group's leader would share out nothing. Asking cures it.
        for name in _TOPICS:
            if not self._consumer.partitions_for_topic(name):
                raise UnknownTopicOrPartitionError(f"the broker does not tell the partitions of {name} yet")

    @property
    def joined(self) -> bool:
        """Whether the group has shared the partitions out, be it none to this sink."""
        return self._assigned_once

    def topic_ids(self) -> dict[str, str]:
        """Return Kafka's ids of both topics. Raises UnknownTopicOrPartitionError when one does not exist."""
        described = {topic["name"]: topic for topic in self._admin.describe_topics(list(_TOPICS))}
        for name in _TOPICS:
            if name not in described or described[name]["error_code"] != 0:
                raise UnknownTopicOrPartitionError(f"the topic {name} does not exist: `cercles topics` makes it")
        return {name: str(described[name]["topic_id"]) for name in _TOPICS}

    def check_topics(self) -> None:
        """Raise OtherTopicError when a topic is no longer the one that was subscribed to, and Kafka's errors.

        While a topic is gone the group shares none of its partitions out, and nobody else would look.
        """
        for name, topic_id in self.topic_ids().items():
            if topic_id != self._topic_ids[name]:
                raise OtherTopicError(name, self._topic_ids[name], topic_id)

    def poll(self, *, wait: bool = True) -> dict[TopicPartition, Sequence[Record]]:
        """Return new records of placed partitions; wait for them, but at most `poll_seconds`. Raises Kafka's errors."""
        found: dict[Any, Sequence[Record]] = self._consumer.poll(timeout_ms=self._poll_ms if wait else 0)
        with self._lock:
            return {
                place: records
                for partition, records in found.items()
                if (place := TopicPartition(partition.topic, partition.partition)) in self._next and records
            }

    def unplaced(self) -> list[TopicPartition]:
        """Return the assigned partitions that wait for their position."""
        with self._lock:
            return sorted(self._unplaced)

    def positions(self) -> dict[TopicPartition, int]:
        """Return the placed partitions, with the offset of each that is to be applied next."""
        with self._lock:
            return dict(self._next)

    def place(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read these partitions from there on.

        Raises PositionLostError when the topic does not hold such a position, and Kafka's errors.
        """
        first = _asked(self._consumer.beginning_offsets, positions)
        end = _asked(self._consumer.end_offsets, positions)
        for place, offset in positions.items():
            _check_held(place, offset, first=first[place], end=end[place])
        with self._lock:
            for place, offset in positions.items():
                if place not in self._unplaced:
                    continue  # it was given to another sink meanwhile
                self._consumer.seek(_kafka(place), offset)
                self._consumer.resume(_kafka(place))
                self._unplaced.discard(place)
                self._next[place] = offset

    def applied(self, place: TopicPartition, next_offset: int) -> None:
        """Take note that the partition is applied below `next_offset`."""
        with self._lock:
            if place in self._next:
                self._next[place] = next_offset

    def unplace(self, places: Iterable[TopicPartition]) -> None:
        """Stop reading these partitions until they are placed again."""
        with self._lock:
            for place in places:
                if self._next.pop(place, None) is not None:
                    self._consumer.pause(_kafka(place))
                    self._unplaced.add(place)

    def end_offsets(self) -> dict[TopicPartition, int]:
        """Return where the placed partitions end.

        Raises PositionLostError when one ends below what is applied of it, and Kafka's errors.
        """
        positions = self.positions()
        ends = _asked(self._consumer.end_offsets, positions)
        for place, end in ends.items():
            _check_held(place, positions[place], first=0, end=end)
        return ends

    def commit(self) -> None:
        """Tell the group how far the database is, for tools that show lag. Nothing waits for it, nothing reads it."""
        told = {_kafka(place): kafka.OffsetAndMetadata(offset, "", -1) for place, offset in self.positions().items()}
        if told:
            self._consumer.commit_async(told, callback=_committed)

    def close(self) -> None:
        """Leave the group and disconnect, in bounded time."""
        try:
            self._consumer.close(autocommit=False, timeout_ms=CLOSE_SECONDS_MAX * 1000)
        finally:
            self._admin.close()

    def assigned(self, partitions: Iterable[Any]) -> None:
        """Hold these partitions, of all those assigned, until they are placed. Called by kafka-python's own thread."""
        with self._lock:
            for partition in partitions:
                # A position, any, so that kafka-python does not ask the group for one; paused, nothing is read there.
                self._consumer.seek(partition, 0)
                self._consumer.pause(partition)
                place = TopicPartition(partition.topic, partition.partition)
                self._next.pop(place, None)
                self._unplaced.add(place)
            self._assigned_once = True

    def revoked(self, partitions: Iterable[Any]) -> None:
        """Forget these partitions. Called by kafka-python's own thread."""
        with self._lock:
            for partition in partitions:
                place = TopicPartition(partition.topic, partition.partition)
                self._next.pop(place, None)
                self._unplaced.discard(place)


class _Listener(kafka.ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        self._consumer.assigned(assigned)

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        self._consumer.revoked(revoked)


def _kafka(place: TopicPartition) -> Any:
    return kafka.TopicPartition(place.topic, place.partition)


def _asked(question: Callable[..., dict[Any, int]], places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the broker's answer for each partition. Raises Kafka's errors: also when one is not answered for."""
    if not places:
        return {}
    found = question([_kafka(place) for place in places], timeout_ms=REQUEST_SECONDS_MAX * 1000)
    if len(found) < len(places):  # kafka-python leaves out a topic that is gone
        raise UnknownTopicOrPartitionError(f"the broker knows the offsets of {len(found)} of {len(places)} partitions")
    return {place: found[_kafka(place)] for place in places}


def _committed(offsets: Any, answer: Any) -> None:
    if isinstance(answer, Exception):
        log.debug("group_offsets_not_committed", offsets=len(offsets), reason=repr(answer))


def _reach(servers: Sequence[str]) -> None:
    """Raise KafkaConnectionError when no broker takes a connection.

    kafka-python's constructors leave a thread behind when they fail, and they would fail often while a broker is away.
    """
    last: OSError | None = None
    for server in servers:
        host, _, port = server.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), REQUEST_SECONDS_MAX / len(servers)).close()
        except OSError as error:
            last = error
        else:
            return
    raise KafkaConnectionError(f"no broker answers at {', '.join(servers)}: {last}")


def _check_held(place: TopicPartition, offset: int, *, first: int, end: int) -> None:
    """Raise PositionLostError unless the topic holds everything from the offset on."""
    where = f"{place.topic}, partition {place.partition}"
    if offset > end:
        raise PositionLostError(
            f"the database has applied {where} up to offset {offset}, but the topic ends at {end}: records were lost "
            "there, or it is not the topic that the database belongs to. Nothing was applied. Restore the topic; or, "
            "when the topic is right, fill a new database from the log (`cercles rebuild --to URL`)"
        )
    if offset < first:
        raise _expired(where, offset, first)


def _expired(where: str, offset: int, first: int) -> PositionLostError:
    if offset == 0:
        return PositionLostError(
            f"this database is new, and {where} has already dropped its records below offset {first}, as its retention "
            "says: what they told can't be read here any more. The log has everything: fill this empty "
            "database from it (`cercles rebuild --to URL`), then start the sink again"
        )
    return PositionLostError(
        f"the database has applied {where} up to offset {offset}, and the records from there to {first} have been "
        "dropped, as the topic's retention says: the sink was away for too long. Nothing is lost, the log has "
        "everything: fill a new database from it (`cercles rebuild --to URL`) and start the sink there"
    )
