"""A log in memory, with the manners of the real publisher."""

import asyncio
import threading
import zlib
from collections import Counter
from collections.abc import Sequence

from producers.publishing import BrokerAwayError, Position, Record

PARTITIONS = 4
HELD_SECONDS_MAX = 10.0


class FakeLog:
    """Keeps what is published. `away` makes it refuse; while `held` is not set, it waits."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.away = False
        self.fault: Exception | None = None
        self.held = threading.Event()
        self.held.set()
        self._ends: Counter[tuple[str, int]] = Counter()

    async def publish(self, records: Sequence[Record]) -> list[Position]:
        """Append the records, or raise BrokerAwayError."""
        if self.fault is not None:
            raise self.fault
        if self.away:
            raise BrokerAwayError("the broker is away")
        if not self.held.is_set():
            await asyncio.to_thread(self.held.wait, HELD_SECONDS_MAX)
        return [self._append(record) for record in records]

    def not_ready(self) -> str | None:
        """Tell whether it is away."""
        return "the broker is away" if self.away else None

    def reset(self) -> None:
        """Forget everything but how far the partitions have come."""
        self.records.clear()
        self.away, self.fault = False, None
        self.held.set()

    def _append(self, record: Record) -> Position:
        partition = zlib.crc32(record.value if record.key is None else record.key) % PARTITIONS
        offset = self._ends[record.topic, partition]
        self._ends[record.topic, partition] += 1
        self.records.append(record)
        return Position(partition, offset)
