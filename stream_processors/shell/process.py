"""A process with lanes: a Faust application, its producer, and a lane for every partition it has been given."""

import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import aiokafka.errors
import structlog
from aiokafka.partitioner import DefaultPartitioner
from faust.types import TP
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from schemas.collector import settle
from schemas.connections import KafkaConnection
from schemas.headway import Headway
from stream_processors.metrics import LaneMetrics, WorkerMetrics
from stream_processors.settings import LaneSettings, WorkerSettings
from stream_processors.shell.application import add_agent, make_application
from stream_processors.shell.checkpoints import CheckpointDirectory
from stream_processors.shell.folding import LEDGER, Folding
from stream_processors.shell.lane import Lane, LaneSetting
from stream_processors.shell.log_reader import LogDoesNotFitError, check_positions, check_range, log_ranges
from stream_processors.shell.outputs import OutputProducer

_LAG_SECONDS: Final = 1.0
"""How often the lag is measured."""

_BOOTSTRAP_MS: Final = 3_000
_BROKER_WAIT_SECONDS: Final = 2.0
"""How long to wait before a broker that was away is asked again."""

_SWITCH_SECONDS: Final = 0.001
"""How long the thread that folds may keep the interpreter's lock from the one that fetches, instead of Python's 5 ms.

That one needs it again for every piece that it receives (figures: benchmarks/README.md).
"""

_log = structlog.get_logger()


class StoppedTooLateError(RuntimeError):
    """What was being done did not end within the time given for stopping; nothing of it was acknowledged."""


class LogMissingError(RuntimeError):
    """The topics do not exist."""


@dataclass(slots=True)
class Lanes:
    """The lanes of the partitions, each with the task that runs it."""

    setting: LaneSetting
    consumer_of: Any
    failed: "asyncio.Future[None]"
    lanes: dict[TP, Lane] = field(default_factory=dict)
    tasks: dict[Lane, "asyncio.Task[None]"] = field(default_factory=dict)
    closing: bool = False
    """Whether it is stopping: what Faust still delivers is left to whoever has the partition next."""

    def lane_of(self, source: TP) -> Lane:
        """Return the partition's lane, which is made when it is first asked for."""
        lane = self.lanes.get(source)
        if lane is None:
            lane = self.lanes[source] = Lane(
                source.partition, self.setting, lambda full: self.consumer_of().set_full(source, full=full)
            )
            task = self.tasks[lane] = asyncio.create_task(lane.run(), name=f"lane {source.partition}")
            task.add_done_callback(lambda ended: self._ended(lane, ended))
            if self.closing:
                lane.close()
        return lane

    def acknowledged_ends(self) -> dict[TP, int]:
        """Return, for each partition that has a lane, the offset below which the group may commit."""
        return {source: lane.acknowledged_end for source, lane in self.lanes.items()}

    def keep_only(self, assigned: set[TP]) -> None:
        """Free the memory of partitions that are other workers' now. Nothing depends on it."""
        for source in set(self.lanes) - assigned:
            self.lanes.pop(source).close()
            self.consumer_of().set_full(source, full=False)
            self.setting.metrics.forget_partition(source.partition)

    async def close(self, seconds_max: float) -> None:
        """End every lane after what it is doing. Raises StoppedTooLateError when that takes longer than allowed."""
        self.closing = True
        for lane in self.tasks:
            lane.close()
        tasks = list(self.tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds_max)
            for task in late:
                task.cancel()
            if late:
                raise StoppedTooLateError(f"{len(late)} partitions were not done within {seconds_max} s of stopping")

    def _ended(self, lane: Lane, task: "asyncio.Task[None]") -> None:
        self.tasks.pop(lane, None)
        if all(lane.partition != kept.partition for kept in self.lanes.values()):
            # Given away, it has ended what it was doing, and told of it.
            self.setting.metrics.forget_partition(lane.partition)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failed.done():
            self.failed.set_exception(error)


@dataclass(frozen=True, slots=True)
class Kind:
    """What tells the processes with lanes apart."""

    name: str
    folding: Folding
    producer: type[OutputProducer]


class LaneProcess:
    """Folds the partitions of a log that its group gives it, until told to stop."""

    def __init__(self, kind: Kind, settings: LaneSettings, registry: CollectorRegistry, metrics: LaneMetrics) -> None:
        self.name = kind.name
        self.registry = registry
        self.headway = Headway()
        self._kind = kind
        self._topic = kind.folding.topic
        self._settings = settings
        self._metrics = metrics
        self._lanes: Lanes | None = None
        self._application: Any = None
        self._waiting_for = "joining the group"
        self._log_ends: dict[int, int] = {}

    def not_ready(self) -> str | None:
        """Return why it is not ready, or None: it is once it has partitions and all are up with the log."""
        lanes, application = self._lanes, self._application
        if lanes is None or application is None or not application.consumer_generation_id:
            return self._waiting_for
        aligning = sorted(lane.partition for lane in lanes.lanes.values() if lane.aligning)
        return f"aligning partitions {aligning}" if aligning else None

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Raises what made going on impossible; nothing unsaid is then acknowledged."""
        settle()
        sys.setswitchinterval(_SWITCH_SECONDS)
        with tempfile.TemporaryDirectory(prefix=f"cercles-{self.name}-") as directory:
            asyncio.run(self._work(stop, Path(directory)))

    async def _work(self, stop: threading.Event, directory: Path) -> None:
        settings = self._settings
        described = await self._await_log(stop)
        if described is None:
            return
        log_id, partitions = described
        self._waiting_for = "joining the group"
        await check_positions(settings.kafka, settings.group, range(partitions), self._topic)
        producer = self._kind.producer(settings.kafka, acknowledgement_seconds_max=settings.acknowledgement_seconds_max)
        await producer.start()
        application: Any = make_application(settings, directory)
        self._application = application
        lanes = self._lanes = Lanes(
            self._lane_setting(log_id, producer, _partitioner(partitions)),
            consumer_of=lambda: application.consumer,
            failed=asyncio.get_running_loop().create_future(),
        )
        add_agent(application, self._topic, lambda source, delivery: lanes.lane_of(source).deliver(delivery))

        async def on_assigned(_application: Any, *what: Any, **_: Any) -> None:
            (assigned,) = what
            lanes.keep_only(assigned)
            _log.info("partitions", assigned=sorted(source.partition for source in assigned))

        application.on_partitions_assigned.connect(on_assigned)
        application.consumer.acknowledged_ends = lanes.acknowledged_ends
        await application.start()
        try:
            await self._until_stopped(stop, application, lanes)
        finally:
            await self._stop(application, lanes, producer)

    def _lane_setting(self, log_id: str, producer: OutputProducer, partition_of: Callable[[bytes], int]) -> LaneSetting:
        settings = self._settings
        return LaneSetting(
            kafka=settings.kafka,
            group=settings.group,
            log_id=log_id,
            sender=producer,
            metrics=self._metrics,
            partition_of=partition_of,
            batch_events_max=settings.batch_events_max,
            queued_batches_max=settings.queued_batches_max,
            folding=self._kind.folding,
        )

    async def _await_log(self, stop: threading.Event) -> tuple[str, int] | None:
        """Return the log's id and number of partitions, once a broker is there; None when told to stop before.

        Raises LogMissingError, and the broker's error after the longest outage allowed.
        """
        until = time.monotonic() + self._settings.outage_seconds_max
        while not stop.is_set():
            try:
                return await asyncio.to_thread(_describe_log, self._settings.kafka, self._topic)
            except KafkaError as error:
                if time.monotonic() > until:
                    raise
                self.headway.note({})
                self._waiting_for = f"no broker answers at {self._settings.kafka.bootstrap_servers}"
                _log.warning("broker_away", reason=f"{type(error).__name__}: {error}")
            await asyncio.to_thread(stop.wait, _BROKER_WAIT_SECONDS)
        return None

    async def _until_stopped(self, stop: threading.Event, application: Any, lanes: Lanes) -> None:
        stopping = asyncio.create_task(asyncio.to_thread(stop.wait))
        watching = [
            asyncio.create_task(self._measure(application, lanes)),
            asyncio.create_task(self._watch_log(application, lanes.setting.log_id)),
        ]
        crashed = asyncio.create_task(application.wait_until_stopped())
        await asyncio.wait({stopping, crashed, lanes.failed, *watching}, return_when=asyncio.FIRST_COMPLETED)
        ended: list[asyncio.Future[None]] = [one for one in (lanes.failed, *watching) if one.done()]
        for task in watching:
            task.cancel()
        if not stop.is_set():
            # The thread that waits for it must end with this.
            stop.set()
            for ending in ended:
                ending.result()
            raise application.crash_reason or RuntimeError("Faust stopped by itself")

    async def _stop(self, application: Any, lanes: Lanes, producer: OutputProducer) -> None:
        """End what is being done, commit, and leave the group."""
        started = time.monotonic()
        try:
            await lanes.close(self._settings.stop_seconds_max)
        finally:
            left = max(1.0, self._settings.stop_seconds_max - (time.monotonic() - started))
            with suppress(TimeoutError):
                # What is not committed by then is read again and found to be known.
                await asyncio.wait_for(application.stop(), left)
            with suppress(TimeoutError):
                await asyncio.wait_for(producer.stop(), 1.0)

    async def _measure(self, application: Any, lanes: Lanes) -> None:
        """Measure the lag, and what waits, again and again. Raises LogDoesNotFitError should the log lose its end."""
        while True:
            await asyncio.sleep(_LAG_SECONDS)
            waiting: dict[str, int] = {}
            for source in tuple(application.consumer.assignment()):
                if source not in application.consumer.assignment():
                    continue  # taken away while another was looked at
                heard = application.consumer.highwater(source)
                end = max(heard, self._log_ends.get(source.partition, 0))
                if not end:
                    continue
                # Also where nothing has been delivered yet: what Faust dropped is not to be forgotten in silence.
                lane = lanes.lane_of(source)
                if end < lane.acknowledged_end:
                    # What the consumer last heard of may be older than a checkpoint of another worker.
                    (first, end) = (await log_ranges(self._settings.kafka, [source.partition], self._topic))[
                        source.partition
                    ]
                    check_range(source.partition, first, end, lane.acknowledged_end, self._topic)
                    if lanes.lanes.get(source) is not lane:
                        continue  # taken away meanwhile: its series are gone, too
                # By what Faust has heard of: one that fetches no more must end the process, not be worked around.
                lane.tick(heard)
                lag = end - lane.acknowledged_end
                self._show_lag(lane, lag)
                if lag > 0:
                    waiting[f"progress of partition {lane.partition}"] = lane.progress
            self._metrics.aligning.set(sum(lane.aligning for lane in lanes.lanes.values()))
            self.headway.note(waiting)

    def _show_lag(self, lane: Lane, lag: int) -> None:
        age_seconds = time.time() - lane.newest_timestamp_ms / 1000 if lag and lane.newest_timestamp_ms else 0.0
        self._metrics.lag_events.labels(str(lane.partition)).set(lag)
        self._metrics.lag_seconds.labels(str(lane.partition)).set(max(0.0, age_seconds))

    async def _watch_log(self, application: Any, log_id: str) -> None:
        """Look now and then whether the log is still the one that was folded, and where it ends.

        That does not depend on what Faust fetches. Raises LogDoesNotFitError.
        """
        while True:
            await asyncio.sleep(self._settings.log_check_interval_seconds)
            try:
                now, _ = await asyncio.to_thread(_describe_log, self._settings.kafka, self._topic)
            except KafkaError as error:
                _log.warning("log_not_described", reason=str(error))
                continue
            if now != log_id:
                raise LogDoesNotFitError(
                    f"{self._topic} was deleted and made again: its id was {log_id} and is {now}. Positions belong to "
                    "one log only: start over with an empty group, an empty database and no checkpoints."
                )
            partitions = [source.partition for source in application.consumer.assignment()]
            try:
                ranges = await log_ranges(self._settings.kafka, partitions, self._topic)
            except aiokafka.errors.KafkaError as error:
                _log.warning("log_not_described", reason=str(error))
                continue
            self._log_ends = {partition: end for partition, (_, end) in ranges.items()}


class WorkerProcess(LaneProcess):
    """Folds the campaigns' log into updates."""

    def __init__(self, settings: WorkerSettings) -> None:
        registry = CollectorRegistry()
        super().__init__(Kind("worker", LEDGER, OutputProducer), settings, registry, WorkerMetrics(registry))
        self._checkpoint_directory = settings.checkpoint_directory
        self._checkpoint_interval_seconds = settings.checkpoint_interval_seconds

    def _lane_setting(self, log_id: str, producer: OutputProducer, partition_of: Callable[[bytes], int]) -> LaneSetting:
        setting = super()._lane_setting(log_id, producer, partition_of)
        if self._checkpoint_directory is None:
            return setting
        return replace(
            setting,
            checkpoints=CheckpointDirectory(self._checkpoint_directory, log_id),
            checkpoint_interval_seconds=self._checkpoint_interval_seconds,
        )


def _describe_log(kafka: KafkaConnection, name: str) -> tuple[str, int]:
    """Return Kafka's id of the log's topic and the number of its partitions."""
    admin = KafkaAdminClient(**kafka.client_options(), bootstrap_timeout_ms=_BOOTSTRAP_MS)
    try:
        (topic,) = admin.describe_topics([name])
    finally:
        admin.close()
    if topic["error_code"]:
        raise LogMissingError(f"topic {name} does not exist: run `cercles topics` first")
    return str(topic["topic_id"]), len(topic["partitions"])


def _partitioner(count: int) -> Any:
    partitioner, partitions = DefaultPartitioner(), list(range(count))

    def partition_of(key: bytes) -> int:
        return int(partitioner(key, partitions, partitions))

    return partition_of
