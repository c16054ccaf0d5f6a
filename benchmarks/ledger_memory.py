"""What a million pledges take in memory, in a process that has nothing else: `python -m benchmarks.ledger_memory`.

Prints the growth of the resident memory while the pledges are folded, in bytes, as JSON.
"""

import gc
import json
import os
import sys

from benchmarks.fold import BATCH_EVENTS, chunks, fold
from benchmarks.processes import resident_bytes
from schemas.collector import settle
from stream_processors.ledger.state import PartitionState


def growth(pledges: int, campaigns: int) -> int:
    """Fold that many pledges; return the bytes that the process has grown by since the campaigns were opened."""
    state = PartitionState()
    stream = chunks(pledges, campaigns, BATCH_EVENTS)
    fold(state, next(stream))
    gc.collect()
    before = resident_bytes(os.getpid())
    for records in stream:
        fold(state, records)
    gc.collect()
    live = sum(len(campaign.pledges) for campaign in state.campaigns.values())
    return (resident_bytes(os.getpid()) - before) * pledges // live


if __name__ == "__main__":
    settle()
    sys.stdout.write(json.dumps({"bytes": growth(int(sys.argv[1]), int(sys.argv[2]))}) + "\n")
