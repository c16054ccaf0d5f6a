"""What a fault is: something that is done to the scene a number of times, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.scene import Scene


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. `inflict` does it once, or up to so many times at once as it is told are left.

    It returns when the fault has ended (the process is dead, the broker is back, the disk has room), with how many
    times that was. Recovery is measured from there, unless it has measured that itself. What it finds wrong it adds to
    the scene's complaints.
    """

    name: str
    times_short: int
    times_full: int
    inflict: Callable[[Scene, int], int]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table, with the keys that it has as JSON."""

    fault: str
    times: int
    accepted: int
    applied: int
    dead: int
    lost: int
    duplicated: int
    recovery_median_s: float | None
    recovery_max_s: float | None
