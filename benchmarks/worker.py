"""A worker process on a real log, all rules on, every output awaited; its floor reads, decodes and adds."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Final

from benchmarks.events import CAMPAIGNS_DEFAULT, captures, openings
from benchmarks.harness import Benchmark, Measurement, Row, Sizes, rate
from benchmarks.log import fill_log
from benchmarks.servers import make_topics, running_kafka
from benchmarks.workers import running_workers, steady, watch

EVENTS_DEFAULT: Final = 400_000
PARTITIONS: Final = 4

_groups = itertools.count(1)


def measure_worker(bootstrap: str, total: int, count: int = 1) -> Measurement:
    """Let a new group fold the whole log."""
    with running_workers(bootstrap, f"benchmark-{next(_groups)}", count) as workers:
        return steady(watch(workers, total))


def measure_floor(bootstrap: str, partitions: int) -> Measurement:
    """Let the floor read the whole log, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.floor", bootstrap, str(partitions)]
    said = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return rate(said["count"], said["seconds"], said["cpu_seconds"])


@contextmanager
def _prepare(sizes: Sizes) -> Iterator[Sequence[Row]]:
    campaigns = int(sizes.options.get("campaigns", CAMPAIGNS_DEFAULT))
    events = sizes.events_or(EVENTS_DEFAULT)
    with running_kafka() as kafka:
        bootstrap = kafka.bootstrap_servers
        make_topics(bootstrap, PARTITIONS)
        total = fill_log(bootstrap, chain(openings(campaigns), captures(events, campaigns)))
        yield [
            Row(
                f"{total:,} events, {campaigns:,} campaigns, {PARTITIONS} partitions",
                "events/s",
                lambda: measure_worker(bootstrap, total),
                lambda: measure_floor(bootstrap, PARTITIONS),
                "≥ 0.3, aim 0.45",
            )
        ]


WORKER: Final = Benchmark("worker", "a worker on a real log, beside reading, decoding and adding", _prepare)
