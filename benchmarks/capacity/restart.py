"""A worker is killed and another takes its partitions: what piles up, and how long until it is gone.

A simulation in steps of a tenth of a second. After the group has noticed, the new worker shares its core out equally
among the partitions that have something to do: reading their checkpoint (or nothing), folding silently what came after
it, then folding live. A live partition's new events compete with the restoring of the others.
"""

import random
from dataclasses import dataclass
from typing import Final

STEP_SECONDS: Final = 0.1
NOTICED_SECONDS: Final = 10.0
"""The default of CERCLES_WORKER_SESSION_TIMEOUT_SECONDS: after so long a killed worker's partitions are given away."""

CHECKPOINT_SECONDS: Final = 60.0
"""The default of CERCLES_WORKER_CHECKPOINT_INTERVAL_SECONDS."""


@dataclass(frozen=True, slots=True)
class Load:
    """One worker's part. Rates are of the whole worker and of one core."""

    partitions: int
    pledges: float
    events_per_second: float
    live_events_per_second: float
    """What the worker folds at most, live; `silent_events_per_second` is from the log, silently."""
    silent_events_per_second: float
    pledges_per_second: float
    """What it restores from a checkpoint."""
    log_events: float | None = None
    """Events of the partitions' whole log, when there are no checkpoints."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Seconds since the kill, and the most events that waited."""

    first_live_seconds: float
    all_live_seconds: float
    caught_up_seconds: float
    lag_events_max: float


@dataclass(slots=True)
class _Partition:
    restoring_seconds: float
    """CPU time until its state is where the group's committed offset was."""
    waiting_events: float = 0.0


def restart(load: Load, seed: int = 1) -> Restart:
    """Return how a restart goes. Raises ValueError when as much comes as the worker can fold: it never catches up."""
    if load.events_per_second >= load.live_events_per_second:
        raise ValueError("it does not catch up: as many events come as it can fold")
    chance = random.Random(seed)
    partitions = [_Partition(_restoring_seconds(load, chance)) for _ in range(load.partitions)]
    arriving = load.events_per_second / load.partitions * STEP_SECONDS
    seconds = first = everybody = lag_max = 0.0
    while True:
        seconds += STEP_SECONDS
        for one in partitions:
            one.waiting_events += arriving
        lag_max = max(lag_max, sum(one.waiting_events for one in partitions))
        if seconds <= NOTICED_SECONDS:
            continue
        _work(partitions, load.live_events_per_second)
        live = sum(not one.restoring_seconds for one in partitions)
        first = first or (seconds if live else 0.0)
        everybody = everybody or (seconds if live == load.partitions else 0.0)
        if everybody and sum(one.waiting_events for one in partitions) <= arriving * load.partitions:
            return Restart(first, everybody, seconds, lag_max)


def _restoring_seconds(load: Load, chance: random.Random) -> float:
    """Return the CPU time that one partition's state takes; its checkpoint is up to an interval old."""
    if load.log_events is not None:
        return load.log_events / load.partitions / load.silent_events_per_second
    behind = chance.uniform(0, CHECKPOINT_SECONDS) * load.events_per_second / load.partitions
    return load.pledges / load.partitions / load.pledges_per_second + behind / load.silent_events_per_second


def _work(partitions: list[_Partition], events_per_second: float) -> None:
    """Share one step of a core out; what a partition does not need goes to the others."""
    left = STEP_SECONDS
    busy = [one for one in partitions if one.restoring_seconds or one.waiting_events]
    while busy and left > 1e-9:  # noqa: PLR2004 - a nanosecond
        each, left = left / len(busy), 0.0
        for one in busy:
            needed = one.restoring_seconds or one.waiting_events / events_per_second
            used = min(each, needed)
            left += each - used
            if one.restoring_seconds:
                one.restoring_seconds = max(0.0, one.restoring_seconds - used)
            else:
                one.waiting_events = max(0.0, one.waiting_events - used * events_per_second)
        busy = [one for one in busy if one.restoring_seconds or one.waiting_events]
