"""Named places in the code at which a test can have the process killed: just before a send, between two writes.

A process dies at such a place only when its environment says so, by `CERCLES_FAILURE_POINTS=NAME=N[,NAME=N]`: it kills
itself (SIGKILL, so nothing is cleaned up) the N-th time that it reaches NAME. `cercles.running` reads that once, when
the process starts; importing this module reads nothing. What is killed where, and what must hold afterwards, stands in
`tests/faults/`.
"""

import os
import signal
import threading
from collections.abc import Mapping
from typing import Final, Literal, get_args

VARIABLE: Final = "CERCLES_FAILURE_POINTS"

FailurePoint = Literal[
    # A batch's way through the worker (stream_processors/shell).
    "worker.batch_folded",
    "worker.before_outputs",
    "worker.record_handed_over",  # to the producer: a record batch of updates, or a dead letter
    "worker.updates_handed_over",  # but for the last of them, which travel with the progress
    "worker.dead_letters_handed_over",
    "worker.dead_letters_acknowledged",
    "worker.progress_handed_over",
    "worker.outputs_acknowledged",
    "worker.batch_acknowledged",  # and not yet committed
    "worker.before_commit",
    "worker.after_commit",
    "worker.aligning",
    "worker.restored",
    "worker.checkpoint_written",  # and not yet in place of the one before
    "worker.checkpoint_in_place",
    # The same through the resolver, which has the worker's lanes, and so the points of lanes besides these.
    "resolver.before_outputs",
    "resolver.record_handed_over",  # to the producer: an event of a pledge
    "resolver.outputs_acknowledged",
    # A batch's way through the sink (sinks/).
    "sink.batch_taken",
    "sink.position_moved",
    "sink.updates_written",
    "sink.dead_letters_written",
    "sink.committed",
    "sink.applied",
    # A request's way through the gateway, and a close's through the clock (producers/).
    "gateway.before_publish",
    "gateway.acknowledged",
    "clock.before_publish",
    "clock.acknowledged",
]

FAILURE_POINTS: Final[tuple[FailurePoint, ...]] = get_args(FailurePoint)

_armed: Final[dict[FailurePoint, int]] = {}
_counting: Final = threading.Lock()


class FailurePointsError(ValueError):
    """`CERCLES_FAILURE_POINTS` names a point that does not exist, or not how often it is to be reached."""


def reach(point: FailurePoint) -> None:
    """Note that the process has come to this point: where nothing is armed, a look at an empty dict."""
    if _armed:
        _count_down(point)


def arm_from_environment(environment: Mapping[str, str] = os.environ) -> tuple[FailurePoint, ...]:
    """Arm the points that the environment names, and those only; return them. Raises FailurePointsError."""
    armed = dict(_parsed(entry) for entry in environment.get(VARIABLE, "").split(",") if entry.strip())
    with _counting:
        _armed.clear()
        _armed.update(armed)
    return tuple(armed)


def _parsed(entry: str) -> tuple[FailurePoint, int]:
    name, _, times = entry.strip().partition("=")
    if name not in FAILURE_POINTS:
        raise FailurePointsError(
            f"{VARIABLE}: there is no failure point {name!r}; there are {', '.join(FAILURE_POINTS)}"
        )
    if not times.isascii() or not times.isdigit() or int(times) < 1:
        raise FailurePointsError(f"{VARIABLE}: {name} needs a whole number of at least 1 after '=', not {times!r}")
    return name, int(times)


def _count_down(point: FailurePoint) -> None:
    with _counting:  # the sink's and the gateway's threads come here too
        if point not in _armed:
            return
        _armed[point] -= 1
        if _armed[point] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
