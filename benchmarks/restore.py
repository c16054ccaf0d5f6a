"""How fast a restart is: silently over the log beside folding it live, and from a checkpoint."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.events import CAMPAIGNS_DEFAULT, captures, openings
from benchmarks.fold import BATCH_EVENTS, chunks, fold
from benchmarks.harness import Benchmark, Measurement, Row, Sizes, rate
from benchmarks.log import fill_log
from benchmarks.servers import make_topics, running_kafka
from benchmarks.workers import aligned, running_workers, steady, watch
from schemas.collector import settle
from stream_processors.ledger.state import PartitionState
from stream_processors.shell.checkpoints import Checkpoint, CheckpointDirectory, Snapshot

EVENTS_DEFAULT: Final = 400_000
PLEDGES_DEFAULT: Final = 1_000_000
PARTITIONS: Final = 4

_LOG_ID: Final = "the log of the benchmark"
_groups = itertools.count(1)


def _fold_live(bootstrap: str, total: int, group: str | None = None) -> Measurement:
    with running_workers(bootstrap, group or f"live-{next(_groups)}", 1) as workers:
        return steady(watch(workers, total))


def _align(bootstrap: str, total: int, group: str) -> Measurement:
    """Start a worker without checkpoints in a group that has acknowledged the whole log."""
    with running_workers(bootstrap, group, 1) as workers:
        return steady(watch(workers, total, aligned))


def written(directory: Path, pledges: int, campaigns: int) -> tuple[CheckpointDirectory, int]:
    """Write the checkpoint of a partition with that many pledges; return where, and the bytes that it takes."""
    state = PartitionState()
    for records in chunks(pledges, campaigns, BATCH_EVENTS):
        fold(state, records)
    snapshot = Snapshot(state)
    while not snapshot.complete:
        snapshot.go_on(1.0)
    checkpoints = CheckpointDirectory(directory, _LOG_ID)
    return checkpoints, checkpoints.write(0, Checkpoint(snapshot.next_offset, 0, snapshot.campaigns))


def _restorer(checkpoints: CheckpointDirectory, size_bytes: int) -> Callable[[], Measurement]:
    def restore() -> Measurement:
        started, started_cpu = time.perf_counter(), time.process_time()
        found = checkpoints.read(0)
        if not isinstance(found, Checkpoint):
            raise TypeError(f"the checkpoint just written is {found}")
        campaigns = [found.restored(number) for number in range(len(found.campaigns))]
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
        pledges = sum(len(campaign.pledges) for campaign in campaigns)
        return rate(pledges, seconds, cpu_seconds, whole_s=seconds, file_mb=size_bytes / 1e6)

    return restore


@contextmanager
def _prepare(sizes: Sizes) -> Iterator[Sequence[Row]]:
    campaigns = int(sizes.options.get("campaigns", CAMPAIGNS_DEFAULT))
    pledges = int(sizes.options.get("pledges", PLEDGES_DEFAULT))
    events = sizes.events_or(EVENTS_DEFAULT)
    with running_kafka() as kafka, TemporaryDirectory(prefix="cercles-benchmark-checkpoint-") as directory:
        bootstrap = kafka.bootstrap_servers
        make_topics(bootstrap, PARTITIONS)
        total = fill_log(bootstrap, chain(openings(campaigns), captures(events, campaigns)))
        _fold_live(bootstrap, total, "restored")
        settle()
        checkpoint = written(Path(directory), pledges, campaigns)
        yield [
            Row(
                f"{total:,} events from the log, silently, beside live",
                "events/s",
                lambda: _align(bootstrap, total, "restored"),
                lambda: _fold_live(bootstrap, total),
                "≥ 1.2",
            ),
            Row(
                f"{pledges:,} captures from a checkpoint",
                "pledges/s",
                _restorer(*checkpoint),
                reach="≥ Kafka Streams' restore (peers)",
            ),
        ]


RESTORE: Final = Benchmark("restore", "a restart: the log again, silently, and a checkpoint", _prepare)
