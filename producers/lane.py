"""The lane: the task that owns the producer of aiokafka, and makes another one when it achieves nothing.

What aiokafka leaves open is decided here. Its idempotent producer never expires what it holds: a record batch that is
not acknowledged within a publication's time is given up together with the producer. And after a record batch that
failed, its numbers of the partition have a gap that no broker lets pass: so a producer is trusted until its first
failure. Whatever a producer still holds is dropped with it. It also asks brokers by its name for a topic that has
gone, and some of them make what is asked for: so a producer is given up before it can send to one.
"""

import asyncio
import contextlib
import time
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.cluster import ClusterMetadata
from aiokafka.conn import collect_hosts
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from prometheus_client import Counter

from producers.packing import PartitionQueue
from producers.publication import Publication, Record
from schemas.connections import KafkaConnection

BATCH_BYTES_MAX: Final = 65_536
"""Size of a record batch of several records; a larger record goes alone. The log takes either (`max.message.bytes`)."""

CONNECT_SECONDS_MAX: Final = 5.0
"""Longest that a producer may take to connect, to log in and to get its producer id."""

RECONNECT_SECONDS: Final = 0.5
METADATA_SECONDS: Final = 5.0
"""How often the brokers are asked for metadata, also without traffic: it shows that they are there."""

TURN_SECONDS_MAX: Final = 1.0
"""Longest that the lane sleeps before it looks around."""

SILENCE_SECONDS_MAX: Final = 15.0
"""Without a word from any broker for so long, the producer is given up."""

REACH_SECONDS_MAX: Final = 1.0
DISCARD_SECONDS_MAX: Final = 1.0
"""Longest that each of the two steps may take in which a producer ends."""

END_SECONDS_MAX: Final = 2 * DISCARD_SECONDS_MAX
"""Longest that the lane takes to end: it ends its producer, and interrupts whatever else it does."""

KEYS_REMEMBERED_MAX: Final = 65_536

STOPPING: Final = "this process is stopping"
ANEW: Final = "the brokers are being connected to anew"

log = structlog.get_logger(__name__)


class Lane:
    """Hands publications to Kafka in the order in which they come. `seconds_max` bounds each of them."""

    def __init__(
        self, connection: KafkaConnection, topics: Sequence[str], seconds_max: float, connections: Counter
    ) -> None:
        self.away: str | None = "the first connection to a broker is still being made"
        self.turns = 0
        """Counts what the lane does; it waits for nothing but brokers, each time in bounded time."""
        self._heard_at = time.monotonic()
        self._connections = connections
        self._connection = connection
        self._topics = tuple(topics)
        self._seconds_max = seconds_max
        self._stopping = False
        self._discarding = False
        self._suspect = asyncio.Event()
        self._queues: dict[str, list[PartitionQueue]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect, and again whenever that is needed, until `stop`."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Be `away` for good, and end within `END_SECONDS_MAX`."""
        self._set_away(STOPPING)
        self._stopping = True
        if self._task is None:
            return
        if not self._discarding:  # that is the end already, and half of it would leave connections open
            self._task.cancel()
        await asyncio.wait([self._task], timeout=END_SECONDS_MAX)

    async def _run(self) -> None:
        while not self._stopping:
            self.turns += 1
            served = False
            try:
                served = await self._live_once()
            except Exception:  # whatever it was, the next attempt starts afresh, and the log has it
                log.exception("publishing_lane_failed")
            if not (served or self._stopping):
                await asyncio.sleep(RECONNECT_SECONDS)

    def put(self, publication: Publication) -> None:
        """Take a publication on, while not `away`. It is settled in any case, if only after its deadline.

        Raises KeyError, and takes nothing, when a record is for a topic that is not among the lane's.
        """
        queues = [self._queue_of(record) for record in publication.records]
        for index, queue in enumerate(queues):
            queue.put(publication, index)

    def heard(self, _: object = None) -> None:
        """Note that a broker has just said something."""
        self._heard_at = time.monotonic()

    async def _live_once(self) -> bool:
        """Make one producer, and serve with it until it is given up. Returns whether it served at all."""
        if not await self._within_reach():
            self._set_away(f"no broker is within reach at {self._connection.bootstrap_servers}")
            return False
        producer = AIOKafkaProducer(**self._options())
        try:
            why_not = await self._connect(producer)
            self._set_away(why_not)
            if why_not is None:
                await self._serve()
            return why_not is None
        finally:
            await self._discard(producer)

    async def _serve(self) -> None:
        """Look after the producer until it is given up."""
        try:
            while not self._suspect.is_set():
                self.turns += 1
                await self._turn()
        finally:
            self._set_away(ANEW)
            self._drop_all(ConnectionError(ANEW))

    async def _turn(self) -> None:
        """Look around after a while; return at once when the producer is given up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TURN_SECONDS_MAX):
                await self._suspect.wait()
        now = time.monotonic()
        since = [queue.waits_since() for queue in self._all_queues()]
        if any(began_at is not None and now - began_at > self._seconds_max for began_at in since):
            self._doubt(TimeoutError(f"no acknowledgement within {self._seconds_max:g} s"))
        elif now - self._heard_at > SILENCE_SECONDS_MAX:
            self._doubt(TimeoutError(f"no word from any broker for {SILENCE_SECONDS_MAX:g} s"))

    def _doubt(self, error: BaseException) -> None:
        """Have the producer thrown away."""
        if self._suspect.is_set():
            return
        log.warning("producer_given_up", error=f"{type(error).__name__}: {error}")
        self._suspect.set()
        self._set_away(ANEW)

    def _all_queues(self) -> list[PartitionQueue]:
        return [queue for queues in self._queues.values() for queue in queues]

    async def _connect(self, producer: AIOKafkaProducer) -> str | None:
        """Let a producer learn every topic's partitions, and make queues for them. Returns what is in the way of it."""
        cluster = producer.client.cluster
        cluster.add_listener(self.heard)
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await producer.start()
                self._connections.inc()
                # Asked for all topics, brokers make none; asked for one by its name, aiokafka would let them make it.
                await producer.client.force_metadata_update()
        except (KafkaError, OSError) as error:
            return f"no broker answers at {self._connection.bootstrap_servers} ({type(error).__name__})"
        for topic in self._topics:
            if (why := self._not_as_it_was(topic, cluster)) is not None:
                return why
        for topic in self._topics:
            self._queues[topic] = [
                PartitionQueue(producer, topic, number, self._doubt)
                for number in sorted(cluster.partitions_for_topic(topic) or ())
            ]
        self._suspect.clear()
        cluster.add_listener(self._look_at_topics)
        return None

    def _not_as_it_was(self, topic: str, cluster: ClusterMetadata) -> str | None:
        """Return what is wrong with a topic: it is not there, or has not as many partitions as when first seen."""
        partitions = cluster.partitions_for_topic(topic)
        if not partitions:
            return f"the topic {topic} is not there: `cercles topics` makes it"
        queues = self._queues.get(topic)
        if queues is None or len(queues) == len(partitions):
            return None
        return (
            f"the topic {topic} has {len(partitions)} partitions and had {len(queues)}: campaigns would change theirs. "
            "`cercles topics` says what to do"
        )

    def _look_at_topics(self, cluster: ClusterMetadata) -> None:
        """Give the producer up before it sends anything more when a topic is not what it was."""
        for topic in self._topics:
            why = self._not_as_it_was(topic, cluster)
            if why is not None:
                error = LookupError(why)
                self._drop_all(error)  # at once: the next that is sent would have aiokafka ask for the topic by name
                self._doubt(error)
                return

    def _queue_of(self, record: Record) -> PartitionQueue:
        queues = self._queues[record.topic]
        return queues[partition_of(record, len(queues))]

    def _drop_all(self, error: BaseException) -> None:
        for queue in self._all_queues():
            queue.drop(error)

    async def _within_reach(self) -> bool:
        """Whether any broker takes a connection. aiokafka would log an error at each attempt."""
        for host, port, _ in collect_hosts(self._connection.bootstrap_servers):
            try:
                async with asyncio.timeout(REACH_SECONDS_MAX):
                    _, writer = await asyncio.open_connection(host, port)
                    writer.close()
                    await writer.wait_closed()
            except OSError:
                continue
            return True
        return False

    def _options(self) -> dict[str, Any]:
        return self._connection.client_options() | {
            "client_id": "cercles-publisher",
            "acks": "all",
            "enable_idempotence": True,
            "max_batch_size": BATCH_BYTES_MAX,
            "request_timeout_ms": int(self._seconds_max * 1000) // 2,
            "metadata_max_age_ms": int(METADATA_SECONDS * 1000),
        }

    def _set_away(self, reason: str | None) -> None:
        if reason == self.away or self._stopping:
            return
        self.away = reason
        self.heard()
        if reason is None:
            log.info("broker_connected", bootstrap_servers=self._connection.bootstrap_servers)
        elif reason != STOPPING:
            log.warning("broker_away", reason=reason)

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        """End a producer, and all that it still holds.

        Its own `stop` waits until everything is written, for ever if need be, unless its sender has ended
        (`tests/gateway/test_publisher.py` notices should the private names change).
        """
        self._discarding = True
        for end in (producer._sender.close, producer.stop):  # noqa: SLF001
            try:
                async with asyncio.timeout(DISCARD_SECONDS_MAX):
                    await end()
            except Exception as error:  # noqa: BLE001 - however it fails, nobody counts on this producer any more
                log.warning("producer_not_closed", error=f"{type(error).__name__}: {error}")
        # Nothing is sent any more: this ends what in it still waits for that.
        producer._message_accumulator.fail_all(KafkaError("the producer was given up"))  # noqa: SLF001
        self._discarding = False


def partition_of(record: Record, partitions: int) -> int:
    """Return the number of the partition, of so many, that a record goes to: murmur2 of its key, as everywhere."""
    if record.key is None:
        return zlib.crc32(record.value) % partitions
    return _hash(record.key) % partitions


@lru_cache(KEYS_REMEMBERED_MAX)
def _hash(key: bytes) -> int:
    """Return the positive murmur2 of a key: 6 µs in Python, and the same campaigns come again and again."""
    return int(murmur2(key)) & 0x7FFF_FFFF
