"""Reads topics with a plain consumer: no group, nothing committed, and no faster than told.

For commands that read the whole log beside the processes that live on it.
"""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

import kafka
from kafka.cluster import collect_hosts
from kafka.errors import KafkaConnectionError, KafkaTimeoutError, UnknownTopicOrPartitionError
from kafka.partitioner.default import murmur2

from cercles.command_errors import NotDoneError
from schemas.connections import KafkaConnection
from schemas.topics import Topic

POLL_SECONDS: Final = 0.5
SILENCE_SECONDS_MAX: Final = 30.0
"""Without a record for so long, although there are some, the broker counts as away."""

REQUEST_SECONDS_MAX: Final = 10
CONNECT_SECONDS_MAX: Final = 10
REACH_SECONDS_MAX: Final = 3
FETCH_BYTES_MAX: Final = 4 * 1024 * 1024
RECORDS_MAX: Final = 2_000
"""Most records of one list."""

RATE_MIN: Final = 100
"""Least records a second that a reader can be held to: a snapshot of the database waits meanwhile."""

_POSITIVE: Final = 0x7FFFFFFF


class StretchMissingError(NotDoneError):
    """The topic does not hold the records that are asked for: it begins above them, or ends below."""


class TopicReader:
    """Reads stretches of partitions. `records_per_second`: the most it reads on average, None for no bound."""

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        records_per_second: int | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connect. Raises kafka-python's KafkaError when no broker answers."""
        _reach(connection.bootstrap_servers)
        options = connection.client_options()
        self._records_per_second = records_per_second
        self._sleep = sleep
        self._admin = kafka.KafkaAdminClient(
            **options,
            request_timeout_ms=REQUEST_SECONDS_MAX * 1000,
            bootstrap_timeout_ms=CONNECT_SECONDS_MAX * 1000,
        )
        try:
            self._consumer = kafka.KafkaConsumer(
                **options,
                enable_auto_commit=False,
                auto_offset_reset="none",
                allow_auto_create_topics=False,
                check_crcs=True,
                max_poll_records=RECORDS_MAX,
                max_partition_fetch_bytes=FETCH_BYTES_MAX,
                request_timeout_ms=REQUEST_SECONDS_MAX * 1000,
                bootstrap_timeout_ms=CONNECT_SECONDS_MAX * 1000,
            )
        except BaseException:
            self._admin.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect."""
        try:
            self._consumer.close(autocommit=False)
        finally:
            self._admin.close()

    def describe(self, topic: Topic) -> tuple[str, int]:
        """Return Kafka's id of the topic, and the number of its partitions.

        Raises UnknownTopicOrPartitionError when it does not exist.
        """
        (found,) = self._admin.describe_topics([topic.name])
        if found["error_code"]:
            raise UnknownTopicOrPartitionError(f"the topic {topic.name} does not exist: `cercles topics` makes it")
        return str(found["topic_id"]), len(found["partitions"])

    def range(self, topic: Topic, partition: int) -> tuple[int, int]:
        """Return the first offset that the partition holds, and the one after its last."""
        place = kafka.TopicPartition(topic.name, partition)
        timeout_ms = REQUEST_SECONDS_MAX * 1000
        first = self._consumer.beginning_offsets([place], timeout_ms=timeout_ms)[place]
        end = self._consumer.end_offsets([place], timeout_ms=timeout_ms)[place]
        return int(first), int(end)

    def read(self, topic: Topic, partition: int, start: int, end: int) -> Iterator[tuple[Sequence[Any], int]]:
        """Yield the records from offset `start` up to, not including, `end`, in lists of at most `RECORDS_MAX`.

        With each list comes the offset up to which the stretch is read; transactions' markers take offsets too. Raises
        StretchMissingError when the topic does not hold the whole stretch, and kafka-python's errors.
        """
        first, last = self.range(topic, partition)
        if start < end and (first > start or last < end):
            raise StretchMissingError(
                f"{topic.name}, partition {partition} holds offsets {first} to {last}, but {start} to {end} is needed: "
                "records were lost or dropped there, or this is another cluster than the one that the rows belong to"
            )
        place = kafka.TopicPartition(topic.name, partition)
        self._consumer.assign([place])
        self._consumer.seek(place, start)
        position, began_at, read, heard_at = start, time.monotonic(), 0, time.monotonic()
        while position < end:
            records = self._consumer.poll(timeout_ms=int(POLL_SECONDS * 1000)).get(place, [])
            now_at = int(self._consumer.position(place))
            if now_at > position:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > SILENCE_SECONDS_MAX:
                raise KafkaTimeoutError(f"nothing came from {topic.name}, partition {partition}, offset {position}")
            position = now_at
            read += len(records)
            yield [record for record in records if record.offset < end], min(position, end)
            self._hold_back(read, time.monotonic() - began_at)

    def _hold_back(self, read: int, seconds: float) -> None:
        if self._records_per_second is not None:
            self._sleep(max(0.0, read / self._records_per_second - seconds))


def _reach(servers: str) -> None:
    """Raise KafkaConnectionError when no broker takes a connection: kafka-python would leave sockets behind."""
    last: OSError | None = None
    for host, port, _ in collect_hosts(servers):
        try:
            socket.create_connection((host, port), REACH_SECONDS_MAX).close()
        except OSError as error:
            last = error
        else:
            return
    raise KafkaConnectionError(f"no broker answers at {servers}: {last}")


def partitioner(partitions: int) -> Callable[[bytes], int]:
    """Return what gives the partition of a key among so many, as Kafka's own producers do."""
    return lambda key: int((murmur2(key) & _POSITIVE) % partitions)
