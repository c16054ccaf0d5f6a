"""Watches a soak from outside: where log, updates and database stand, how soon everybody answers, and their memory.

No process is asked how it does. The worker is seen by the updates that it appends (each batch ends with one record at
least), the sink by the position in its database, gateway, reader and exporter by their answers, and all of them by
`/healthz`.
"""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from typing import Final, Self

import httpx
import psycopg
from kafka import KafkaConsumer, TopicPartition

from benchmarks.gateway import PARTITIONS
from benchmarks.processes import disk_waited_seconds
from benchmarks.soak.scene import Scene
from benchmarks.soak.verdict import Sample, Standing
from cercles.ports import LOOPBACK
from cercles.topics import connect
from schemas.connections import KafkaConnection
from schemas.topics import LOG, UPDATES
from stream_processors.settings import WorkerSettings

LOOK_SECONDS: Final = 0.2
SAMPLE_SECONDS: Final = 1.0
HEALTH_SECONDS: Final = 0.5
READ_SECONDS: Final = 0.5
SCRAPE_SECONDS: Final = 5.0
_ANSWER_SECONDS_MAX: Final = 60.0
_GROUP: Final = str(WorkerSettings.model_fields["group"].default)
_POSITIONS: Final = "SELECT partition_number, next_offset, log_next_offset FROM sink_positions WHERE topic = %s"


class _Positions:
    """Where log, updates, worker and database stand: offsets by partition."""

    def __init__(self, scene: Scene, stack: ExitStack) -> None:
        self._consumer = stack.enter_context(closing(KafkaConsumer(bootstrap_servers=scene.bootstrap)))
        self._admin = stack.enter_context(connect(KafkaConnection(bootstrap_servers=scene.bootstrap)))
        self._connection = stack.enter_context(psycopg.connect(scene.database_url, autocommit=True))
        self._sources = [
            TopicPartition(topic, number) for topic in (LOG.name, UPDATES.name) for number in range(PARTITIONS)
        ]
        self.log_ends: dict[int, int] = {}
        self.updates_ends: dict[int, int] = {}
        self.applied: dict[int, int] = {}
        self.shown: dict[int, int] = {}

    def look(self) -> None:
        """Ask Kafka and the database. Raises their errors."""
        for partition, applied, shown in self._connection.execute(_POSITIONS, (UPDATES.name,)):
            self.applied[partition], self.shown[partition] = applied, shown
        for source, end in self._consumer.end_offsets(self._sources).items():
            (self.log_ends if source.topic == LOG.name else self.updates_ends)[source.partition] = end

    def committed(self) -> int:
        """Return how many events the worker's group has committed."""
        offsets = self._admin.list_group_offsets(_GROUP)[_GROUP]
        return sum(max(0, one.offset) for source, one in offsets.items() if source.topic == LOG.name)


class Watching:
    """Threads that look until the block ends."""

    def __init__(self, scene: Scene, campaign_ids: list[str]) -> None:
        self.samples: list[Sample] = []
        self.late_seconds = 0.0
        """How late a look of ours was at most: what happened meanwhile could not be seen."""
        self._scene = scene
        self._campaign_ids = campaign_ids
        self._answers_seconds: dict[str, float] = defaultdict(float)
        self._failures: list[BaseException] = []
        self._standing = {name: Standing() for name in ("worker", "sink")}
        self._standing_partitions = {name: [Standing() for _ in range(PARTITIONS)] for name in ("worker", "sink")}
        self._stop = threading.Event()
        self._began = time.perf_counter()
        chance = random.Random(1)
        reader, exporter = (f"http://{LOOPBACK}:{scene.ports[name]}" for name in ("reader", "exporter"))
        self._threads = [
            threading.Thread(target=self._guarded, args=(self._ask, name, HEALTH_SECONDS, lambda url=url: url))
            for name, port in scene.operations_ports.items()
            if (url := f"http://{LOOPBACK}:{port}/healthz")
        ]
        questions: list[tuple[str, float, Callable[[], str]]] = [
            ("reader", READ_SECONDS, lambda: f"{reader}/v1/campaigns/{chance.choice(campaign_ids)}/circles"),
            ("exporter", SCRAPE_SECONDS, lambda: f"{exporter}/metrics"),
        ]
        self._threads += [threading.Thread(target=self._guarded, args=(self._ask, *one)) for one in questions]
        self._threads.append(threading.Thread(target=self._guarded, args=(self._look_always,)))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def check(self) -> None:
        """Raise RuntimeError when a look has failed."""
        if self._failures:
            raise RuntimeError("the watch has failed") from self._failures[0]

    def stalls(self) -> dict[str, float]:
        """Return the longest stall of each process so far, in seconds."""
        found = dict(self._answers_seconds)
        for name, standing in self._standing.items():
            found[name] = max(found.get(name, 0.0), standing.seconds_max)
        return found

    def stalled_at(self) -> dict[str, float]:
        """Return when worker and sink had their longest stall, in seconds after the beginning."""
        return {name: max(0.0, one.ended_at_seconds - self._began) for name, one in self._standing.items()}

    def partition_waits(self) -> dict[str, float]:
        """Return the longest time for which one partition stood still while others may have moved, in seconds."""
        return {name: max(one.seconds_max for one in each) for name, each in self._standing_partitions.items()}

    def _guarded(self, work: Callable[..., None], *arguments: object) -> None:
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - it ends the thread, and the soak
            self._failures.append(error)

    def _ask(self, name: str, seconds_between: float, url: Callable[[], str]) -> None:
        """Ask again and again, and keep the longest time that an answer took."""
        with httpx.Client(timeout=_ANSWER_SECONDS_MAX) as client:
            while not self._stop.wait(seconds_between):
                began = time.perf_counter()
                client.get(url()).raise_for_status()
                self._answers_seconds[name] = max(self._answers_seconds[name], time.perf_counter() - began)

    def _look_always(self) -> None:
        worked_off = [0] * PARTITIONS
        with ExitStack() as stack:
            positions = _Positions(self._scene, stack)
            before = sampled = time.perf_counter()
            while not self._stop.wait(LOOK_SECONDS):
                now = time.perf_counter()
                self.late_seconds = max(self.late_seconds, now - before - LOOK_SECONDS)
                before = now
                said_before = dict(positions.updates_ends)
                positions.look()
                self._note(positions, said_before, worked_off, now)
                if now - sampled >= SAMPLE_SECONDS:
                    sampled = now
                    self.samples.append(self._sample(positions, now))

    def _note(self, positions: _Positions, said_before: dict[int, int], worked_off: list[int], now: float) -> None:
        for number in range(PARTITIONS):
            if positions.updates_ends[number] != said_before.get(number):
                # It has said something: what comes from now on is what waits for it.
                worked_off[number] = positions.log_ends[number]
        for name, places, ends, done in (
            ("worker", positions.updates_ends, positions.log_ends, dict(enumerate(worked_off))),
            ("sink", positions.applied, positions.updates_ends, positions.applied),
        ):
            waits = {number: end > done.get(number, 0) for number, end in ends.items()}
            self._standing[name].look(now, sum(places.values()), waits=any(waits.values()))
            for number, standing in enumerate(self._standing_partitions[name]):
                standing.look(now, places.get(number, 0), waits=waits[number])

    def _sample(self, positions: _Positions, now: float) -> Sample:
        log_end, said = sum(positions.log_ends.values()), sum(positions.updates_ends.values())
        return Sample(
            seconds=now - self._began,
            resident_bytes=self._memory(),
            worker_lag_events=log_end - positions.committed(),
            sink_lag_records=said - sum(positions.applied.values()),
            unseen_events=log_end - sum(positions.shown.values()),
            log_end=log_end,
            updates_end=said,
            disk_waited_seconds=disk_waited_seconds(),
        )

    def _memory(self) -> dict[str, int]:
        # One of PostgreSQL's processes may end between being listed and being looked at.
        while True:
            with suppress(FileNotFoundError, ProcessLookupError):
                return self._scene.memory()
