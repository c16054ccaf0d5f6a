"""What was promised: every event that got a 202, and every record that the broker took, written down at once."""

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from schemas.events import Decoding


class Receipt(NamedTuple):
    """An accepted event: where it stands, and by which id; garbage has none, and is known by its digest."""

    partition: int
    offset: int
    event_id: str | None
    sha256: str | None = None

    @classmethod
    def of(cls, value: bytes, metadata: Any) -> "Receipt":
        """Return the receipt for a record that was written straight to the log, from what kafka-python says of it."""
        try:
            event_id = Decoding.log.decode(value).id
        except (msgspec.MsgspecError, UnicodeDecodeError):
            event_id = None
        return cls(metadata.partition, metadata.offset, event_id, hashlib.sha256(value).hexdigest())


class Receipts:
    """A file of receipts. What stands in it has been written through to the disk (fsync), as a promise must be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab")
        self._lock = threading.Lock()
        self._ends: dict[int, int] = {}
        self.count = 0

    def add(self, receipts: list[Receipt]) -> None:
        """Write receipts down; when this returns they are on disk."""
        with self._lock:
            self._file.write(b"".join(json.dumps(receipt).encode() + b"\n" for receipt in receipts))
            self._file.flush()
            os.fsync(self._file.fileno())
            self.count += len(receipts)
            for receipt in receipts:
                self._ends[receipt.partition] = max(self._ends.get(receipt.partition, 0), receipt.offset + 1)

    def ends(self) -> dict[int, int]:
        """Return the end of what has been accepted so far, for each partition that has something."""
        with self._lock:
            return dict(self._ends)

    def read(self) -> list[Receipt]:
        """Return all receipts, as they stand on disk."""
        return [Receipt(*json.loads(line)) for line in self.path.read_bytes().splitlines()]

    def close(self) -> None:
        """Write no more."""
        self._file.close()
