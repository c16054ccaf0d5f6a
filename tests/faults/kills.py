"""`kill -9` of each process, at each of the failure points in its code."""

from collections.abc import Callable
from functools import partial
from typing import Final

from schemas.failure_points import FAILURE_POINTS, FailurePoint
from tests.faults.fault import Fault
from tests.faults.scene import Scene

AT_ONCE: Final = 2
"""Workers, or sinks, that are killed together: the steady one beside them goes on."""

DEATH_SECONDS_MAX: Final = 60.0
TIMES_SHORT: Final = 1
TIMES_FULL: Final = 20

REACHED_ONCE: Final = frozenset({"worker.aligning", "worker.restored"})
"""Points that a process may reach only once in its life."""

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


def _kill_at(scene: Scene, left: int, point: FailurePoint) -> int:
    name = point.split(".")[0]
    most = 1 if point in REACHED_ONCE else 4
    if name == "gateway":
        victims = [scene.fleet.replace(name, {point: scene.chance.randint(1, 4 * most)})]
    else:
        count = min(left, AT_ONCE if name in {"worker", "sink"} else 1)
        victims = [scene.fleet.add(name, points={point: scene.chance.randint(1, most)}) for _ in range(count)]
    scene.fleet.wait_until(
        lambda: all(victim.exit_code() is not None for victim in victims),
        f"{len(victims)} of {name} have died at {point}",
        DEATH_SECONDS_MAX,
    )
    for victim in victims:
        if victim.exit_code() != KILL_CODE:
            scene.complaints.append(f"{name} was to be killed at {point}, and ended with {victim.exit_code()}")
    return len(victims)


def _killing(name: str) -> Callable[[Scene, int], int]:
    def kill(scene: Scene, _left: int) -> int:
        scene.pause(scene.chance.uniform(0.1, 1.0))
        scene.fleet[name].kill()
        return 1

    return kill
