"""The pure ledger in memory: decode, all rules, encode the updates; its floor is decoding alone."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final, NamedTuple

from benchmarks.events import SHARES, Record, captures, openings
from benchmarks.harness import Benchmark, Measurement, Row, Sizes, rate
from schemas.collector import settle
from schemas.events import Decoding
from schemas.topics import LOG
from stream_processors.ledger.batch import Batch
from stream_processors.ledger.state import PartitionState

EVENTS_DEFAULT: Final = 200_000
BATCH_EVENTS: Final = 2_000
CAMPAIGNS_DEFAULT: Final = 250
"""One partition's share of 1,000 campaigns on four."""

_PARTITION: Final = 0


class LogLine(NamedTuple):
    """A record as it stands on the log."""

    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


def lines(records: Iterator[Record], first_offset: int = 0) -> list[LogLine]:
    """Return the records with their offsets."""
    return [LogLine(offset, *record) for offset, record in enumerate(records, first_offset)]


def chunks(count: int, campaigns: int, size: int, shares: int = SHARES) -> Iterator[list[LogLine]]:
    """Yield what opens the campaigns, then the captures in lists of that size, made only when they are asked for."""
    begun = lines(openings(campaigns, shares))
    yield begun
    stream, offset = captures(count, campaigns, shares=shares), len(begun)
    while records := lines(islice(stream, size), offset):
        yield records
        offset += len(records)


def fold(state: PartitionState, records: Sequence[LogLine], batch_events: int = BATCH_EVENTS) -> int:
    """Fold records batch by batch; return the bytes of all updates."""
    said_bytes = 0
    for start in range(0, len(records), batch_events):
        batch = Batch(state, _PARTITION, LOG.name, lambda _key: _PARTITION)
        outputs = batch.fold(records[start : start + batch_events])
        if outputs.dead_letters:
            raise RuntimeError(f"the ledger refused an event: {outputs.dead_letters[0].detail}")
        said_bytes += sum(len(value) for _, value in outputs.updates)
    return said_bytes


def decode(records: Sequence[LogLine]) -> None:
    """Decode records batch by batch, and keep each batch until it is whole."""
    for start in range(0, len(records), BATCH_EVENTS):
        _ = [Decoding.log.decode(record.value) for record in records[start : start + BATCH_EVENTS]]


def timed(count: int, work: Callable[[], object]) -> Measurement:
    """Measure one piece of work in this process."""
    started, started_cpu = time.perf_counter(), time.process_time()
    work()
    return rate(count, time.perf_counter() - started, time.process_time() - started_cpu)


@contextmanager
def _prepare(sizes: Sizes) -> Iterator[Sequence[Row]]:
    campaigns = int(sizes.options.get("campaigns", CAMPAIGNS_DEFAULT))
    events = sizes.events_or(EVENTS_DEFAULT)
    begun = lines(openings(campaigns))
    records = lines(captures(events, campaigns), len(begun))
    # As a worker does when it starts; the floor is measured in the same process.
    settle()

    def ours() -> Measurement:
        state = PartitionState()
        fold(state, begun)
        return timed(events, lambda: fold(state, records))

    label = f"{events:,} captures, {campaigns:,} campaigns"
    yield [Row(label, "events/s", ours, lambda: timed(events, lambda: decode(records)), "≥ 0.1, aim 0.2")]


FOLD: Final = Benchmark("fold", "the pure ledger in memory, beside decoding alone", _prepare)
