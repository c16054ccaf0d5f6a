"""A fold of one partition of its own, that stops where the database stands."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from schemas.dead_letters import DeadLetter
from schemas.topics import LOG
from schemas.updates import Entry, Milestone, Position, Update, decoder
from stream_processors.ledger.batch import Batch
from stream_processors.ledger.state import PartitionState

LinePlace = tuple[int, int]
"""Offset and number of an entry or milestone."""


class Said(Struct, frozen=True, kw_only=True):
    """What the fold says of the events from offset `start` up to `end`."""

    start: int
    end: int
    events: int
    entries: dict[LinePlace, tuple[str, Entry]]
    milestones: dict[LinePlace, tuple[str, Milestone]]
    refused: dict[int, DeadLetter]


class Refold:
    """Folds a partition for comparison.

    Below `settled` every event is folded, for the database says that it has them all. Above, a campaign's events are
    folded only as far as the database has this campaign (`targets`), so that in the end each campaign stands where its
    rows do. `only`: the one campaign to fold.
    """

    def __init__(
        self,
        partition: int,
        partition_of: Callable[[bytes], int],
        targets: Mapping[str, Position],
        settled: int,
        only: str | None = None,
    ) -> None:
        self.state = PartitionState()
        self._partition = partition
        self._partition_of = partition_of
        self._targets = {campaign_id.encode(): position.offset for campaign_id, position in targets.items()}
        self._settled = settled
        self._only = None if only is None else only.encode()
        self._read_to = 0

    @property
    def end(self) -> int:
        """The offset up to which the log must be read."""
        return max(self._settled, 1 + max(self._targets.values(), default=-1))

    def fold(self, records: Sequence[Any], end: int, stops: Sequence[int]) -> Iterator[Said]:
        """Fold records that reach up to `end`, and say what came of them, in pieces that end at each of `stops`."""
        start = self._read_to
        for stop in sorted({*(stop for stop in stops if start < stop < end), end}):
            piece = [record for record in records if start <= record.offset < stop and self._wants(record)]
            yield self._fold(piece, start, stop)
            start = self._read_to = stop

    def _wants(self, record: Any) -> bool:
        if self._only is not None and record.key != self._only:
            return False
        return bool(record.offset < self._settled or record.offset <= self._targets.get(record.key, -1))

    def _fold(self, records: Sequence[Any], start: int, end: int) -> Said:
        batch = Batch(self.state, self._partition, LOG.name, self._partition_of)
        outputs = batch.fold(records)
        entries: dict[LinePlace, tuple[str, Entry]] = {}
        milestones: dict[LinePlace, tuple[str, Milestone]] = {}
        for _, value in outputs.updates:
            update = decoder.decode(value)
            if not isinstance(update, Update):
                raise TypeError("the fold says updates only")
            for entry in update.entries:
                entries[entry.offset, entry.number] = (update.campaign_id, entry)
            for milestone in update.milestones:
                milestones[milestone.offset, milestone.number] = (update.campaign_id, milestone)
        refused = {letter.origin.offset: letter for letter in outputs.dead_letters if letter.origin is not None}
        return Said(
            start=start,
            end=end,
            events=outputs.events,
            entries=entries,
            milestones=milestones,
            refused={offset: letter for offset, letter in refused.items() if offset < self._settled},
        )
