"""Folds a partition for rebuilding, piece by piece, and keeps long stories on disk."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

from msgspec import Struct

from schemas.dead_letters import DeadLetter, Headers, to_record
from schemas.topics import DEAD_LETTERS, LOG
from schemas.updates import BEFORE_EVERYTHING, Position, Update, decoder
from sinks import dead_letters
from sinks.database import Row
from sinks.records import Batch as SinkBatch
from stream_processors.ledger.batch import Batch
from stream_processors.ledger.state import PartitionState

MEMORY_BYTES_MAX: Final = 16 * 1024 * 1024
"""Most bytes of a campaign's updates that stay in memory."""

PIECE_VALUES_MAX: Final = 50
PIECE_BYTES_MAX: Final = 2 * 1024 * 1024
"""Most updates, and most bytes of them, that are decoded and written, or published, at a time."""


class _Letter(Struct, frozen=True):
    """A dead letter as a sink would read it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Piece(Struct, frozen=True):
    """What a piece of the log leads to: encoded updates, and rows of dead letters."""

    updates: list[bytes]
    letters: list[Row]


class Folding:
    """A fold of one partition from its beginning; of one campaign's events, when `only` names it."""

    def __init__(self, partition: int, partition_of: Callable[[bytes], int], only: str | None = None) -> None:
        self.partition = partition
        self.read_to = 0
        self._partition_of = partition_of
        self._only = None if only is None else only.encode()
        self._state = PartitionState()

    def fold(self, records: Iterable[Any], position: int) -> Piece:
        """Fold the next records, which reach up to `position`."""
        chosen = [record for record in records if self._only is None or record.key == self._only]
        batch = Batch(self._state, self.partition, LOG.name, self._partition_of)
        outputs = batch.fold(chosen)
        self.read_to = position
        moments = {record.offset: record.timestamp for record in chosen} if outputs.dead_letters else {}
        return Piece([value for _, value in outputs.updates], self._rows(outputs.dead_letters, moments))

    def _rows(self, letters: Sequence[DeadLetter], moments: dict[int, int]) -> list[Row]:
        """Return rows as the sink makes them. The moment of refusal is taken to be that of the event."""
        records = []
        for letter in letters:
            if letter.origin is None:
                raise TypeError("the fold names the place of what it refuses")
            key, value, headers = to_record(letter)
            records.append(_Letter(letter.origin.offset, moments[letter.origin.offset], key, value, tuple(headers)))
        return dead_letters.rows(SinkBatch(DEAD_LETTERS.name, self.partition, 0, records))


class CampaignStory:
    """A campaign's updates from its beginning, kept on disk when they are many, to be read more than once."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES_MAX)  # noqa: SIM115 (closed by __exit__)
        self.updates = 0
        self.letters: list[Row] = []
        self.position: Position = BEFORE_EVERYTHING

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, piece: Piece) -> None:
        """Let the story go on."""
        self._file.seek(0, 2)
        for value in piece.updates:
            self._file.write(value + b"\n")  # JSON has line ends only between its parts, and the encoder writes none
        self.updates += len(piece.updates)
        self.letters += piece.letters
        if piece.updates:
            self.position = decoded(piece.updates[-1]).after

    def values(self, skip: int = 0) -> Iterator[bytes]:
        """Yield the encoded updates, without the first `skip`."""
        self._file.seek(0)
        for number, line in enumerate(self._file):
            if number >= skip:
                yield line.rstrip(b"\n")


def decoded(value: bytes) -> Update:
    """Return an update of the fold's."""
    update = decoder.decode(value)
    if not isinstance(update, Update):
        raise TypeError("the fold says updates only")
    return update


def in_pieces(values: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Cut into lists of at most `PIECE_VALUES_MAX` and `PIECE_BYTES_MAX`; a larger value is alone."""
    piece: list[bytes] = []
    size_bytes = 0
    for value in values:
        if piece and (len(piece) == PIECE_VALUES_MAX or size_bytes + len(value) > PIECE_BYTES_MAX):
            yield piece
            piece, size_bytes = [], 0
        piece.append(value)
        size_bytes += len(value)
    if piece:
        yield piece
