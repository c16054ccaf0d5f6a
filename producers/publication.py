"""Records that are written together, and where each of them came to stand."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

RETRY_AFTER_SECONDS: Final = 5


class Position(NamedTuple):
    """Where a record stands: over HTTP as `partition:offset`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Record(NamedTuple):
    """A record to be written. One without a key goes to a partition by its value, so that a repeat meets the first."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes of key, value and headers."""
        size = len(self.value) + len(self.key or b"")
        for name, content in self.headers:
            size += len(name) + len(content)
        return size


class BrokerAwayError(Exception):
    """The broker did not acknowledge the records in time. Some of them may have been written: writing again is safe."""

    retry_after_seconds: int = RETRY_AFTER_SECONDS


class TooMuchInFlightError(BrokerAwayError):
    """So much waits for the broker already that nothing more is taken. Nothing has been written."""


class Publication:
    """Records handed over together, until each has been acknowledged or dropped. It belongs to one event loop."""

    def __init__(self, records: Sequence[Record], when_settled: Callable[["Publication"], None]) -> None:
        self.records = records
        self.size_bytes = sum(record.size_bytes for record in records)
        self.began_at = time.monotonic()
        self.failed = False
        self.future: asyncio.Future[list[Position]] = asyncio.get_running_loop().create_future()
        """Done as soon as it is known how it ends, or that nobody waits any more: what is still queued is dropped."""
        self._positions: list[Position] = [Position(-1, -1)] * len(records)
        self._left = len(records)
        self._when_settled = when_settled

    def acknowledge(self, index: int, position: Position) -> None:
        """Note where the record of that number stands."""
        self._positions[index] = position
        self._settle()

    def fail(self, error: BaseException) -> None:
        """Note that one of the records was not written, or not for certain."""
        if not self.future.done():
            self.future.set_exception(BrokerAwayError(f"the broker did not take the records: {type(error).__name__}"))
        self.drop()

    def drop(self) -> None:
        """Note that one of the records is not written: how the publication ends is known already."""
        self.failed = True
        self._settle()

    def _settle(self) -> None:
        self._left -= 1
        if self._left:
            return
        self._when_settled(self)
        if not self.future.done():
            self.future.set_result(self._positions)
