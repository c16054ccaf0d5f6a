"""The lane: the task that owns the producer of aiokafka, and makes another one when it achieves nothing.

What aiokafka leaves open is decided here. Its idempotent producer never expires what it holds: a record batch that is
not acknowledged within a publication's time is given up together with the producer. And after a record batch that
failed, its numbers of the partition have a gap that no broker lets pass: so a producer is trusted until its first
failure. Whatever a producer still holds is dropped with it.
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
from aiokafka.conn import collect_hosts
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from prometheus_client import Counter

from producers.packing import PartitionQueue
from producers.publication import Publication, Record
from schemas.connections import KafkaConnection

BATCH_BYTES_MAX: Final = 65_536
"""Together with one event of at most 64 KiB this stays below the log's `max.message.bytes`."""

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

END_SECONDS_MAX: Final = CONNECT_SECONDS_MAX + 2 * DISCARD_SECONDS_MAX
"""Longest that the lane takes to end: interrupted while it connects, aiokafka would leave its connection behind."""

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
        self._suspect = asyncio.Event()
        self._queues: dict[str, list[PartitionQueue]] = {}

    async def run(self) -> None:
        """Connect, and again whenever that is needed, until `stop`."""
        while not self._stopping:
            self.turns += 1
            try:
                await self._live_once()
            except Exception:  # whatever it was, the next attempt starts afresh, and the log has it
                log.exception("publishing_lane_failed")
                await asyncio.sleep(RECONNECT_SECONDS)

    def stop(self) -> None:
        """Be `away` for good, and let `run` end."""
        self._set_away(STOPPING)
        self._stopping = True
        self._suspect.set()

    def put(self, publication: Publication) -> None:
        """Take a publication on, while not `away`. It is settled in any case, if only after its deadline."""
        for index, record in enumerate(publication.records):
            queues = self._queues[record.topic]
            queues[partition_of(record, len(queues))].put(publication, index)

    def heard(self, _: object = None) -> None:
        """Note that a broker has just said something."""
        self._heard_at = time.monotonic()

    async def _live_once(self) -> None:
        """Make one producer, and serve with it until it is given up."""
        producer = await self._connected()
        if producer is None:
            await asyncio.sleep(RECONNECT_SECONDS)
            return
        try:
            while not (self._suspect.is_set() or self._stopping):
                self.turns += 1
                await self._turn()
        finally:
            self._set_away(ANEW)
            for queue in self._all_queues():
                queue.drop(ConnectionError(ANEW))
            await self._discard(producer)

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

    async def _connected(self) -> AIOKafkaProducer | None:
        """Return a producer that knows every topic's partitions, or None when that can't be had now."""
        if not await self._within_reach():
            self._set_away(f"no broker is within reach at {self._connection.bootstrap_servers}")
            return None
        producer = AIOKafkaProducer(**self._options())
        producer.client.cluster.add_listener(self.heard)
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await producer.start()
                self._connections.inc()
                missing = await self._missing_topic(producer)
        except (KafkaError, OSError) as error:
            self._set_away(f"no broker answers at {self._connection.bootstrap_servers} ({type(error).__name__})")
            await self._discard(producer)
            return None
        except BaseException:
            await self._discard(producer)
            raise
        if missing is not None:
            self._set_away(f"the topic {missing} is not there: `cercles topics` makes it")
            await self._discard(producer)
            return None
        self._suspect.clear()
        self._set_away(None)
        return producer

    async def _missing_topic(self, producer: AIOKafkaProducer) -> str | None:
        """Make the queues of every topic's partitions. Returns the first topic that is not there."""
        # Asked for all topics, brokers make none; asked for one by its name, aiokafka would let them make it.
        await producer.client.force_metadata_update()
        for topic in self._topics:
            partitions = producer.client.cluster.partitions_for_topic(topic)
            if not partitions:
                return topic
            self._queues[topic] = [
                PartitionQueue(producer, topic, number, self._doubt) for number in sorted(partitions)
            ]
        return None

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
        for end in (producer._sender.close, producer.stop):  # noqa: SLF001
            try:
                async with asyncio.timeout(DISCARD_SECONDS_MAX):
                    await end()
            except Exception as error:  # noqa: BLE001 - however it fails, nobody counts on this producer any more
                log.warning("producer_not_closed", error=f"{type(error).__name__}: {error}")
        # Nothing is sent any more: this ends what in it still waits for that.
        producer._message_accumulator.fail_all(KafkaError("the producer was given up"))  # noqa: SLF001


def partition_of(record: Record, partitions: int) -> int:
    """Return the number of the partition, of so many, that a record goes to: murmur2 of its key, as everywhere."""
    if record.key is None:
        return zlib.crc32(record.value) % partitions
    return _hash(record.key) % partitions


@lru_cache(KEYS_REMEMBERED_MAX)
def _hash(key: bytes) -> int:
    """Return the positive murmur2 of a key: 6 µs in Python, and the same campaigns come again and again."""
    return int(murmur2(key)) & 0x7FFF_FFFF
