"""Measures ours and its floor in turns, so that a machine whose speed drifts slows down both.

A benchmark is a name and a function that prepares what it needs and yields rows. Each row has two sides, ours and the
floor; a side is a function that measures once. The harness runs every side once to warm up, then in pairs, and takes
the median of the pairs' ratios.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

RUNS_DEFAULT: Final = 5


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run of a side came to. `value` is in the row's unit; `cpu_us` is CPU time for each thing counted."""

    value: float
    cpu_us: float | None = None
    also: Mapping[str, float] = field(default_factory=dict)
    """Further figures, by a name that ends with their unit, such as `p99_ms`."""


def rate(count: int, seconds: float, cpu_seconds: float | None = None, **also: float) -> Measurement:
    """Return the measurement of `count` things in that time, in things a second."""
    return Measurement(count / seconds, None if cpu_seconds is None else cpu_seconds / count * 1e6, also)


Side = Callable[[], Measurement]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a benchmark's table. Without a floor, ours stands alone and has no ratio."""

    label: str
    unit: str
    ours: Side
    floor: Side | None = None
    reach: str = ""
    """What is to be reached, in words, such as "≥ 0.1 of the floor"."""
    warm_up: bool = True


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much to measure. `events` is None for the benchmark's own number."""

    events: int | None = None
    runs: int = RUNS_DEFAULT
    options: Mapping[str, str] = field(default_factory=dict)
    """What only one benchmark knows, as `--set KEY=VALUE` gave it."""

    def events_or(self, default: int) -> int:
        """Return the number of events asked for, else the benchmark's own."""
        return default if self.events is None else self.events


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A name, one sentence on what is measured, and how to prepare it."""

    name: str
    measures: str
    prepare: Callable[[Sizes], AbstractContextManager[Sequence[Row]]]
    """Starts what the rows need and stops it again. It may yield no rows, having said why on standard error."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What has conditions to hold in place of a floor. It is long, so it is only run when it is named."""

    name: str
    measures: str
    run: Callable[[Sizes, Path], bool]
    """Runs it, shows what was found, appends it to the results in that directory, and returns whether all holds."""


@dataclass(frozen=True, slots=True)
class Result:
    """A row's runs, in pairs."""

    label: str
    unit: str
    reach: str
    ours: list[Measurement]
    floor: list[Measurement]

    @property
    def ours_value(self) -> float:
        """The median of our runs."""
        return median(one.value for one in self.ours)

    @property
    def floor_value(self) -> float | None:
        """The median of the floor's runs."""
        return median(one.value for one in self.floor) if self.floor else None

    @property
    def ratios(self) -> list[float]:
        """Ours as a share of the floor, in each pair."""
        return [ours.value / floor.value for ours, floor in zip(self.ours, self.floor, strict=bool(self.floor))]

    @property
    def ratio(self) -> float | None:
        """The median of the pairs' ratios."""
        return median(self.ratios) if self.floor else None

    @property
    def spread(self) -> float:
        """How far the pairs' ratios lie apart (without a floor: our values), as a share of their median."""
        values = self.ratios or [one.value for one in self.ours]
        return (max(values) - min(values)) / median(values)


def cpu_us(measurements: Sequence[Measurement]) -> float | None:
    """Return the median CPU time for each thing counted, in microseconds, or None where nobody measured it."""
    values = [one.cpu_us for one in measurements if one.cpu_us is not None]
    return median(values) if values else None


def also(measurements: Sequence[Measurement]) -> dict[str, float]:
    """Return the medians of the further figures."""
    names = measurements[0].also
    return {name: median(one.also[name] for one in measurements) for name in names}


def measure(row: Row, runs: int) -> Result:
    """Run both sides of a row `runs` times in pairs, now one first and now the other, after one run to warm up."""
    result = Result(row.label, row.unit, row.reach, [], [])
    sides: list[tuple[Side, list[Measurement]]] = [(row.ours, result.ours)]
    if row.floor is not None:
        sides.append((row.floor, result.floor))
    if row.warm_up:
        for side, _ in sides:
            side()
    for run in range(runs):
        for side, taken in sides if run % 2 else reversed(sides):
            taken.append(side())
    return result
