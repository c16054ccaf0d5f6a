"""Checkpoints save time and nothing else."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_processors.ledger.batch import Batch
from stream_processors.ledger.fold import apply
from stream_processors.ledger.snapshot import restore, save
from stream_processors.ledger.state import PartitionState
from stream_processors.shell import checkpoints
from stream_processors.shell.checkpoints import Checkpoint, CheckpointDirectory, Snapshot
from tests.ledger.comparison import view
from tests.ledger.strategies import Story, retellings, stories
from tests.worker.test_batch import FILM, capture, fold, launch
from tests.worker.test_lane import Bench, FakeRecord, records, write_log

FOUND = Checkpoint(next_offset=100, dead_letters_next_offset=3, campaigns=[b"one", b"two"])


@given(data=st.data(), story=stories())
@settings(max_examples=60, deadline=None)
def test_a_campaign_goes_on_after_a_restore_as_it_would_have(data: st.DataObject, story: Story) -> None:
    """Saved and restored anywhere in its story: every further entry, milestone, refusal and total is the same."""
    events = [story.launch, *data.draw(retellings(story))]
    cut = data.draw(st.integers(1, len(events)))
    state, other = PartitionState(), PartitionState()
    for offset, event in enumerate(events[:cut]):
        apply(state, event, offset)
    for campaign_id, campaign in state.campaigns.items():
        other.campaigns[campaign_id] = restore(save(campaign))
    for offset, event in enumerate(events[cut:], cut):
        one, two = apply(state, event, offset), apply(other, event, offset)
        assert (one.entries, one.milestones) == (two.entries, two.milestones)
        assert (one.refusal is None) == (two.refusal is None)
    for campaign_id, campaign in state.campaigns.items():
        assert view(other.campaigns[campaign_id]) == view(campaign)
        assert save(other.campaigns[campaign_id]) == save(campaign)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """And there is one file for each partition, replaced each time."""
    directory = CheckpointDirectory(tmp_path / "new", "log")
    assert directory.read(0) is None
    directory.write(0, Checkpoint(50, 0, []))
    directory.write(0, FOUND)
    assert directory.read(0) == FOUND
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["partition-0.checkpoint"]


def test_any_damaged_byte_leaves_it_aside(tmp_path: Path) -> None:
    """So does any end that is missing: the state is then folded from the log."""
    directory = CheckpointDirectory(tmp_path, "log")
    directory.write(0, FOUND)
    path = directory.path(0)
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        assert directory.read(0) == "damaged", position
        path.write_bytes(whole[:position])
        assert directory.read(0) == "damaged", position


def test_a_checkpoint_of_another_log_is_left_aside(tmp_path: Path) -> None:
    """Its positions are not positions of this log."""
    CheckpointDirectory(tmp_path, "old log").write(0, FOUND)
    assert CheckpointDirectory(tmp_path, "log").read(0) == "other_log"


@pytest.mark.parametrize(("name", "before"), [("FOLD_VERSION", "0+tzdata.2020a"), ("FORM", 1)])
def test_a_checkpoint_of_another_fold_is_left_aside(
    name: str, before: str | int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rules, or the form in which it was written, are not these."""
    with monkeypatch.context() as earlier:
        earlier.setattr(checkpoints, name, before)
        CheckpointDirectory(tmp_path, "log").write(0, FOUND)
    assert CheckpointDirectory(tmp_path, "log").read(0) == "other_fold"


def test_a_checkpoint_of_another_partition_is_left_aside(tmp_path: Path) -> None:
    """A file that was copied to the wrong name."""
    directory = CheckpointDirectory(tmp_path, "log")
    directory.write(0, FOUND)
    directory.path(0).rename(directory.path(1))
    assert directory.read(1) == "damaged"


def test_a_snapshot_is_of_one_moment_though_the_partition_goes_on() -> None:
    """A campaign is saved as it was before it changes; one that came later is not in it."""
    state = PartitionState()
    fold(state, launch(), capture(1))
    wanted = save(state.campaigns[FILM])
    snapshot = Snapshot(state)
    batch = Batch(state, 0, "log", lambda _: 0, snapshot.before_change)
    batch.fold([FakeRecord(2 + number, capture(2 + number), FILM.encode()) for number in range(3)])
    fold(state, launch(campaign_id="later"), key="later")
    while not snapshot.complete:
        snapshot.go_on(0)
    assert snapshot.next_offset == 2
    assert snapshot.campaigns == [wanted]


def test_a_lane_restores_its_checkpoint_and_reads_only_what_came_after(topics: str, tmp_path: Path) -> None:
    """The second lane folds 10 events of the log instead of 90, and comes to the same totals."""
    write_log(topics, 100)
    directory = CheckpointDirectory(tmp_path, "log")

    async def main() -> None:
        first = Bench(topics, checkpoints=directory)
        first.sender.gate.set()

        async def write() -> None:
            first.deliver(records(0, 80))
            await first.until_acknowledged(80)
            while directory.read(0) is None:
                first.lane.tick(0)
                await asyncio.sleep(0.01)

        await first.during(write())
        second = Bench(topics, checkpoints=directory)
        second.sender.gate.set()

        async def go_on() -> None:
            second.deliver(records(90, 100))
            await second.until_acknowledged(100)

        await second.during(go_on())
        assert second.registry.get_sample_value("cercles_worker_aligned_events_total") == 10
        assert second.totals_minor() == 99 * 100

    asyncio.run(main())


def test_a_checkpoint_is_not_written_before_its_outputs_are_acknowledged(tmp_path: Path) -> None:
    """A state restored from it would otherwise never say what the broker had not taken."""
    directory = CheckpointDirectory(tmp_path, "log")

    async def main() -> None:
        bench = Bench(checkpoints=directory)

        async def steps() -> None:
            bench.deliver(records(0, 10))
            for _ in range(50):
                bench.lane.tick(0)
                await asyncio.sleep(0.002)
            assert directory.read(0) is None
            bench.sender.gate.set()
            await bench.until_acknowledged(10)
            while directory.read(0) is None:
                bench.lane.tick(0)
                await asyncio.sleep(0.01)

        await bench.during(steps())

    asyncio.run(main())


def test_a_disk_that_does_not_take_it_costs_no_event(tmp_path: Path) -> None:
    """It is counted and said; the partition goes on."""
    (tmp_path / "file").write_text("not a directory")
    directory = CheckpointDirectory(tmp_path / "file" / "below", "log")

    async def main() -> None:
        bench = Bench(checkpoints=directory)
        bench.sender.gate.set()

        async def steps() -> None:
            # Nothing is there to restore: reading fails as well, and is survived.
            bench.deliver(records(0, 10))
            await bench.until_acknowledged(10)
            while not bench.registry.get_sample_value("cercles_worker_checkpoints_failed_total"):
                bench.lane.tick(0)
                await asyncio.sleep(0.01)
            bench.deliver(records(10, 20))
            await bench.until_acknowledged(20)

        await bench.during(steps())

    asyncio.run(main())
