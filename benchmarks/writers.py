"""Live writers: what sinks do to a database while others read it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from typing import Final, NamedTuple

from sqlalchemy import Engine

from benchmarks.events import SHARES
from benchmarks.updates import said, shared_out
from schemas.topics import UPDATES
from sinks import positions
from sinks.apply import apply
from sinks.database import writing_engine
from sinks.positions import TopicPartition
from sinks.process import transactions
from sinks.records import Batch, Record
from sinks.settings import SinkSettings

WRITERS: Final = 5
EVENTS_PER_TRANSACTION: Final = 20
TRANSACTIONS_PER_SECOND: Final = 5
"""Of each writer: together they bring 500 events a second."""

_TOPIC_IDS: Final = {UPDATES.name: "of-a-benchmark"}
_RECORDS_MAX: Final = int(SinkSettings.model_fields["transaction_records_max"].default)
_BYTES_MAX: Final = int(SinkSettings.model_fields["transaction_bytes_max"].default)
_STOP_SECONDS_MAX: Final = 10


class _Said(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


class Writers:
    """Writers of a database in which the campaigns are launched already, each with a partition of its own."""

    def __init__(self, url: str, events: int, campaigns: int) -> None:
        """Launch the campaigns; `events` is how many captures there are to bring in all."""
        self._engines: list[Engine] = []
        self._live: list[list[_Said]] = []
        self._failures: list[BaseException] = []
        self._stop = threading.Event()
        for partition, records in enumerate(shared_out(events, campaigns, WRITERS)):
            openings = (1 + SHARES) * len({record.key for record in records})
            spoken = said(partition, records, chain([openings], repeat(EVENTS_PER_TRANSACTION)))
            lines = [_Said(offset, key, value) for offset, (key, value, _) in enumerate(spoken)]
            opening = 1 + next(line.offset for line in lines if line.key is None)
            self._engines.append(writing_engine(url))
            place = TopicPartition(UPDATES.name, partition)
            for taken in transactions({place: lines[:opening]}, _RECORDS_MAX, _BYTES_MAX):
                self._apply(partition, taken[place])
            self._live.append(lines[opening:])

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write for the length of the block, from where the block before ended.

        Raises RuntimeError when a writer has failed or has run out of events.
        """
        self._stop.clear()
        threads = [threading.Thread(target=self._write, args=(partition,)) for partition in range(WRITERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(_STOP_SECONDS_MAX)
        if self._failures:
            raise RuntimeError("a writer has failed") from self._failures[0]

    def close(self) -> None:
        """Disconnect."""
        for engine in self._engines:
            engine.dispose()

    def _write(self, partition: int) -> None:
        live = self._live[partition]
        try:
            while not self._stop.wait(1 / TRANSACTIONS_PER_SECOND):
                # A batch ends with its progress, which has no key.
                end = next(number for number, line in enumerate(live) if line.key is None) + 1
                self._apply(partition, live[:end])
                del live[:end]
        except BaseException as error:  # noqa: BLE001 - it ends the thread, and the benchmark
            self._failures.append(error)

    def _apply(self, partition: int, lines: Sequence[Record]) -> None:
        place = TopicPartition(UPDATES.name, partition)
        position = positions.read(self._engines[partition], [place], _TOPIC_IDS)[place]
        outcome = apply(self._engines[partition], Batch(place.topic, partition, position, lines))
        if outcome.gaps:
            raise RuntimeError("an update did not continue from its rows")
