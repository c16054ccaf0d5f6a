"""A worker with something wrong on purpose: `python -m tests.faults.saboteur worker`, with `CERCLES_SABOTAGE=NAME`.

It patches the production classes in its own process, and then runs as `cercles worker` does. Each sabotage takes away
one of the things that make the worker exact; the oracle must notice (test_oracle.py).
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from functools import partial
from typing import Any, Final, cast

import pytest

from cercles.processes import ProcessName, make
from cercles.running import run_process
from schemas.events import PledgeCaptured, PledgeCapturedData
from stream_processors.ledger import batch, facts, fold
from stream_processors.ledger.pledges import Pledge
from stream_processors.ledger.state import Campaign
from stream_processors.shell import checkpoints, lane, outputs, transport
from stream_processors.shell.checkpoints import Checkpoint, Snapshot

RUNNER: Final = ("-m", "tests.faults.saboteur")
VARIABLE: Final = "CERCLES_SABOTAGE"
_patch: Final = pytest.MonkeyPatch()

NEXT_FOLD_VERSION: Final = f"{batch.FOLD_VERSION}+next"
COMMIT_SECONDS: Final = 1.5
"""Longer than it takes until what was acknowledged is committed."""


def other_fold_version() -> None:
    """No sabotage: the same rules by another name, as the next version of a fold would have."""
    for module in (outputs, checkpoints, batch):
        _patch.setattr(module, "FOLD_VERSION", NEXT_FOLD_VERSION)


def without_deduplication() -> None:
    """A capture that is seen again counts again."""

    def capture(campaign: Campaign, data: PledgeCapturedData, time: datetime) -> Pledge | None:
        campaign.captures.pop(data.capture_id, None)
        return facts.capture(campaign, data, time)

    _patch.setattr(fold, "_FACTS", fold._FACTS | {PledgeCaptured: capture})


def skipping_deliveries() -> None:
    """No sabotage either: Faust drops the first batches of a partition, as it sometimes does. The worker makes up."""
    deliver = transport.BatchConsumer.getmany
    skipped: dict[Any, int] = {}

    async def getmany(self: Any, timeout: float) -> AsyncIterator[Any]:  # noqa: ASYNC109
        async for source, message in deliver(self, timeout):
            skipped[source] = skipped.get(source, 0) + 1
            if skipped[source] > 1:
                yield source, message

    _patch.setattr(transport.BatchConsumer, "getmany", getmany)


def silent_up_to_the_batch() -> None:
    """What lies before the first batch is folded silently, although the group has not acknowledged all of it."""
    skipping_deliveries()

    async def committed_offsets(_kafka: Any, _group: str, partitions: Any, _topic: str) -> dict[int, int]:
        return dict.fromkeys(partitions, sys.maxsize)

    _patch.setattr(lane, "committed_offsets", committed_offsets)


def acknowledged_before_the_outputs() -> None:
    """A batch is acknowledged, and soon committed, before what it led to is sent."""
    send = lane.Lane._send

    async def first_acknowledged(self: Any, said: Any, end: int) -> None:
        self._acknowledged_end = end
        await asyncio.sleep(COMMIT_SECONDS)
        await send(self, said, end)

    _patch.setattr(lane.Lane, "_send", first_acknowledged)


def checkpoint_before_the_outputs() -> None:
    """A batch is in the checkpoint as soon as it is folded."""
    send = lane.Lane._send

    async def first_checkpointed(self: Any, said: Any, end: int) -> None:
        snapshot = Snapshot(self._state)
        while not snapshot.complete:
            snapshot.go_on(1.0)
        checkpoint = Checkpoint(snapshot.next_offset, self._dead_letters_end, snapshot.campaigns)
        self._setting.checkpoints.write(self.partition, checkpoint)
        await send(self, said, end)

    _patch.setattr(lane.Lane, "_send", first_checkpointed)


SABOTAGES: Final[dict[str, Callable[[], None]]] = {
    one.__name__: one
    for one in (
        other_fold_version,
        without_deduplication,
        skipping_deliveries,
        silent_up_to_the_batch,
        acknowledged_before_the_outputs,
        checkpoint_before_the_outputs,
    )
}


def main(name: str) -> int:
    """Patch, and run that process."""
    SABOTAGES[os.environ[VARIABLE]]()
    return run_process(name, partial(make, cast("ProcessName", name)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
