"""Packs the records of a partition into record batches: one of them is under way, what comes meanwhile shares the next.

aiokafka would do that record by record, with a future and a task's turn for each; and what has once been given to its
idempotent producer never expires. Here what waits is still ours: nobody's record is sent who was told that it was not.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from producers.publication import Position, Publication


class BatchProducer(Protocol):
    """What sends record batches: aiokafka's producer, and the stubs of the tests."""

    def create_batch(self) -> Any:
        """Return an empty record batch."""
        ...

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> "asyncio.Future[Any]":
        """Take a record batch on; the future is done when the brokers have acknowledged it."""
        ...


class PartitionQueue:
    """Records on their way to one partition, in their order. `when_failed` is told when a record batch fails."""

    def __init__(
        self, producer: BatchProducer, topic: str, partition: int, when_failed: Callable[[BaseException], None]
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._when_failed = when_failed
        self._waiting: deque[tuple[Publication, int]] = deque()
        self._under_way: list[tuple[Publication, int]] = []
        self._sent_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def put(self, publication: Publication, index: int) -> None:
        """Take on one record of a publication."""
        self._waiting.append((publication, index))
        if self._task is None:
            self._task = asyncio.create_task(self._send_all())

    def waits_since(self) -> float | None:
        """Return since when (monotonic) the brokers have owed an acknowledgement; None when nothing is under way."""
        return self._sent_at if self._under_way else None

    def drop(self, error: BaseException) -> None:
        """Give up everything, and send nothing more."""
        if self._task is not None:
            self._task.cancel()
        self._fail_under_way(error)
        while self._waiting:
            self._waiting.popleft()[0].fail(error)

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                await self._send_some()
        except BaseException as error:
            # Also when it is canceled: what was under way must never be taken for a part of the next record batch.
            self._fail_under_way(error)
            self._when_failed(error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._task = None

    async def _send_some(self) -> None:
        """Send as many records as fit into one record batch, and wait for its acknowledgement."""
        batch = self._packed()
        if not self._under_way:
            return
        self._sent_at = time.monotonic()
        metadata = await (await self._producer.send_batch(batch, self._topic, partition=self._partition))
        if metadata.offset < 0:
            # The broker had them already and no longer knows where.
            raise LookupError("the broker did not say where the records stand")
        acknowledged, self._under_way = self._under_way, []
        for offset, (publication, index) in enumerate(acknowledged, metadata.offset):
            publication.acknowledge(index, Position(self._partition, offset))

    def _packed(self) -> Any:
        batch = self._producer.create_batch()
        while self._waiting:
            publication, index = self._waiting[0]
            if publication.future.done():
                self._waiting.popleft()
                publication.drop()
                continue
            record = publication.records[index]
            if batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers)) is None:
                break
            self._under_way.append(self._waiting.popleft())
        batch.close()
        return batch

    def _fail_under_way(self, error: BaseException) -> None:
        failed, self._under_way = self._under_way, []
        for publication, _ in failed:
            publication.fail(error)
