"""`kill -9` of each process, at each of the failure points in its code.

In a full run the next process is armed as soon as one has died, without waiting for recovery: what is measured there is
recovery in the midst of further kills. The short form kills once, and measures recovery from that alone.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from schemas.failure_points import FAILURE_POINTS, FailurePoint
from schemas.topics import PAYMENTS
from tests.faults.fault import Fault
from tests.faults.processes import Running
from tests.faults.scene import RECOVERY_SECONDS_MAX, Scene
from tests.worker.pipeline import log_ends

AT_ONCE: Final = 3
"""Armed processes that run at a time: with the steady one beside them, which goes on, each has one of 4 partitions."""

KILL_SECONDS_MAX: Final = 60.0
TIMES_SHORT: Final = 1
TIMES_FULL: Final = 20

REACHED_ONCE: Final = frozenset({"worker.aligning", "worker.restored"})
"""Points that a process may reach only once in its life."""

WITHOUT_CHECKPOINT: Final = frozenset({"worker.aligning"})
"""Points that a worker is sure to reach only when it has no checkpoint: one may be as new as the first delivery."""

KILL_CODE: Final = -9


def kill_faults() -> list[Fault]:
    """Return a fault for each failure point, and one for each process that has none."""
    at_points = [
        Fault(f"kill -9 at {point}", TIMES_SHORT, TIMES_FULL, partial(_kill_at, point=point))
        for point in FAILURE_POINTS
    ]
    anywhere = [
        Fault(f"kill -9 of the {name}", TIMES_SHORT, TIMES_FULL, _killing(name)) for name in ("reader", "exporter")
    ]
    return [*at_points, *anywhere]


@dataclass
class Killing:
    """Kills at one point, one process after the other; each recovery is measured while the next is being killed."""

    scene: Scene
    point: FailurePoint
    times: int
    done: int = 0
    armed: list[Running] = field(default_factory=list)
    dead: deque[tuple[float, dict[int, int], dict[int, int]]] = field(default_factory=deque)
    """When each died that has not been recovered from, and the ends of both logs that had been accepted then."""

    @property
    def name(self) -> str:
        return self.point.split(".")[0]

    def go_on(self) -> bool:
        """Take note of who has died and of what has recovered, and arm the next; return whether that was all."""
        for victim in [one for one in self.armed if one.exit_code() is not None]:
            self.armed.remove(victim)
            self.done += 1
            self.dead.append((time.monotonic(), self.scene.present_load.receipts.ends(), self._payment_ends()))
            if victim.exit_code() != KILL_CODE:
                complaint = f"{self.name} was to be killed at {self.point}, and ended with {victim.exit_code()}"
                self.scene.complaints.append(complaint)
        at_once = 1 if self.name == "gateway" else AT_ONCE
        while len(self.armed) < min(at_once, self.times - self.done):
            self.armed.append(self._arm())
        while self.dead and self._is_recovered(*self.dead[0][1:]):
            died_at, _, _ = self.dead.popleft()
            self.scene.recoveries.append(time.monotonic() - died_at)
        return self.done >= self.times and not self.dead

    def _payment_ends(self) -> dict[int, int]:
        return log_ends(self.scene.bootstrap, topic=PAYMENTS) if self.name == "resolver" else {}

    def _is_recovered(self, ends: dict[int, int], payment_ends: dict[int, int]) -> bool:
        return self.scene.has_applied(ends) and (not payment_ends or self.scene.has_resolved(payment_ends))

    def _arm(self) -> Running:
        most = 1 if self.point in REACHED_ONCE else 4
        if self.name == "gateway":  # there is one, at its address
            return self.scene.fleet.replace("gateway", {self.point: self.scene.chance.randint(1, 4 * most)})
        environment = {}
        if self.point in WITHOUT_CHECKPOINT:
            environment["CERCLES_WORKER_CHECKPOINT_DIRECTORY"] = str(self.scene.new_directory())
        points = {self.point: self.scene.chance.randint(1, most)}
        return self.scene.fleet.add(self.name, points=points, environment=environment)


def _kill_at(scene: Scene, left: int, point: FailurePoint) -> int:
    killing = Killing(scene, point, left)
    scene.fleet.wait_until(
        killing.go_on, f"{left} have died at {point}", RECOVERY_SECONDS_MAX + left * KILL_SECONDS_MAX
    )
    return killing.done


def _killing(name: str) -> Callable[[Scene, int], int]:
    def kill(scene: Scene, _left: int) -> int:
        scene.pause(scene.chance.uniform(0.1, 1.0))
        scene.fleet[name].kill()
        return 1

    return kill
