"""The lane of one partition: outputs before acknowledgement, one batch at a time, aligned to the log."""

import asyncio
from collections.abc import Coroutine
from contextlib import closing, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from prometheus_client import CollectorRegistry

from schemas.connections import KafkaConnection
from schemas.topics import LOG
from schemas.updates import Progress, Update, decoder
from stream_processors.ledger.batch import Outputs
from stream_processors.metrics import WorkerMetrics
from stream_processors.shell import lane
from stream_processors.shell.checkpoints import CheckpointDirectory
from stream_processors.shell.lane import Delivery, Lane, LaneSetting
from stream_processors.shell.log_reader import LogDoesNotFitError
from stream_processors.shell.process import Lanes
from tests.worker.pipeline import POISON, capture, launch

GROUP = "lane-test"
CAMPAIGN = "film"


@dataclass
class FakeSender:
    """Takes outputs and acknowledges them when told to, as a slow broker would."""

    said: list[tuple[Outputs, Progress]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None
    sending: int = 0
    sending_max: int = 0

    async def send(self, outputs: Outputs, progress: Progress) -> int:
        """Note what is said; return once the gate is open."""
        self.sending += 1
        self.sending_max = max(self.sending_max, self.sending)
        self.said.append((outputs, progress))
        await self.gate.wait()
        self.sending -= 1
        if self.error is not None:
            raise self.error
        return 5 if outputs.dead_letters else 0

    @property
    def entry_offsets(self) -> list[int]:
        """The offsets of all entries said, in order."""
        offsets = []
        for outputs, _ in self.said:
            for _, value in outputs.updates:
                update = decoder.decode(value)
                assert isinstance(update, Update)
                offsets += [entry.offset for entry in update.entries]
        return offsets


@dataclass(frozen=True)
class FakeRecord:
    """A record of the log."""

    offset: int
    value: bytes | None
    key: bytes | None = CAMPAIGN.encode()
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 1_700_000_000_000


def records(start: int, end: int) -> list[FakeRecord]:
    """Return the story of one campaign from offset `start` to `end`: its launch, then captures."""
    return [
        FakeRecord(offset, launch(CAMPAIGN) if offset == 0 else capture(CAMPAIGN, offset, 100))
        for offset in range(start, end)
    ]


class Bench:
    """A lane with a fake sender."""

    def __init__(self, bootstrap: str = "127.0.0.1:1", checkpoints: CheckpointDirectory | None = None) -> None:
        self.sender = FakeSender()
        self.full: list[bool] = []
        self.registry = CollectorRegistry()
        self.setting = LaneSetting(
            kafka=KafkaConnection(bootstrap_servers=bootstrap),
            group=GROUP,
            log_id="log",
            sender=self.sender,
            metrics=WorkerMetrics(self.registry),
            partition_of=lambda _: 0,
            batch_events_max=25,
            queued_batches_max=2,
            checkpoints=checkpoints,
            checkpoint_interval_seconds=0.001,
        )
        self.lane = Lane(0, self.setting, self.full.append)

    def lanes(self) -> Lanes:
        """Return a worker's lanes, none of them yet made. To be called while an event loop runs."""
        failed = asyncio.get_running_loop().create_future()
        return Lanes(self.setting, lambda: SimpleNamespace(set_full=lambda _, full: None), failed)  # noqa: ARG005

    def deliver(self, batch: list[FakeRecord], *, stale: bool = False) -> None:
        """Deliver a batch."""
        self.lane.deliver(Delivery(batch, is_stale=lambda: stale))

    def totals_minor(self) -> int:
        """Return what the last update said was pledged."""
        last = decoder.decode(self.sender.said[-1][0].updates[-1][1])
        assert isinstance(last, Update)
        return last.totals.pledged_minor

    async def until_acknowledged(self, end: int) -> None:
        """Wait until everything below that offset is acknowledged."""
        async with asyncio.timeout(60):
            while self.lane.acknowledged_end < end:  # noqa: ASYNC110 (it tells nobody)
                await asyncio.sleep(0.01)

    async def during(self, steps: Coroutine[Any, Any, None]) -> None:
        """Run the lane while the steps are taken, then close it."""
        running = asyncio.create_task(self.lane.run())
        await steps
        self.lane.close()
        await asyncio.wait_for(running, 30)


async def soon() -> None:
    """Let everything that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_batch_is_acknowledged_when_its_outputs_are_and_not_before() -> None:
    """Outputs come before acknowledgement."""

    async def main() -> None:
        bench = Bench()

        async def steps() -> None:
            bench.deliver(records(0, 10))
            await soon()
            assert len(bench.sender.said) == 1
            assert bench.lane.acknowledged_end == 0
            bench.sender.gate.set()
            await soon()
            assert bench.lane.acknowledged_end == 10

        await bench.during(steps())

    asyncio.run(main())


def test_the_next_batch_is_folded_meanwhile_but_not_sent() -> None:
    """Sending may not overlap the wait for the batch before."""

    async def main() -> None:
        bench = Bench()

        async def steps() -> None:
            for start in (0, 10, 20):
                bench.deliver(records(start, start + 10))
            await soon()
            assert len(bench.sender.said) == 1
            bench.sender.gate.set()
            await soon()
            assert bench.sender.sending_max == 1
            assert [progress.next_offset for _, progress in bench.sender.said] == [10, 20, 30]
            assert bench.lane.acknowledged_end == 30

        await bench.during(steps())

    asyncio.run(main())


def test_a_record_that_the_broker_does_not_take_ends_the_lane() -> None:
    """The state is then ahead of what was said; nothing more is folded, sent or acknowledged."""

    async def main() -> None:
        bench = Bench()
        bench.sender.error = ConnectionError("no broker")
        bench.sender.gate.set()
        running = asyncio.create_task(bench.lane.run())
        bench.deliver(records(0, 10))
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(running, 5)
        assert bench.lane.acknowledged_end == 0

    asyncio.run(main())


def test_a_batch_of_an_earlier_generation_is_skipped() -> None:
    """It will be delivered again, here or to the partition's new worker."""

    async def main() -> None:
        bench = Bench()
        bench.sender.gate.set()

        async def steps() -> None:
            bench.deliver(records(0, 10), stale=True)
            bench.deliver(records(0, 20))
            await soon()

        await bench.during(steps())
        assert bench.lane.acknowledged_end == 20
        assert bench.sender.entry_offsets == list(range(20))

    asyncio.run(main())


def test_records_that_the_state_has_seen_are_acknowledged_without_a_word() -> None:
    """A state ahead of the delivery skips it."""

    async def main() -> None:
        bench = Bench()
        bench.sender.gate.set()

        async def steps() -> None:
            bench.deliver(records(0, 20))
            bench.deliver(records(5, 15))
            bench.deliver(records(15, 25))
            await soon()

        await bench.during(steps())
        assert bench.sender.entry_offsets == list(range(25))
        assert bench.lane.acknowledged_end == 25

    asyncio.run(main())


def test_the_progress_names_the_dead_letters_before_it() -> None:
    """Also when the dead letters were an earlier batch's."""

    async def main() -> None:
        bench = Bench()
        bench.sender.gate.set()

        async def steps() -> None:
            bench.deliver([*records(0, 3), FakeRecord(3, POISON)])
            bench.deliver(records(4, 6))
            await soon()

        await bench.during(steps())
        assert [progress.dead_letters_next_offset for _, progress in bench.sender.said] == [0, 5]

    asyncio.run(main())


def test_a_lane_with_enough_waiting_says_that_it_is_full() -> None:
    """And that it has room again, once it takes the next."""

    async def main() -> None:
        bench = Bench()
        for start in (0, 10):
            bench.deliver(records(start, start + 10))
        assert bench.full == [False, True]
        bench.sender.gate.set()

        async def steps() -> None:
            await soon()

        await bench.during(steps())
        assert bench.full == [False, True, False, False]

    asyncio.run(main())


def test_others_have_their_turns_while_a_batch_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent and fetched goes on, and `/healthz` answers, however large the batch."""
    monkeypatch.setattr(lane, "_TURN_SECONDS", 0.0)

    async def main() -> None:
        bench = Bench()
        bench.sender.gate.set()

        async def steps() -> None:
            bench.deliver(records(0, 500))
            turns = 0
            while not bench.sender.said:
                turns += 1
                await asyncio.sleep(0)
            # Eight steps of 64 records at most.
            assert turns >= 8
            assert bench.lane.next_offset == 500

        await bench.during(steps())
        assert bench.sender.entry_offsets == list(range(500))

    asyncio.run(main())


def test_one_lane_folds_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins when the first is done, though that lets others have their turns."""
    monkeypatch.setattr(lane, "_TURN_SECONDS", 0.0)

    async def main() -> None:
        bench = Bench()
        bench.sender.gate.set()
        other = Lane(1, bench.setting, bench.full.append)
        running = asyncio.create_task(other.run())
        offsets: list[tuple[int, int]] = []

        async def steps() -> None:
            bench.deliver(records(0, 500))
            other.deliver(Delivery(records(0, 500), is_stale=lambda: False))
            while len(bench.sender.said) < 2:
                offsets.append((bench.lane.next_offset, other.next_offset))
                await asyncio.sleep(0)

        await bench.during(steps())
        other.close()
        await asyncio.wait_for(running, 30)
        # As long as one is folded, the other stays where it is, whichever begins.
        assert offsets.count((0, 0)) >= 8
        assert len([ends for ends in offsets if sorted(ends) == [0, 500]]) >= 8

    asyncio.run(main())


def test_what_comes_after_lanes_are_closed_is_left_to_others() -> None:
    """Also of a partition of which nothing came before: nobody waits for its lane, and its end is not committed."""

    async def main() -> None:
        bench = Bench()
        bench.sender.gate.set()
        lanes = bench.lanes()
        partitions: list[TP] = [TopicPartition(LOG.name, number) for number in range(2)]
        lanes.lane_of(partitions[0]).deliver(Delivery(records(0, 10), is_stale=lambda: False))
        await soon()
        await lanes.close(5)
        for partition in partitions:
            lanes.lane_of(partition).deliver(Delivery(records(0, 20), is_stale=lambda: False))
        await soon()
        assert bench.sender.entry_offsets == list(range(10))
        assert lanes.acknowledged_ends() == {partitions[0]: 10, partitions[1]: 0}
        assert lanes.tasks == {}

    asyncio.run(main())


def test_a_partition_given_away_while_its_outputs_are_sent_leaves_no_series_behind() -> None:
    """What its lane still ends tells of a position that another worker goes on from."""

    async def main() -> None:
        bench = Bench()
        lanes = bench.lanes()
        kept, given_away = (TopicPartition(LOG.name, number) for number in range(2))
        for partition in (kept, given_away):
            lanes.lane_of(partition).deliver(Delivery(records(0, 10), is_stale=lambda: False))
        await soon()
        lanes.keep_only({kept})
        bench.sender.gate.set()
        await soon()
        assert len(lanes.tasks) == 1
        told = [
            bench.registry.get_sample_value("cercles_worker_next_offset", {"partition": str(number)})
            for number in range(2)
        ]
        assert told == [10, None]
        await lanes.close(5)
        assert bench.registry.get_sample_value("cercles_worker_next_offset", {"partition": "0"}) == 10

    asyncio.run(main())


def write_log(bootstrap: str, end: int) -> None:
    """Put the campaign's story up to `end` into partition 0."""
    with closing(KafkaProducer(bootstrap_servers=bootstrap, acks="all")) as producer:
        for record in records(0, end):
            producer.send(LOG.name, key=record.key, value=record.value, partition=0)
        producer.flush()


def commit(bootstrap: str, offset: int) -> None:
    """Let the group have acknowledged partition 0 below `offset`."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, group_id=GROUP, enable_auto_commit=False)) as consumer:
        partition = TopicPartition(LOG.name, 0)
        consumer.assign([partition])
        consumer.commit({partition: OffsetAndMetadata(offset, "", -1)})


def test_alignment_is_silent_below_the_committed_offset_and_speaks_from_there_on(topics: str) -> None:
    """Records that Faust did not deliver, between the committed offset and the batch, are said all the same."""
    write_log(topics, 100)
    commit(topics, 40)

    async def main() -> None:
        bench = Bench(topics)
        bench.sender.gate.set()

        async def steps() -> None:
            bench.deliver(records(70, 100))
            await bench.until_acknowledged(100)

        await bench.during(steps())
        assert bench.sender.entry_offsets == list(range(40, 100))
        assert bench.lane.acknowledged_end == 100
        assert bench.totals_minor() == 99 * 100

    asyncio.run(main())


def test_a_state_behind_its_partition_catches_up_from_where_it_is(topics: str) -> None:
    """A partition that comes back after it was another worker's is read on, not read again."""
    write_log(topics, 100)
    commit(topics, 90)

    async def main() -> None:
        bench = Bench(topics)
        bench.sender.gate.set()

        async def steps() -> None:
            bench.deliver(records(0, 20))
            bench.deliver(records(90, 100))
            await bench.until_acknowledged(100)

        await bench.during(steps())
        assert bench.sender.entry_offsets == [*range(20), *range(90, 100)]
        assert bench.registry.get_sample_value("cercles_worker_aligned_events_total") == 70

    asyncio.run(main())


def test_what_is_never_delivered_is_read_from_the_log(topics: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust drops what it fetched while the group was formed anew; when nothing comes after it, nobody would notice."""
    monkeypatch.setattr(lane, "_UNDELIVERED_SECONDS_MAX", 0.0)
    write_log(topics, 60)
    commit(topics, 40)

    async def main() -> None:
        bench = Bench(topics)
        bench.sender.gate.set()

        async def steps() -> None:
            bench.lane.tick(60)
            await bench.until_acknowledged(60)
            bench.deliver(records(60, 70))
            await bench.until_acknowledged(70)

        await bench.during(steps())
        assert bench.sender.entry_offsets == list(range(40, 70))
        assert bench.lane.acknowledged_end == 70

    asyncio.run(main())


def test_what_is_being_delivered_is_left_to_faust() -> None:
    """A log that has more than the state is nothing unusual: only when it has been so for a while."""

    async def main() -> None:
        bench = Bench()
        bench.sender.gate.set()

        async def steps() -> None:
            bench.deliver(records(0, 10))
            await bench.until_acknowledged(10)
            bench.lane.tick(20)
            await soon()

        await bench.during(steps())
        assert bench.sender.entry_offsets == list(range(10))

    asyncio.run(main())


def test_a_log_that_does_not_hold_what_is_needed_ends_the_lane_with_instructions(topics: str) -> None:
    """Positions of another log, or a log that was cut, must not be guessed around."""
    write_log(topics, 10)

    async def main() -> None:
        bench = Bench(topics)
        running = asyncio.create_task(bench.lane.run())
        bench.deliver(records(50, 60))
        with pytest.raises(LogDoesNotFitError, match="not the log that the positions belong to"):
            await asyncio.wait_for(running, 30)
        with suppress(asyncio.CancelledError):
            running.cancel()
            await asyncio.sleep(0)

    asyncio.run(main())
