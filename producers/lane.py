"""The lane: one thread that owns the KafkaProducer, so that whatever of kafka-python 3.0 blocks, blocks only here.

Its constructor does, and `send` where a topic's metadata is not known. Two more things that it leaves open are decided
here. A producer that waits for its producer id does not expire what it holds, so `delivery_timeout_ms` is not enough:
each publication has a deadline of its own. And a producer can get stuck, or reach a fatal state for good: when a
publication fails and nothing has been acknowledged since it began, the producer is thrown away, with all that it
holds, and another one is made.
"""

import queue
import socket
import threading
import time
import zlib
from collections.abc import Sequence
from typing import Any, Final

import structlog
from kafka import KafkaProducer
from kafka.cluster import collect_hosts
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient
from prometheus_client import Counter

from producers.publication import Publication, Record
from schemas.connections import KafkaConnection

LINGER_MILLISECONDS: Final = 2
BATCH_BYTES_MAX: Final = 65_536
"""Together with one event of at most 64 KiB this stays below the log's `max.message.bytes`."""

BLOCK_SECONDS_MAX: Final = 1.0
"""Longest that the lane waits for a topic's metadata."""

BOOTSTRAP_SECONDS_MAX: Final = 2.0
RECONNECT_SECONDS: Final = 0.5
METADATA_SECONDS: Final = 5.0
"""How often the brokers are asked for metadata, also without traffic: it shows that they are there."""

TURN_SECONDS_MAX: Final = 1.0
"""Longest that the lane waits for a publication before it looks around."""

SILENCE_SECONDS_MAX: Final = 15.0
"""Without a word from any broker for so long, the producer is given up."""

REACH_SECONDS_MAX: Final = 1.0
DISCARD_SECONDS_MAX: Final = 2.0

STOPPING: Final = "this process is stopping"

log = structlog.get_logger(__name__)


class Lane:
    """Hands publications to Kafka in the order in which they come. `seconds_max` bounds each of them."""

    def __init__(
        self, connection: KafkaConnection, topics: Sequence[str], seconds_max: float, connections: Counter
    ) -> None:
        self.away: str | None = "the first connection to a broker is still being made"
        self.turns = 0
        """Counts what the lane does; it waits for nothing but brokers, each time in bounded time."""
        self._heard_at = self._connected_at = self._acknowledged_at = time.monotonic()
        self._connections = connections
        self._connection = connection
        self._topics = tuple(topics)
        self._seconds_max = seconds_max
        self._queue: queue.SimpleQueue[Publication | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._suspect = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publishing-lane", daemon=True)
        self._client: Any = None

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._thread.start()

    def close(self) -> None:
        """Write what is queued, for as long as a publication may take at most, and end."""
        self._stopping.set()
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(self._seconds_max + DISCARD_SECONDS_MAX)

    def silence_seconds(self) -> float:
        """Return for how long no broker has said anything."""
        return time.monotonic() - self._heard_at

    def put(self, publication: Publication) -> None:
        """Take a publication on. It is settled in any case, if only after its deadline."""
        self._queue.put(publication)

    def acknowledged(self) -> None:
        """Note that the brokers have just acknowledged something."""
        self._heard_at = self._acknowledged_at = time.monotonic()

    def doubt(self, publication: Publication, error: str) -> None:
        """Throw the producer away if it has achieved nothing since the publication, which failed, began."""
        idle_since = max(self._acknowledged_at, self._connected_at)
        if idle_since < publication.began_at and not self._suspect.is_set():
            log.warning("producer_given_up", error=error, idle_seconds=time.monotonic() - idle_since)
            self._suspect.set()
            self._queue.put(None)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.turns += 1
            try:
                self._drop_queued()
                producer = self._connected()
                if producer is None:
                    self._stopping.wait(RECONNECT_SECONDS)
                    continue
                try:
                    self._serve(producer)
                finally:
                    self._set_away(STOPPING if self._stopping.is_set() else "the brokers are being connected to anew")
                    self._discard(producer)
            except Exception:  # whatever it was, the next attempt starts afresh, and the log has it
                log.exception("publishing_lane_failed")
                self._stopping.wait(RECONNECT_SECONDS)
        self._set_away(STOPPING)
        self._drop_queued()

    def _serve(self, producer: KafkaProducer) -> None:
        self._suspect.clear()
        self._connected_at = time.monotonic()
        self._set_away(None)
        while not self._suspect.is_set():
            self.turns += 1
            try:
                publication = self._queue.get(not self._stopping.is_set(), timeout=TURN_SECONDS_MAX)
            except queue.Empty:
                if self._stopping.is_set() or self.silence_seconds() > SILENCE_SECONDS_MAX:
                    return
                continue
            if publication is not None:
                self._hand_over(producer, publication)

    def _drop_queued(self) -> None:
        """Give those who still queue their answer now, and who came just before the brokers were known to be away."""
        while not self._queue.empty():
            publication = self._queue.get()
            if publication is not None:
                publication.fail_from(0, ConnectionError("the connection to the brokers was lost before it was sent"))

    def _hand_over(self, producer: KafkaProducer, publication: Publication) -> None:
        if time.monotonic() > publication.began_at + self._seconds_max:
            publication.fail_from(0, TimeoutError("it waited too long to be sent"))
            return
        for index, record in enumerate(publication.records):
            try:
                future = producer.send(
                    record.topic,
                    record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=None if record.key is not None else self._partition_by_value(producer, record),
                )
            except Exception as error:  # noqa: BLE001 - it is passed on to who waits for the publication
                publication.fail_from(index, error)
                return
            future.add_callback(publication.acknowledge, index)
            future.add_errback(publication.fail)

    def _partition_by_value(self, producer: KafkaProducer, record: Record) -> int:
        partitions = sorted(producer.partitions_for(record.topic))
        return int(partitions[zlib.crc32(record.value) % len(partitions)])

    def _connected(self) -> KafkaProducer | None:
        """Return a producer that knows every topic's partitions, or None when that can't be had now."""
        if not self._within_reach():
            self._set_away(f"no broker is within reach at {self._connection.bootstrap_servers}")
            return None
        self._client = None
        try:
            producer = KafkaProducer(**self._options())
        except (KafkaError, OSError) as error:
            if self._client is not None:
                self._client.close()
            self._set_away(f"no broker answers at {self._connection.bootstrap_servers} ({type(error).__name__})")
            return None
        self._connections.inc()
        try:
            missing = self._missing_topic(producer)
        except BaseException:
            self._discard(producer)
            raise
        if missing is not None:
            self._set_away(f"the topic {missing} is not there: `cercles topics` makes it")
            self._discard(producer)
            return None
        return producer

    def _missing_topic(self, producer: KafkaProducer) -> str | None:
        for topic in self._topics:
            try:
                producer.partitions_for(topic)
            except KafkaError:
                return topic
        return None

    def _within_reach(self) -> bool:
        """Whether any broker takes a connection. kafka-python would log, and leave a socket behind, at each attempt."""
        for host, port, _ in collect_hosts(self._connection.bootstrap_servers):
            try:
                socket.create_connection((host, port), REACH_SECONDS_MAX).close()
            except OSError:
                continue
            return True
        return False

    def _options(self) -> dict[str, Any]:
        # Whole numbers: kafka-python writes the request timeout into the request as it is, and chokes on a float.
        milliseconds = int(self._seconds_max * 1000)
        return self._connection.client_options() | {
            "client_id": "cercles-publisher",
            "acks": "all",
            "enable_idempotence": True,  # set explicitly: otherwise a conflicting option silently turns it off
            "linger_ms": LINGER_MILLISECONDS,
            "batch_size": BATCH_BYTES_MAX,
            "delivery_timeout_ms": milliseconds * 4 // 5,
            "request_timeout_ms": milliseconds // 2,
            "max_block_ms": int(BLOCK_SECONDS_MAX * 1000),
            "bootstrap_timeout_ms": int(BOOTSTRAP_SECONDS_MAX * 1000),
            "reconnect_backoff_max_ms": int(RECONNECT_SECONDS * 1000),
            "metadata_max_age_ms": int(METADATA_SECONDS * 1000),
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
            "kafka_client": self._make_client,
        }

    def _make_client(self, **options: Any) -> Any:
        """Keep hold of the producer's client: it tells of every answer, and has to be closed when the rest fails."""
        self._client = KafkaNetClient(**options)
        self._client.cluster.add_listener(self._hear)
        return self._client

    def _hear(self, _: object) -> None:
        self._heard_at = time.monotonic()

    def _set_away(self, reason: str | None) -> None:
        if reason == self.away:
            return
        self.away = reason
        self._heard_at = time.monotonic()
        if reason is None:
            log.info("broker_connected", bootstrap_servers=self._connection.bootstrap_servers)
        elif reason != STOPPING:
            log.warning("broker_away", reason=reason)

    def _discard(self, producer: KafkaProducer) -> None:
        """End a producer, and all that it still holds.

        Its own `close` raises, and leaves its thread behind, when something can't be written in time; only its sender
        can be told to drop it (`tests/gateway/test_publisher.py` notices should that name change).
        """
        sender = producer._sender  # noqa: SLF001
        if self._suspect.is_set() or not self._stopping.is_set():
            sender.force_close()
            sender.join(DISCARD_SECONDS_MAX)
        try:
            producer.close(timeout=DISCARD_SECONDS_MAX)
        except KafkaError as error:
            log.warning("producer_not_closed", error=str(error))
            sender.force_close()
