"""Whether an event costs the same whatever there is of everything else.

Each row's figure is events a second of CPU time, beside the row's reference: the same with one worker, with a thousand
campaigns, with the smallest number of events. A shared machine has fewer cores than workers, so wall time says nothing.

What is folded in memory is what a worker folds of one partition of eight: an eighth of the campaigns, in batches as
large as one fetch brings where there is a backlog.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import chain, repeat
from multiprocessing import get_context
from typing import Final

from benchmarks.events import CAMPAIGNS_DEFAULT, captures, openings
from benchmarks.fold import chunks, fold
from benchmarks.harness import Benchmark, Measurement, Row, Sizes
from benchmarks.log import fill_log
from benchmarks.servers import make_topics, running_kafka
from benchmarks.workers import running_workers, steady, watch
from schemas.collector import settle
from stream_processors.ledger.state import PartitionState

EVENTS_DEFAULT: Final = 1_500_000
"""Of the workers: so many that the time in which they share out the partitions is little of the whole."""
PARTITIONS: Final = 8
WORKERS_DEFAULT: Final = "2,4"
CAMPAIGNS_TRIED: Final = "1,100,10000,100000,1000000"
EVENTS_TRIED: Final = "1000000"
EVENTS_REFERENCE: Final = 100_000
SHARES: Final = 2
"""Links of each campaign: with twenty, opening a million campaigns would be most of the work."""
BATCH_EVENTS: Final = 10_000
"""What a worker takes of a partition at a time, behind a backlog (docs/capacity.md)."""

_groups = itertools.count(1)


def _numbers(sizes: Sizes, key: str, default: str) -> list[int]:
    return [int(number) for number in sizes.options.get(key, default).split(",") if number]


def _per_cpu_second(measured: Measurement) -> Measurement:
    if measured.cpu_us is None:
        raise ValueError("CPU time was not measured")
    return Measurement(1e6 / measured.cpu_us, measured.cpu_us, {"wall_rate": measured.value})


def _workers(bootstrap: str, total: int, count: int) -> Callable[[], Measurement]:
    def run() -> Measurement:
        with running_workers(bootstrap, f"scaling-{next(_groups)}", count) as workers:
            return _per_cpu_second(steady(watch(workers, total)))

    return run


def _cpu_seconds(events: int, campaigns: int) -> float:
    """Fold one partition's share of the campaigns in memory; return the CPU seconds, without the making of events."""
    of_partition = max(1, campaigns // PARTITIONS)
    state, stream = PartitionState(), chunks(events, of_partition, BATCH_EVENTS, SHARES)
    fold(state, next(stream))
    seconds = 0.0
    for records in stream:
        started = time.process_time()
        fold(state, records, BATCH_EVENTS)
        seconds += time.process_time() - started
    return seconds


def _folded(events: int, campaigns: int, processes: int = 1) -> Callable[[], Measurement]:
    """Fold in memory, in as many processes at once, which have nothing in common but the machine."""

    def run() -> Measurement:
        with ProcessPoolExecutor(processes, get_context("spawn"), settle) as pool:
            seconds = sum(pool.map(_cpu_seconds, repeat(events, processes), repeat(campaigns, processes)))
        return Measurement(processes * events / seconds, seconds / events / processes * 1e6)

    return run


@contextmanager
def _prepare(sizes: Sizes) -> Iterator[Sequence[Row]]:
    events = sizes.events_or(EVENTS_DEFAULT)
    unit = "events a CPU second"
    flat = "0.8 to 1.25"
    share = f"one partition's of {PARTITIONS} in batches of {BATCH_EVENTS:,}"
    rows = [
        Row(
            f"{campaigns:,} campaigns, beside {CAMPAIGNS_DEFAULT:,}, {share}; {EVENTS_REFERENCE:,} events",
            unit,
            _folded(EVENTS_REFERENCE, campaigns),
            _folded(EVENTS_REFERENCE, CAMPAIGNS_DEFAULT),
            flat,
            warm_up=False,
        )
        for campaigns in _numbers(sizes, "campaigns", CAMPAIGNS_TRIED)
    ]
    rows += [
        Row(
            f"{many:,} events, beside {EVENTS_REFERENCE:,}; {CAMPAIGNS_DEFAULT:,} campaigns, {share}",
            unit,
            _folded(many, CAMPAIGNS_DEFAULT),
            _folded(EVENTS_REFERENCE, CAMPAIGNS_DEFAULT),
            flat,
            warm_up=False,
        )
        for many in _numbers(sizes, "events", EVENTS_TRIED)
    ]
    rows += [
        Row(
            f"{count} processes that fold in memory, beside 1: what the machine has for each",
            unit,
            _folded(EVENTS_REFERENCE, CAMPAIGNS_DEFAULT, count),
            _folded(EVENTS_REFERENCE, CAMPAIGNS_DEFAULT),
            "",
            warm_up=False,
        )
        for count in _numbers(sizes, "workers", WORKERS_DEFAULT)
    ]
    with running_kafka() as kafka:
        make_topics(kafka.bootstrap_servers, PARTITIONS)
        total = fill_log(
            kafka.bootstrap_servers, chain(openings(CAMPAIGNS_DEFAULT), captures(events, CAMPAIGNS_DEFAULT))
        )
        rows += [
            Row(
                f"{count} workers, beside 1; {PARTITIONS} partitions, {total:,} events",
                unit,
                _workers(kafka.bootstrap_servers, total, count),
                _workers(kafka.bootstrap_servers, total, 1),
                flat,
                warm_up=False,
            )
            for count in _numbers(sizes, "workers", WORKERS_DEFAULT)
        ]
        yield rows


SCALING: Final = Benchmark("scaling", "what an event costs with more workers, campaigns and events", _prepare)
