"""Records that are written together, and where each of them came to stand."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final, NamedTuple

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
        headers = sum(len(name) + len(content) for name, content in self.headers)
        return len(self.value) + len(self.key or b"") + headers


class BrokerAwayError(Exception):
    """The broker did not acknowledge the records in time. Some of them may have been written: writing again is safe."""

    retry_after_seconds: int = RETRY_AFTER_SECONDS


class TooMuchInFlightError(BrokerAwayError):
    """So much waits for the broker already that nothing more is taken. Nothing has been written."""


class Publication:
    """Records handed over together, until each has been acknowledged or has failed."""

    def __init__(
        self,
        records: Sequence[Record],
        when_done: Callable[["Publication"], None],
        when_failed: Callable[["Publication", BaseException], None],
    ) -> None:
        self.records = records
        self.size_bytes = sum(record.size_bytes for record in records)
        self.began_at = time.monotonic()
        self.failed = False
        self.abandoned = False
        self.future: Future[list[Position]] = Future()
        self.future.set_running_or_notify_cancel()
        self._positions: list[Position] = [Position(-1, -1)] * len(records)
        self._left = len(records)
        self._lock = threading.Lock()  # the lane and the sender's thread both report
        self._when_done = when_done
        self._when_failed = when_failed

    def acknowledge(self, index: int, metadata: Any) -> None:
        if metadata.offset < 0:
            # The broker had it already and no longer knows where.
            self.fail(LookupError("the broker did not say where the record stands"))
            return
        self._positions[index] = Position(metadata.partition, metadata.offset)
        self._settle(1)

    def fail(self, error: BaseException) -> None:
        self._settle(1, error)

    def fail_from(self, index: int, error: BaseException) -> None:
        self._settle(len(self.records) - index, error)

    def _settle(self, records: int, error: BaseException | None = None) -> None:
        with self._lock:
            self._left -= records
            done = self._left == 0
            first_failure = error is not None and not self.failed
            self.failed = self.failed or first_failure
        if done:
            self._when_done(self)
        if first_failure and error is not None:
            self._when_failed(self, error)
            self.future.set_exception(BrokerAwayError(f"the broker did not take the records: {type(error).__name__}"))
        elif done and not self.failed:
            self.future.set_result(self._positions)
