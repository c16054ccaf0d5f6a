"""Checkpoints: a partition's state in a local file, so that a restart need not fold the log from its beginning.

They only save time: deleting them all loses nothing, and one that is damaged, of another fold version, form or log
is left aside. A checkpoint holds acknowledged positions only, so a state made from it has nothing left unsaid.
"""

import hashlib
import os
import tempfile
import time
import zlib
from pathlib import Path
from typing import Final, Literal

import msgspec
import structlog
from msgspec import Struct

from schemas.failure_points import reach
from stream_processors.ledger.batch import FOLD_VERSION
from stream_processors.ledger.snapshot import FORM, restore, save
from stream_processors.ledger.state import Campaign, PartitionState

_MAGIC: Final = b"cercles checkpoint 1\n"
_COMPRESSION_LEVEL: Final = 1
"""Fast; the file is two to three times smaller than MessagePack alone."""

IgnoredReason = Literal["damaged", "other_fold", "other_log"]

_log = structlog.get_logger()


class _Header(Struct, array_like=True):
    partition: int
    next_offset: int
    dead_letters_next_offset: int
    fold_version: str
    log_id: str
    body_bytes: int
    body_sha256: bytes


def _version() -> str:
    """Return what a checkpoint must be of: the rules that led to the state, and the form in which it is written."""
    return f"{FOLD_VERSION}+form.{FORM}"


_decode_header = msgspec.msgpack.Decoder(_Header).decode
_decode_body = msgspec.msgpack.Decoder(list[bytes]).decode


class Checkpoint(Struct, frozen=True):
    """What a partition had come to: everything below `next_offset` was acknowledged."""

    next_offset: int
    dead_letters_next_offset: int
    campaigns: list[bytes]
    """Each campaign as `stream_processors.ledger.snapshot.save` gives it."""

    def restored(self, number: int) -> Campaign:
        """Return the campaign of that number. Raises msgspec.MsgspecError for what this version has not written."""
        return restore(self.campaigns[number])


class CheckpointDirectory:
    """The checkpoints of one log, a file for each partition. Several workers may share a directory."""

    def __init__(self, directory: Path, log_id: str) -> None:
        self._directory = directory
        self._log_id = log_id

    def path(self, partition: int) -> Path:
        """Return where the partition's checkpoint stands, if there is one."""
        return self._directory / f"partition-{partition}.checkpoint"

    def write(self, partition: int, checkpoint: Checkpoint) -> int:
        """Put a checkpoint in place of the one before, whole or not at all; return its bytes.

        Raises OSError when the disk does not take it.
        """
        body = zlib.compress(msgspec.msgpack.encode(checkpoint.campaigns), _COMPRESSION_LEVEL)
        header = msgspec.msgpack.encode(
            _Header(
                partition,
                checkpoint.next_offset,
                checkpoint.dead_letters_next_offset,
                _version(),
                self._log_id,
                len(body),
                hashlib.sha256(body).digest(),
            )
        )
        self._directory.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._directory, prefix=f"partition-{partition}.", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_MAGIC + len(header).to_bytes(4, "big") + header)
                # The header has a checksum of its own: damage to it must not pass for another version.
                file.write(hashlib.sha256(header).digest())
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            reach("worker.checkpoint_written")
            Path(name).replace(self.path(partition))
            reach("worker.checkpoint_in_place")
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return len(header) + len(body)

    def read(self, partition: int) -> Checkpoint | IgnoredReason | None:
        """Return the partition's checkpoint, why it is left aside, or None if there is none."""
        try:
            content = self.path(partition).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("checkpoint_unreadable", partition=partition, reason=str(error))
            return "damaged"
        found = self._parse(partition, content)
        if isinstance(found, str):
            _log.warning("checkpoint_left_aside", partition=partition, reason=found, path=str(self.path(partition)))
        return found

    def _parse(self, partition: int, content: bytes) -> Checkpoint | IgnoredReason:
        start = len(_MAGIC) + 4
        header_end = start + int.from_bytes(content[len(_MAGIC) : start], "big")
        header_bytes, digest = content[start:header_end], content[header_end : header_end + 32]
        if not content.startswith(_MAGIC) or hashlib.sha256(header_bytes).digest() != digest:
            return "damaged"
        header = _decode_header(header_bytes)
        body = content[header_end + 32 :]
        if header.fold_version != _version():
            return "other_fold"
        if header.log_id != self._log_id:
            return "other_log"
        if header.partition != partition or hashlib.sha256(body).digest() != header.body_sha256:
            return "damaged"
        return Checkpoint(header.next_offset, header.dead_letters_next_offset, _decode_body(zlib.decompress(body)))


class Snapshot:
    """Takes a consistent picture of a partition's state while the partition goes on.

    The picture is of the moment it was begun. Before a campaign is changed for the first time since, it is saved as it
    was; the others are saved a few at a time.
    """

    def __init__(self, state: PartitionState) -> None:
        self.next_offset = state.next_offset
        self._pending = dict(state.campaigns)
        self._saved: list[bytes] = []

    @property
    def complete(self) -> bool:
        """Whether every campaign is saved."""
        return not self._pending

    @property
    def campaigns(self) -> list[bytes]:
        """The campaigns saved so far."""
        return self._saved

    def before_change(self, campaign_id: str) -> None:
        """Save the campaign as it was, if that has not been done."""
        campaign = self._pending.pop(campaign_id, None)
        if campaign is not None:
            self._saved.append(save(campaign))

    def go_on(self, seconds: float) -> None:
        """Save further campaigns, at least one, for about that long."""
        until = time.perf_counter() + seconds
        while self._pending:
            _, campaign = self._pending.popitem()
            self._saved.append(save(campaign))
            if time.perf_counter() > until:
                return
