"""A partition of records, folded a batch at a time: what the worker would send."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from schemas.events import LogEvent, encode
from schemas.updates import Update, decoder
from stream_processors.ledger.batch import Batch, Outputs
from stream_processors.ledger.state import PartitionState
from tests.ledger.events import CAMPAIGN


@dataclass(frozen=True)
class Record:
    """A record as it stands on the log."""

    offset: int
    value: bytes | None
    key: bytes | None = CAMPAIGN.encode()
    headers: Iterable[tuple[str, bytes]] = ()


def batch_of(state: PartitionState, before_change: Callable[[str], None] | None = None) -> Batch:
    """Return a batch of partition 3, to which every key belongs."""
    return Batch(state, 3, "cercles.log", lambda _: 3, before_change)


def fold(state: PartitionState, *events: LogEvent) -> Outputs:
    """Fold one batch of events that follow what the state has seen."""
    batch = batch_of(state)
    first = state.next_offset
    return batch.fold(
        [Record(first + number, encode(event), event.data.campaign_id.encode()) for number, event in enumerate(events)]
    )


def updates_of(outputs: Outputs) -> list[Update]:
    """Return the updates, decoded."""
    updates = [decoder.decode(value) for _, value in outputs.updates]
    return [update for update in updates if isinstance(update, Update)]
