"""What a worker notes of its work: every partition with lag has to move, and whatever a lane does is moving."""

import asyncio
import threading
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from schemas.connections import KafkaConnection
from schemas.topics import LOG
from stream_processors.settings import ResolverSettings, WorkerSettings
from stream_processors.shell import lane, process
from stream_processors.shell.checkpoints import CheckpointDirectory
from stream_processors.shell.process import LaneProcess, WorkerProcess
from stream_processors.shell.resolver_process import ResolverProcess
from tests.conftest import wait_until
from tests.worker.pipeline import launch
from tests.worker.test_lane import Bench, FakeRecord

CAMPAIGNS = 40
NOTES = 5


class FakeLane:
    """A lane that stands where the test puts it."""

    aligning = False
    newest_timestamp_ms = 0

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.acknowledged_end = self.progress = 0

    def tick(self, log_end: int) -> None:
        """Do nothing."""


class Measured:
    """A worker's, or a resolver's, measuring of two partitions that hold 10 events each."""

    def __init__(self, worker: LaneProcess) -> None:
        self.worker = worker
        self.heard: int | None = 10
        self.lanes = [FakeLane(0), FakeLane(1)]
        self._of = {TP(LOG.name, one.partition): one for one in self.lanes}

    async def noted(self, times: int) -> int:
        """Measure so many times, and return how often that was headway."""
        before = self.worker.headway.made
        consumer = SimpleNamespace(assignment=lambda: set(self._of), highwater=lambda _: self.heard)
        lanes: Any = SimpleNamespace(lane_of=self._of.__getitem__, lanes=self._of)
        for _ in range(times):
            await self._once(SimpleNamespace(consumer=consumer), lanes)
        return self.worker.headway.made - before

    async def _once(self, application: Any, lanes: Any) -> None:
        task = asyncio.create_task(self.worker._measure(application, lanes))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()


@pytest.fixture(
    params=[lambda: WorkerProcess(WorkerSettings()), lambda: ResolverProcess(ResolverSettings())],
    ids=["worker", "resolver"],
)
def measured(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Measured:
    monkeypatch.setattr(process, "_LAG_SECONDS", 0)
    return Measured(request.param())


def test_without_lag_every_look_is_headway(measured: Measured) -> None:
    """However long no event comes."""
    for one in measured.lanes:
        one.acknowledged_end = 10
    assert asyncio.run(measured.noted(NOTES)) >= NOTES


@pytest.mark.parametrize("heard", [0, 5])
def test_faust_that_fetches_no_more_is_no_headway(measured: Measured, heard: int) -> None:
    """It has heard of nothing new, or of nothing at all; the broker says that there is more."""
    measured.heard = heard
    measured.worker._log_ends = {0: 10, 1: 10}
    for one in measured.lanes:
        one.acknowledged_end = one.progress = 5
    assert asyncio.run(measured.noted(1)) == 1
    assert asyncio.run(measured.noted(NOTES)) == 0


def test_a_partition_that_does_not_move_is_not_hidden_by_another(measured: Measured) -> None:
    """It is named, with where it stands; once it moves all is well."""

    async def main() -> None:
        await measured.noted(1)
        for number in range(1, NOTES):
            measured.lanes[0].progress = number
            assert await measured.noted(1) == 0
        assert measured.worker.headway.standing == {"progress of partition 1": 0}
        measured.lanes[1].progress += 1
        assert await measured.noted(1) == 1

    asyncio.run(main())


def test_a_long_restore_is_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With each campaign, though no offset moves meanwhile."""
    directory = CheckpointDirectory(tmp_path, "log")

    async def log_ranges(_: KafkaConnection, partitions: Collection[int]) -> dict[int, tuple[int, int]]:
        return dict.fromkeys(partitions, (0, CAMPAIGNS))

    async def main() -> None:
        first = Bench(checkpoints=directory)
        first.sender.gate.set()
        names = [f"film-{number}" for number in range(CAMPAIGNS)]

        async def write() -> None:
            first.deliver([FakeRecord(n, launch(name), name.encode()) for n, name in enumerate(names)])
            while directory.read(0) is None:
                first.lane.tick(0)
                await asyncio.sleep(0.01)

        await first.during(write())
        second = Bench(checkpoints=directory)
        restoring = asyncio.create_task(second.lane._restore())
        seen = set[int]()
        while not restoring.done():
            if second.lane.next_offset == 0:
                seen.add(second.lane.progress)
            await asyncio.sleep(0)
        await restoring
        assert len(seen) >= CAMPAIGNS
        assert second.lane.next_offset == CAMPAIGNS

    monkeypatch.setattr(lane, "log_ranges", log_ranges)
    asyncio.run(main())


def test_waiting_for_a_broker_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    """That outage has a bound of its own."""
    monkeypatch.setattr(process, "_BROKER_WAIT_SECONDS", 0.05)
    worker = WorkerProcess(WorkerSettings(kafka=KafkaConnection(bootstrap_servers="127.0.0.1:1")))
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: worker.headway.made >= 2, "two attempts are noted")
    finally:
        stop.set()
        thread.join()
