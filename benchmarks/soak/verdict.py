"""What a soak has to hold, and whether it did: pure, from what was seen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import linear_regression, median
from typing import Final

STALL_SECONDS_MAX: Final = 1.0
GROWTH_SHARE_MAX: Final = 0.05
GROWTH_BYTES_MIN: Final = 8 * 2**20
"""Growth below this is not called one: allocators and the collector move by that much."""

LAG_GROWTH_SECONDS_MAX: Final = 1.0
SETTLED_SECONDS_MAX: Final = 300.0
_SETTLED_SHARE: Final = 1 / 6
_WINDOW_SHARE: Final = 1 / 10
_HOUR_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look, `seconds` after the load began. Lags: what is known to stand before a process and is not done."""

    seconds: float
    resident_bytes: Mapping[str, int]
    worker_lag_events: int
    """Events above the offsets that the worker's group has committed."""
    sink_lag_records: int
    unseen_events: int
    """Events of the log that the database does not yet show."""
    log_end: int
    updates_end: int
    """Ends of the log and of the updates, all partitions together."""
    disk_waited_seconds: float = 0.0
    """Time since the machine's start in which everything that ran waited for a disk (Linux, /proc/pressure/io)."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What stands at the end, held against the log."""

    log_events: int
    entries: int
    missing: int
    """Entries and milestones that the fold says and the database lacks; `unwanted` the other way round."""
    unwanted: int
    wrong_campaigns: int
    """Campaigns whose totals are not those of the naive fold."""
    campaigns: int
    lost_events: int
    """Events that were accepted and do not stand on the log."""
    complaints: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was seen of a soak."""

    samples: Sequence[Sample]
    stalls: Mapping[str, float]
    """The longest stall of each process, in seconds."""
    audited: Audited
    judged: Sequence[str] = ()
    """The processes whose memory has to be flat; the others' is only shown."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A process's resident memory: when it had settled, and at the end."""

    process: str
    settled_bytes: int
    end_bytes: int
    bytes_per_hour: float

    @property
    def growth_bytes(self) -> int:
        return self.end_bytes - self.settled_bytes

    @property
    def is_flat(self) -> bool:
        return self.growth_bytes <= max(GROWTH_BYTES_MIN, self.settled_bytes * GROWTH_SHARE_MAX)


@dataclass(frozen=True, slots=True)
class Lag:
    """A lag, as median of what was seen when all had settled and at the end, in things and in seconds of their rate."""

    name: str
    settled: float
    end: float
    per_second: float

    @property
    def settled_seconds(self) -> float:
        return self.settled / self.per_second

    @property
    def end_seconds(self) -> float:
        return self.end / self.per_second

    @property
    def is_flat(self) -> bool:
        return self.end_seconds - self.settled_seconds <= LAG_GROWTH_SECONDS_MAX


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition, whether it holds, and what was found."""

    name: str
    holds: bool
    found: str


@dataclass(slots=True)
class Standing:
    """The longest time during which something stood still although work waited, as far as looks can tell.

    A stall that two looks saw at its beginning and at its end counts from the one to the other: it was at most two
    looks longer.
    """

    seconds_max: float = 0.0
    ended_at_seconds: float = 0.0
    """When the longest was last seen."""
    _position: int | None = None
    _since: float | None = field(default=None)

    def look(self, at_seconds: float, position: int, *, waits: bool) -> None:
        """Note where it stands, and whether there is something for it to do."""
        if position != self._position or not waits:
            self._position = position
            self._since = at_seconds if waits else None
        elif self._since is None:
            self._since = at_seconds
        elif at_seconds - self._since > self.seconds_max:
            self.seconds_max, self.ended_at_seconds = at_seconds - self._since, at_seconds


def memories(samples: Sequence[Sample]) -> list[Memory]:
    """Return each process's memory; medians of a tenth of the time, so that a moment's peak says nothing."""
    settled, end = _windows(samples)
    later = _settled(samples)
    found = []
    for process in samples[-1].resident_bytes:
        line = linear_regression([one.seconds for one in later], [float(one.resident_bytes[process]) for one in later])
        found.append(
            Memory(
                process,
                int(median(one.resident_bytes[process] for one in settled)),
                int(median(one.resident_bytes[process] for one in end)),
                line.slope * _HOUR_SECONDS,
            )
        )
    return found


def lags(samples: Sequence[Sample]) -> list[Lag]:
    """Return how far the worker and the sink were behind, and how far the database was behind the log."""
    settled, end = _windows(samples)
    first, last = _settled(samples)[0], samples[-1]
    seconds = last.seconds - first.seconds
    events = max(1, last.log_end - first.log_end) / seconds
    records = max(1, last.updates_end - first.updates_end) / seconds

    def lag(name: str, of: Callable[[Sample], int], per_second: float) -> Lag:
        return Lag(name, median(map(of, settled)), median(map(of, end)), per_second)

    return [
        lag("worker, events", lambda one: one.worker_lag_events, events),
        lag("sink, records", lambda one: one.sink_lag_records, records),
        lag("database behind the log, events", lambda one: one.unseen_events, events),
    ]


def memory_over_time(samples: Sequence[Sample], points: int = 12) -> dict[str, list[int]]:
    """Return each process's resident bytes, as medians of equal stretches: whether it levels off."""
    width = max(1, len(samples) // points)
    stretches = [samples[start : start + width] for start in range(0, len(samples), width)]
    return {
        process: [int(median(one.resident_bytes[process] for one in stretch)) for stretch in stretches]
        for process in samples[-1].resident_bytes
    }


def disk_share_max(samples: Sequence[Sample]) -> float:
    """Return the greatest share of the time between two samples in which everything waited for a disk."""
    return max(
        (later.disk_waited_seconds - one.disk_waited_seconds) / (later.seconds - one.seconds)
        for one, later in pairwise(samples)
    )


def judge(seen: Seen) -> list[Finding]:
    """Return every condition of a soak, with what was found."""
    audited = seen.audited
    growing = [one for one in memories(seen.samples) if one.process in seen.judged and not one.is_flat]
    lagging = [one for one in lags(seen.samples) if not one.is_flat]
    process, stall = max(seen.stalls.items(), key=lambda item: item[1])
    counts = f"{audited.entries:,} rows, {audited.missing} missing, {audited.unwanted} unwanted"
    right = f"{audited.campaigns - audited.wrong_campaigns} of {audited.campaigns} campaigns"
    return [
        Finding(
            "flat memory",
            not growing,
            ", ".join(f"{one.process} grew by {one.growth_bytes / 2**20:.0f} MB" for one in growing) or "flat",
        ),
        Finding(
            "no lag growth",
            not lagging,
            ", ".join(f"{one.name}: {one.settled_seconds:.2f} s, then {one.end_seconds:.2f} s" for one in lagging)
            or "none",
        ),
        Finding(f"no stall over {STALL_SECONDS_MAX:g} s", stall <= STALL_SECONDS_MAX, f"{process}: {stall:.2f} s"),
        Finding("totals equal to the naive fold", not audited.wrong_campaigns, right),
        Finding("every entry and milestone once", not (audited.missing or audited.unwanted), counts),
        Finding("everything accepted is on the log", not audited.lost_events, f"{audited.lost_events} lost"),
        Finding("no other complaint", not audited.complaints, "; ".join(audited.complaints) or "none"),
    ]


def settled_seconds(seconds: float) -> float:
    """Return how long after its beginning a soak of that length counts as settled."""
    return min(SETTLED_SECONDS_MAX, seconds * _SETTLED_SHARE)


def _settled(samples: Sequence[Sample]) -> list[Sample]:
    start = settled_seconds(samples[-1].seconds)
    return [one for one in samples if one.seconds >= start]


def _windows(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Return the samples just after all had settled, and the last."""
    later = _settled(samples)
    width = max(1, int(len(later) * _WINDOW_SHARE))
    return later[:width], later[-width:]
