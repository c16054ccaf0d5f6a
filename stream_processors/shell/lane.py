"""One partition's way through the worker: aligned to the log, folded batch by batch, said, acknowledged.

Outputs come before acknowledgement: a batch is acknowledged when the broker has taken every record it led to. The next
batch may be folded meanwhile, but it is not sent before. Any failure in between ends the process, since the state is
then ahead of what was said (docs/adr/0002).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog

from schemas.connections import KafkaConnection
from schemas.failure_points import reach
from schemas.updates import Progress
from stream_processors.metrics import LaneMetrics
from stream_processors.shell.checkpoints import Checkpoint, CheckpointDirectory, Snapshot
from stream_processors.shell.folding import LEDGER, Folding, Outputs
from stream_processors.shell.log_reader import (
    below,
    check_range,
    committed_offsets,
    log_ranges,
    read_log,
)
from stream_processors.shell.outputs import progress_of

_TURN_SECONDS: Final = 0.005
"""How long a lane folds, or saves campaigns for a checkpoint, before it lets the others go on."""

_UNDELIVERED_SECONDS_MAX: Final = 3.0
"""How long a lane that has nothing to do leaves to Faust what stands on the log. Then it reads that itself."""

_log = structlog.get_logger()


class Sender(Protocol):
    """What a lane needs of the producer."""

    async def send(self, outputs: Any, progress: Progress) -> int:
        """Send what a batch of the lane's fold has to say, and return when everything is acknowledged."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch as Faust delivered it: records of one partition, in order, none of them missing in between."""

    records: list[Any]
    is_stale: Callable[[], bool]
    """Whether the group has changed since; the batch will then be delivered again, here or elsewhere."""


@dataclass(frozen=True, slots=True)
class LaneSetting:
    """What the lanes of a worker have in common."""

    kafka: KafkaConnection
    group: str
    log_id: str
    sender: Sender
    metrics: LaneMetrics
    partition_of: Callable[[bytes], int]
    batch_events_max: int
    queued_batches_max: int
    checkpoints: CheckpointDirectory | None = None
    checkpoint_interval_seconds: float = 60.0
    folding: Folding = LEDGER
    folds: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the lane that folds: two batches in turns would both be done later, and each out of the other's cache."""


class Lane:
    """The lane of one partition. One task runs it; deliveries wait in it while it is busy."""

    def __init__(self, partition: int, setting: LaneSetting, on_full: Callable[[bool], None]) -> None:
        self.partition = partition
        self.aligning = False
        self.newest_timestamp_ms = 0
        self._setting = setting
        self._on_full = on_full
        self._state = setting.folding.new_state()
        self._restored = 0
        self._acknowledged_end = 0
        self._dead_letters_end = 0
        self._waiting: deque[Delivery] = deque()
        self._something_to_do = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._undelivered_end = 0
        self._busy_at = time.monotonic()
        self._closing = False
        self._snapshot: Snapshot | None = None
        self._snapshot_at = time.monotonic()
        self._snapshot_offset = 0
        self._writing: asyncio.Task[None] | None = None

    @property
    def next_offset(self) -> int:
        """The offset of the next event to fold: it moves while the lane is aligning, too."""
        return int(self._state.next_offset)

    @property
    def acknowledged_end(self) -> int:
        """The offset below which everything that there was to say is acknowledged: what the group may commit."""
        return self._acknowledged_end

    @property
    def progress(self) -> int:
        """A number that grows with whatever the lane does: with each campaign of a checkpoint being restored, too."""
        return self.next_offset + self._acknowledged_end + self._restored

    def deliver(self, delivery: Delivery) -> None:
        """Let a batch wait for its turn."""
        self._waiting.append(delivery)
        self._queue_changed()
        self._something_to_do.set()

    async def run(self) -> None:
        """Fold what is delivered until the lane is closed. Raises whatever makes the state no longer hold."""
        while not self._closing:
            await self._something_to_do.wait()
            self._something_to_do.clear()
            if self._sending is not None and self._sending.done():
                await self._sent()
            while self._waiting and not self._closing:
                delivery = self._waiting.popleft()
                self._queue_changed()
                if not delivery.is_stale():
                    await self._take(delivery)
                self._busy_at = time.monotonic()
                self._checkpoint()
            if not self._closing:
                await self._take_undelivered()
            self._checkpoint()
        await self._sent()
        if self._writing is not None:
            await self._writing

    def tick(self, log_end: int) -> None:
        """Let `run` look whether it is time for a checkpoint, or to read what should have been delivered long ago.

        Faust drops what it has fetched while the group is formed anew. What comes next makes up for it, since a batch
        is aligned to; but nothing may come next.
        """
        if log_end > self._state.next_offset and time.monotonic() - self._busy_at > _UNDELIVERED_SECONDS_MAX:
            self._undelivered_end = log_end
        self._something_to_do.set()

    def close(self) -> None:
        """Let `run` return after what it is doing now; what waits is left to whoever has the partition next."""
        self._closing = True
        self._something_to_do.set()

    def _queue_changed(self) -> None:
        waiting = len(self._waiting)
        self._setting.metrics.queued_batches.labels(str(self.partition)).set(waiting)
        self._on_full(waiting >= self._setting.queued_batches_max)

    async def _take_undelivered(self) -> None:
        end, self._undelivered_end = self._undelivered_end, 0
        if end > self._state.next_offset:
            await self._align(end)
            self._busy_at = time.monotonic()

    async def _take(self, delivery: Delivery) -> None:
        await self._align(delivery.records[0].offset)
        outputs = await self._fold(delivery.records)
        reach("worker.batch_folded")
        self._setting.metrics.events.inc(outputs.events)
        self._setting.metrics.batch_events.observe(outputs.events)
        self.newest_timestamp_ms = delivery.records[-1].timestamp
        await self._sent()
        self._sending = asyncio.create_task(self._send(outputs, self._state.next_offset))
        self._sending.add_done_callback(lambda _: self._something_to_do.set())

    async def _align(self, until: int) -> None:
        """Fold the log up to `until`: silently what the group has acknowledged, with outputs what it has not.

        Faust does not always deliver what comes after the committed offset: what it skipped is said here.
        """
        if self._state.next_offset == 0:
            await self._restore()
        if self._state.next_offset >= until:
            return
        setting = self._setting
        await self._sent()
        offsets = await committed_offsets(setting.kafka, setting.group, [self.partition], setting.folding.topic)
        committed = offsets[self.partition]
        _log.info("aligning", partition=self.partition, start=self._state.next_offset, until=until, committed=committed)
        self.aligning = True
        async for records, position in read_log(
            setting.kafka,
            self.partition,
            self._state.next_offset,
            until,
            records_max=setting.batch_events_max,
            topic=setting.folding.topic,
        ):
            silent = below(committed, records)
            # What it came to was said before: only the state is wanted.
            await self._fold(silent, silent=True)
            reach("worker.aligning")
            unsaid = await self._fold(records[len(silent) :])
            self._state.next_offset = max(self._state.next_offset, position)
            setting.metrics.aligned_events.inc(len(records))
            if unsaid.events:
                await self._send(unsaid, self._state.next_offset)
        self.aligning = False
        # What was silent had been acknowledged before, by whoever folded it then.
        self._acknowledged_end = self._state.next_offset
        setting.metrics.next_offset.labels(str(self.partition)).set(self._acknowledged_end)
        setting.metrics.observe(self.partition, self._state)
        _log.info("aligned", partition=self.partition, next_offset=self._state.next_offset)

    async def _restore(self) -> None:
        """Take over the partition's checkpoint, if there is one that fits. Raises LogDoesNotFitError."""
        checkpoints = self._setting.checkpoints
        found = None if checkpoints is None else await asyncio.to_thread(checkpoints.read, self.partition)
        if isinstance(found, str):
            self._setting.metrics.checkpoints_ignored.labels(found).inc()
        if not isinstance(found, Checkpoint):
            return
        (first, last) = (await log_ranges(self._setting.kafka, [self.partition]))[self.partition]
        check_range(self.partition, first, last, found.next_offset)
        self.aligning = True
        for number in range(len(found.campaigns)):
            campaign = found.restored(number)
            self._state.campaigns[campaign.launch.campaign_id] = campaign
            self._restored += 1
            await asyncio.sleep(0)
        self._state.next_offset = self._acknowledged_end = self._snapshot_offset = found.next_offset
        self._dead_letters_end = found.dead_letters_next_offset
        self.aligning = False
        reach("worker.restored")
        _log.info("restored", partition=self.partition, next_offset=found.next_offset, campaigns=len(found.campaigns))

    def _checkpoint(self) -> None:
        """Go on with the present checkpoint for a moment, or begin one when it is time."""
        setting = self._setting
        if setting.checkpoints is None or self._writing is not None:
            return
        if self._snapshot is None:
            due = time.monotonic() - self._snapshot_at > setting.checkpoint_interval_seconds
            if not due or self._state.next_offset == self._snapshot_offset:
                return
            self._snapshot = Snapshot(self._state)
            self._snapshot_at = time.monotonic()
            self._snapshot_offset = self._state.next_offset
        self._snapshot.go_on(_TURN_SECONDS)
        if not self._snapshot.complete:
            # Come back when the others have had their turn.
            asyncio.get_running_loop().call_soon(self._something_to_do.set)
        elif self._acknowledged_end >= self._snapshot.next_offset:
            checkpoint = Checkpoint(self._snapshot.next_offset, self._dead_letters_end, self._snapshot.campaigns)
            self._snapshot = None
            self._writing = asyncio.create_task(self._write(setting.checkpoints, checkpoint))

    async def _write(self, checkpoints: CheckpointDirectory, checkpoint: Checkpoint) -> None:
        """Write the checkpoint in a thread. A disk that does not take it costs time at the next start, nothing else."""
        try:
            size_bytes = await asyncio.to_thread(checkpoints.write, self.partition, checkpoint)
        except OSError as error:
            self._setting.metrics.checkpoints_failed.inc()
            _log.warning("checkpoint_not_written", partition=self.partition, reason=str(error))
        else:
            self._setting.metrics.checkpoints.inc()
            self._setting.metrics.checkpoint_bytes.labels(str(self.partition)).set(size_bytes)
        self._writing = None

    async def _fold(self, records: list[Any], *, silent: bool = False) -> Outputs:
        """Fold a batch, and let what is sent, fetched and asked go on meanwhile, but no other lane's fold."""
        setting, folded_seconds = self._setting, 0.0
        async with setting.folds:
            batch, began = self._batch(silent=silent), time.perf_counter()
            for _ in batch.steps(records):
                turn_seconds = time.perf_counter() - began
                if turn_seconds > _TURN_SECONDS:
                    folded_seconds += turn_seconds
                    await asyncio.sleep(0)
                    began = time.perf_counter()
            folded_seconds += time.perf_counter() - began
        outputs: Outputs = batch.outputs
        if not silent:
            setting.metrics.observe(self.partition, self._state)
            setting.metrics.fold_seconds.observe(folded_seconds)
        return outputs

    def _batch(self, *, silent: bool = False) -> Any:
        before_change = None if self._snapshot is None else self._snapshot.before_change
        setting = self._setting
        return setting.folding.new_batch(self._state, self.partition, setting.partition_of, before_change, silent)

    async def _send(self, outputs: Outputs, end: int) -> None:
        """Say what a batch led to, and acknowledge the log below `end` once the broker has it all."""
        setting = self._setting
        if outputs.events:
            started = time.perf_counter()
            progress = progress_of(self.partition, end, self._dead_letters_end, setting.log_id)
            dead_letters_end = await setting.sender.send(outputs, progress)
            self._dead_letters_end = max(self._dead_letters_end, dead_letters_end)
            setting.metrics.acknowledgement_seconds.observe(time.perf_counter() - started)
            setting.metrics.count(outputs)
        self._acknowledged_end = end
        setting.metrics.next_offset.labels(str(self.partition)).set(end)
        reach("worker.batch_acknowledged")

    async def _sent(self) -> None:
        """Wait until the batch before is acknowledged. Raises what kept it from being."""
        sending, self._sending = self._sending, None
        if sending is not None:
            await sending
