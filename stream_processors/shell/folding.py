"""What lanes fold: which topic, onto what state, by which rules. Worker and resolver differ in nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from schemas.dead_letters import DeadLetter
from schemas.topics import LOG, PAYMENTS
from stream_processors.ledger.batch import Batch as LedgerBatch
from stream_processors.ledger.state import PartitionState
from stream_processors.resolver.batch import Batch as ResolverBatch
from stream_processors.resolver.state import ResolverState


class Outputs(Protocol):
    """What every batch has to say; the sender knows the rest."""

    @property
    def events(self) -> int: ...
    @property
    def dead_letters(self) -> Sequence[DeadLetter]: ...


@dataclass(frozen=True, slots=True)
class Folding:
    """A pure fold, as lanes use it."""

    topic: str
    new_state: Callable[[], Any]
    """Makes the state of a partition; `next_offset` is the offset of the next record to fold."""

    new_batch: Callable[[Any, int, Callable[[bytes], int], Callable[[str], None] | None, bool], Any]
    """Makes a batch of a state and its partition, as `stream_processors.ledger.batch.Batch` is one. It is given the
    partition of each key, what to call before something of the state changes for the first time, and whether only the
    state is wanted."""


def _ledger_batch(
    state: PartitionState,
    partition: int,
    partition_of: Callable[[bytes], int],
    before_change: Callable[[str], None] | None,
    silent: bool,  # noqa: FBT001
) -> LedgerBatch:
    return LedgerBatch(state, partition, LOG.name, partition_of, before_change, silent)


def _resolver_batch(state: ResolverState, partition: int, *_: object) -> ResolverBatch:
    return ResolverBatch(state, partition, PAYMENTS.name)


LEDGER: Final = Folding(LOG.name, PartitionState, _ledger_batch)
RESOLVER: Final = Folding(PAYMENTS.name, ResolverState, _resolver_batch)
