"""What a worker says of the benchmarks' events, put on a real `cercles.campaign-updates`."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice, repeat
from typing import Final

import msgspec
from kafka import KafkaProducer

from benchmarks.events import Record, captures, openings
from benchmarks.fold import lines
from schemas.topics import LOG, UPDATES
from schemas.updates import Progress, encoder
from stream_processors.ledger.batch import FOLD_VERSION, Batch
from stream_processors.ledger.state import PartitionState

PARTITIONS: Final = 4
BATCH_EVENTS: Final = 10_000
"""A worker that has a log to catch up with takes as many events of a partition at a time: what a fetch brings of it."""

_LOG_ID: Final = "11111111-1111-1111-1111-111111111111"
_FLUSH_SECONDS_MAX: Final = 120


class _Entries(msgspec.Struct, gc=False, frozen=True):
    """Of an update only this."""

    entries: list[msgspec.Raw]


_entries_of: Final = msgspec.json.Decoder(_Entries).decode


class Backlog:
    """Updates that stand on the topic, and how many entries stand below each offset of it."""

    def __init__(self) -> None:
        self.records = 0
        self.entries = 0
        self._entries_below: list[list[int]] = [[0] for _ in range(PARTITIONS)]

    def add(self, partition: int, entries: int) -> None:
        """Note a further record of the partition."""
        below = self._entries_below[partition]
        below.append(below[-1] + entries)
        self.records += 1
        self.entries += entries

    def entries_below(self, partition: int, offset: int) -> int:
        """Return how many entries the partition's records below the offset hold."""
        return self._entries_below[partition][offset]


def say(bootstrap: str, events: int, campaigns: int) -> Backlog:
    """Fold as many events and append what a worker would say of them, partition by partition."""
    backlog = Backlog()
    with closing(
        KafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=20, batch_size=512 * 1024
        )
    ) as producer:
        for partition, records in enumerate(shared_out(events, campaigns, PARTITIONS)):
            for key, value, entries in said(partition, records, repeat(BATCH_EVENTS)):
                producer.send(UPDATES.name, value, key=key, partition=partition)
                backlog.add(partition, entries)
        producer.flush(_FLUSH_SECONDS_MAX)
    return backlog


def shared_out(events: int, campaigns: int, partitions: int) -> list[list[Record]]:
    """Return launches, links and as many captures, partition by partition."""
    partition_of: dict[bytes, int] = {}
    shares: list[list[Record]] = [[] for _ in range(partitions)]
    for record in openings(campaigns):
        shares[partition_of.setdefault(record.key, len(partition_of) % partitions)].append(record)
    for record in captures(events, campaigns):
        shares[partition_of[record.key]].append(record)
    return shares


def said(
    partition: int, records: list[Record], batch_events: Iterator[int]
) -> Iterator[tuple[bytes | None, bytes, int]]:
    """Yield what a worker says of the partition's records, in batches of these sizes: key, value, entries in it."""
    state = PartitionState()
    waiting = iter(lines(iter(records)))
    while taken := list(islice(waiting, next(batch_events))):
        batch = Batch(state, partition, LOG.name, lambda _: partition)
        outputs = batch.fold(taken)
        if outputs.dead_letters:
            raise RuntimeError(f"the ledger refused an event: {outputs.dead_letters[0].detail}")
        for key, value in outputs.updates:
            yield key, value, len(_entries_of(value).entries)
        progress = Progress(
            partition=partition,
            next_offset=state.next_offset,
            dead_letters_next_offset=0,
            fold_version=FOLD_VERSION,
            log_id=_LOG_ID,
        )
        yield None, encoder.encode(progress), 0
