"""A transport for Faust that hands over whole batches of one partition, and commits only what is acknowledged.

Faust finds it by the URL scheme `cercles://` (an entry point in `faust.transports`). It overrides names that Faust
calls private, because per-record bookkeeping does not fit batches (docs/adr/0002); tests/worker/test_faust_names.py
fails when an upgrade changes one of them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, cast

from aiokafka import conn
from aiokafka.consumer import fetcher
from aiokafka.errors import IllegalStateError
from faust import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from schemas.failure_points import reach

_FETCH_SECONDS_WHILE_FULL: Final = 0.05
"""How long to wait for records while some partitions are full, so that one of them is not forgotten for a second."""

_FETCH_HELD_MILLISECONDS_MAX: Final = 50
"""How long a broker may hold a fetch back until there is something to answer it with.

aiokafka has one fetch at a time under way at each broker, and leaves out of it the partitions whose records still wait
in the process. What is new in those comes only after that fetch has been answered: with Faust's own 1.5 s, a partition
that alone has events is read in jumps (docs/capacity.md, "One partition, one campaign").
"""

_READ_AHEAD_BYTES_MAX: Final = 32 * 1024 * 1024
"""How much of an answer asyncio may hold, for each connection of the process, that nobody has taken yet.

aiokafka takes a whole answer at a time, but stops asyncio's reading at every 128 KiB of it and goes on again: a turn of
the interpreter's lock for each.
"""


class UncopiedRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """The records that a fetch brought, as they were parsed.

    aiokafka copies each into a dataclass, field by field, which takes as long as decoding its event. What was parsed
    has an offset, a timestamp, a key, a value and headers, too. It takes the place of aiokafka's own class, so in every
    consumer of the process.
    """

    def __iter__(self) -> Iterator[Any]:
        """Return what yields the records; aiokafka asks itself for each, which asks that."""
        records: Iterator[Any] = self._records_iterator
        return records

    def _consumer_record(self, _source: TP, record: Any) -> Any:
        return record


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's thread around aiokafka's consumer, which answers sooner, reads on and copies no records."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        fetcher.PartitionRecords = UncopiedRecords
        conn.READER_LIMIT = _READ_AHEAD_BYTES_MAX // 2  # asyncio stops at twice that
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = _FETCH_HELD_MILLISECONDS_MAX  # noqa: SLF001 (Faust has no setting for it)
        return consumer


class BatchConsumer(driver.Consumer):
    """Yields one message for each fetched batch of a partition, instead of one for each record.

    The message's value is the list of records. It has the offset of the batch's *first* record.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.acknowledged_ends: Callable[[], Mapping[TP, int]] = dict
        """Gives the offset, by partition, below which the broker has acknowledged every output.

        This is true of the log whoever reads it, and whatever delivered its events: no generation of the group is asked
        for. Faust leaves out partitions that are not assigned, and the broker a worker that is no longer of the group.
        """
        self._full: set[TP] = set()
        self._room = asyncio.Event()

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109 (Faust's)
        """Fetch from the partitions that have room; yield a batch for each that had records."""
        generation = self.app.consumer_generation_id
        records_by_partition, active = await self._wait_next_records(timeout)
        if records_by_partition is None or self.should_stop:
            return
        if not self.flow_active:
            # What was fetched is dropped during a rebalance, so it must be fetched again: from here if the partitions
            # stay, by whoever has them next if they have been taken away meanwhile.
            with suppress(IllegalStateError):
                await self.perform_seek()
            return
        for partition, records in records_by_partition.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if not records or (active is not None and partition not in active | self._buffered_partitions):
                continue
            yield partition, _message(partition, records, generation)

    def highwater(self, tp: TP) -> int:
        """Return the end of a partition as the last fetch told it, 0 while nothing is known of it.

        It is not before the first fetch, nor once the partition is taken away, which aiokafka, in another thread, may
        do at any time: it asserts that it has the partition, and then looks twice more for what it knows of it.
        """
        try:
            return super().highwater(tp) or 0
        except (AssertionError, AttributeError):
            return 0

    def set_full(self, partition: TP, *, full: bool) -> None:
        """Stop fetching from a partition while it has enough waiting, or go on."""
        if full:
            self._full.add(partition)
        else:
            self._full.discard(partition)
            self._room.set()

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109 (Faust's)
        if active_partitions is None or not self._full:
            return await super()._getmany(active_partitions, timeout)
        wanted = active_partitions - self._full
        if wanted:
            return await super()._getmany(wanted, min(timeout, _FETCH_SECONDS_WHILE_FULL))
        self._room.clear()
        await self.wait_first(self._room.wait(), self.suspend_flow.wait(), timeout=timeout)
        return {}

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        """Return what may be committed: also a partition that the worker has read itself, with nothing delivered."""
        return (tp for tp in self.acknowledged_ends() if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        """Return the offset to commit: the end of what is acknowledged.

        None while the group is formed anew: Faust then does not know what others have committed, and would go back.
        """
        return None if self.app.rebalancing else self.acknowledged_ends().get(tp) or None

    async def commit_and_end_transactions(self) -> None:
        """Commit what is acknowledged by now, before the partitions are given away.

        Faust leaves it at a commit that is already under way, which knows only what was acknowledged before.
        """
        await self.maybe_wait_for_commit_to_finish()
        await super().commit_and_end_transactions()

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        reach("worker.before_commit")
        committed: bool = await super()._commit(offsets)
        reach("worker.after_commit")
        return committed

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps are nothing here: Faust would commit past a batch that is not done."""


def _message(partition: TP, records: list[Any], generation: int) -> ConsumerMessage:
    first = records[0]
    return ConsumerMessage(
        topic=partition.topic,
        partition=partition.partition,
        offset=first.offset,
        timestamp=first.timestamp / 1000,
        timestamp_type=first.timestamp_type,
        headers=[],
        key=None,
        # Faust passes it on untouched: `BatchSchema` decodes nothing.
        value=cast("bytes", records),
        checksum=None,
        tp=partition,
        generation_id=generation,
    )


class BatchTransport(driver.Transport):
    """Kafka by aiokafka, in batches."""

    Consumer = BatchConsumer


class BatchSchema(Schema[Any, Any]):
    """Hands a batch over undecoded: Faust commits past what it cannot decode."""

    def compile(self, app: Any, **_: Any) -> Any:
        """Return the function that makes an event of a message."""

        async def decode(message: ConsumerMessage, *, propagate: bool = False) -> Any:  # noqa: ARG001
            return app.create_event(None, message.value, None, message)

        return decode
