"""Sends what a batch has to say and waits for the broker's word on every record."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from mode import Service

from schemas.connections import KafkaConnection
from schemas.dead_letters import DeadLetter, to_record
from schemas.failure_points import reach
from schemas.topics import DEAD_LETTERS, UPDATES
from schemas.updates import Progress, encoder
from stream_processors.ledger.batch import FOLD_VERSION, Outputs

_REQUEST_BYTES_MAX: Final = 1_000_000
_BATCH_BYTES_MAX: Final = 896 * 1024
"""Largest record batch: with its header below what the topic takes."""


class OutputProducer(Service):
    """The worker's own idempotent producer; Faust's is idempotent only under `exactly_once`."""

    batch_bytes_max = _BATCH_BYTES_MAX

    def __init__(self, kafka: KafkaConnection, *, acknowledgement_seconds_max: float) -> None:
        super().__init__()
        self._kafka = kafka
        self._timeout_ms = int(acknowledgement_seconds_max * 1000)
        self._producer: AIOKafkaProducer | None = None

    async def on_start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            **self._kafka.client_options(),
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=self._timeout_ms,
            max_request_size=_REQUEST_BYTES_MAX,
            max_batch_size=self.batch_bytes_max,
        )
        await self._producer.start()

    async def on_stop(self) -> None:
        """Disconnect; nothing waits in the producer that anybody still counts on."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, outputs: Outputs, progress: Progress) -> int:
        """Send a batch's outputs and, last, its progress; return when the broker has acknowledged every one.

        Returns the offset after the last of the dead letters, 0 if there are none. Raises aiokafka's KafkaError when
        the broker does not take a record; the process must then end, for its state is ahead of what was said.
        """
        reach("worker.before_outputs")
        partition = progress.partition
        updates = _RecordBatches(self._connected(), UPDATES.name, partition)
        for key, value in outputs.updates:
            await updates.add(key, value)
        reach("worker.updates_handed_over")
        dead_letters_end = 0
        if outputs.dead_letters:
            # The progress names them, so their offsets must be known first.
            dead_letters_end = await self._send_dead_letters(partition, outputs.dead_letters)
            reach("worker.dead_letters_acknowledged")
            progress = Progress(
                partition=partition,
                next_offset=progress.next_offset,
                dead_letters_next_offset=max(dead_letters_end, progress.dead_letters_next_offset),
                fold_version=progress.fold_version,
                log_id=progress.log_id,
            )
        await updates.add(None, encoder.encode(progress))
        await updates.hand_over()
        reach("worker.progress_handed_over")
        await asyncio.gather(*updates.handed_over)
        reach("worker.outputs_acknowledged")
        return dead_letters_end

    async def _send_dead_letters(self, partition: int, letters: Sequence[DeadLetter]) -> int:
        waiting = []
        for letter in letters:
            key, value, headers = to_record(letter)
            waiting.append(
                await self._connected().send(
                    DEAD_LETTERS.name, value=value, key=key, partition=partition, headers=list(headers)
                )
            )
            reach("worker.record_handed_over")
        reach("worker.dead_letters_handed_over")
        acknowledged = await asyncio.gather(*waiting)
        return 1 + max(int(metadata.offset) for metadata in acknowledged)

    def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise RuntimeError("the producer has not been started")
        return self._producer


class _RecordBatches:
    """Packs records of one partition into record batches, as few as they fit in.

    The producer's own way, record by record, costs more than folding the events that led to the records: a future, a
    task's turn and a tuple for each.
    """

    def __init__(self, producer: AIOKafkaProducer, topic: str, partition: int) -> None:
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._open = producer.create_batch()
        self.handed_over: list[asyncio.Future[Any]] = []
        """One for each record batch: done when the broker has acknowledged it."""

    async def add(self, key: bytes | None, value: bytes) -> None:
        """Put a record after the others; what is full by then is handed over."""
        if self._open.append(timestamp=None, key=key, value=value) is not None:
            return
        await self.hand_over()
        self._open = self._producer.create_batch()
        if self._open.append(timestamp=None, key=key, value=value) is None:
            raise RuntimeError(f"a record of {len(value)} bytes does not fit into an empty record batch")

    async def hand_over(self) -> None:
        """Give the open record batch to the producer."""
        self._open.close()
        self.handed_over.append(await self._producer.send_batch(self._open, self._topic, partition=self._partition))
        reach("worker.record_handed_over")


def progress_of(partition: int, next_offset: int, dead_letters_next_offset: int, log_id: str) -> Progress:
    """Return the record that says how far the log's partition is folded."""
    return Progress(
        partition=partition,
        next_offset=next_offset,
        dead_letters_next_offset=dead_letters_next_offset,
        fold_version=FOLD_VERSION,
        log_id=log_id,
    )
