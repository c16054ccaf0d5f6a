"""Arithmetic: how many processes, bytes and seconds a load needs, from the measured figures."""

import math
from dataclasses import dataclass
from typing import Final

from benchmarks.capacity.inputs import Inputs
from schemas.topics import UPDATES

UTILIZATION_MAX: Final = 0.7
"""The share of a core that a process is given to do: the rest is for bursts, and for catching up after a restart."""

WORKER_MEMORY_BYTES: Final = 8e9
"""For pledges, in one worker; a core and its usual share of a server's memory."""

REPLICAS: Final = 3
EVENTS_PER_PLEDGE: Final = 4
"""Assumed: authorization, capture, a repetition, and its share of links, visits and refunds."""

ENTRIES_PER_EVENT: Final = 0.5
"""Assumed: an authorization and a refund change totals, a capture of what is promised and a repetition do not."""

_US: Final = 1e6
_DAY_SECONDS: Final = 86_400
_UPDATES_DAYS: Final = int(UPDATES.config["retention.ms"]) / 1000 / _DAY_SECONDS


@dataclass(frozen=True, slots=True)
class ByRate:
    """What a rate of events needs, were it spread evenly. Cores are those in use, processes at `UTILIZATION_MAX`."""

    events_per_second: int
    gateways: int
    gateways_one_event_a_post: int
    workers: int
    sinks: int
    postgresql_cores: float
    kafka_cores: float
    log_bytes_per_second: float
    """Written by all replicas, as are the updates'."""
    updates_bytes_per_second: float
    log_bytes_per_year: float
    updates_bytes: float
    """What stands on the brokers, given how long updates are kept."""


@dataclass(frozen=True, slots=True)
class ByPledges:
    """What a number of live pledges needs."""

    pledges: int
    memory_bytes: float
    workers: int
    checkpoint_bytes: float
    restore_checkpoint_seconds: float
    """All workers at once, each its own share; for one worker alone it is the same time."""
    restore_log_seconds: float
    log_bytes: float
    pledges_table_bytes: float
    entries_table_bytes: float


def by_rate(inputs: Inputs, events_per_second: int) -> ByRate:
    """Return what the rate needs."""
    entries_per_second = events_per_second * ENTRIES_PER_EVENT
    log_bytes = events_per_second * inputs.log_event_bytes.value * REPLICAS
    updates_bytes = events_per_second * inputs.updates_event_bytes.value * REPLICAS
    return ByRate(
        events_per_second,
        gateways=processes(events_per_second, inputs.gateway_batch_event_us.value),
        gateways_one_event_a_post=processes(events_per_second, inputs.gateway_post_us.value),
        workers=processes(events_per_second, inputs.worker_event_us.value),
        sinks=processes(entries_per_second, inputs.sink_entry_us.value),
        postgresql_cores=entries_per_second * inputs.postgresql_entry_us.value / _US,
        kafka_cores=events_per_second * inputs.kafka_event_us.value * REPLICAS / _US,
        log_bytes_per_second=log_bytes,
        updates_bytes_per_second=updates_bytes,
        log_bytes_per_year=log_bytes * _DAY_SECONDS * 365,
        updates_bytes=updates_bytes * _DAY_SECONDS * _UPDATES_DAYS,
    )


def by_pledges(inputs: Inputs, pledges: int) -> ByPledges:
    """Return what the pledges need."""
    memory_bytes = pledges * inputs.pledge_memory_bytes.value
    workers = max(1, math.ceil(memory_bytes / WORKER_MEMORY_BYTES))
    events = pledges * EVENTS_PER_PLEDGE
    return ByPledges(
        pledges,
        memory_bytes=memory_bytes,
        workers=workers,
        checkpoint_bytes=pledges * inputs.pledge_checkpoint_bytes.value,
        restore_checkpoint_seconds=pledges / workers / inputs.restore_checkpoint_pledges_per_second.value,
        restore_log_seconds=events / workers / inputs.restore_log_events_per_second.value,
        log_bytes=events * inputs.log_event_bytes.value * REPLICAS,
        pledges_table_bytes=pledges * inputs.pledge_row_bytes.value,
        entries_table_bytes=events * ENTRIES_PER_EVENT * inputs.entry_row_bytes.value,
    )


def processes(things_per_second: float, each_us: float) -> int:
    """Return how many processes of one core do that many things a second at `UTILIZATION_MAX`."""
    return max(1, math.ceil(things_per_second * each_us / _US / UTILIZATION_MAX))


def ceiling(each_us: float, utilization: float = 1.0) -> float:
    """Return how many things a second one core does."""
    return utilization * _US / each_us
