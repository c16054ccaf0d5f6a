"""What happens to the broker, to the database and between them, and to members of the groups."""

import signal
import time
from functools import partial
from typing import Final

from tests.faults.fault import Fault
from tests.faults.proxy import Cut
from tests.faults.scene import SESSION_SECONDS, Scene

SLOW_SECONDS: Final = 0.2
SINK_GROWTH_BYTES_MAX: Final = 128 * 1024 * 1024
"""How much a sink may grow while its database is slow: far more would wait for it, if nothing held it back."""

CUT_SECONDS_MAX: Final = 60.0
RISE_SECONDS_MAX: Final = 60.0


def outage_faults() -> list[Fault]:
    """Return the faults of servers, connections and groups."""
    return [
        Fault("SIGSTOP of a worker past its session, then SIGCONT", 1, 5, _freeze_worker),
        Fault("workers and sinks 1→3→1", 2, 20, _scale),
        Fault("broker kill -9, and restart", 1, 5, _kill_broker),
        Fault("broker paused", 1, 1, _pause_broker),
        Fault("PostgreSQL kill -9, and restart", 1, 20, _kill_postgresql),
        Fault("database connections terminated", 2, 20, _terminate_connections),
        Fault("connection cut before COMMIT arrives", 2, 20, partial(_cut_commit, cut="before")),
        Fault("connection cut after COMMIT, before its answer", 2, 20, partial(_cut_commit, cut="after")),
        Fault("database slow, +200 ms a message", 1, 1, _slow_database),
        Fault("producer's clock an hour off", 1, 5, _skew_clock),
    ]


def _freeze_worker(scene: Scene, _left: int) -> int:
    """A zombie: it wakes up when its partitions have long been another's, and goes on with what it was doing."""
    other = scene.fleet.add("worker")
    scene.pause(SESSION_SECONDS + 1.0)  # it starts, and takes part
    zombie = scene.chance.choice((other, scene.fleet["worker"]))
    zombie.send(signal.SIGSTOP)
    scene.pause(SESSION_SECONDS * 2.0)
    zombie.send(signal.SIGCONT)
    return 1


def _scale(scene: Scene, left: int) -> int:
    times = min(left, 2)
    for _ in range(times):
        for name in ("worker", "sink") * 2:
            scene.fleet.add(name)
        scene.pause(scene.chance.uniform(3.0, 6.0))
        scene.fleet.settle()
        scene.pause(scene.chance.uniform(0.5, 2.0))
    return times


def _kill_broker(scene: Scene, _left: int) -> int:
    scene.pause(scene.chance.uniform(0.5, 1.5))
    scene.broker.kill()
    scene.pause(scene.chance.uniform(0.0, 3.0))
    scene.broker.start()
    return 1


def _pause_broker(scene: Scene, _left: int) -> int:
    scene.pause(1.0)
    scene.broker.pause()
    try:
        scene.pause(8.0 if scene.short else 60.0)
    finally:
        scene.broker.resume()
    return 1


def _kill_postgresql(scene: Scene, _left: int) -> int:
    scene.pause(scene.chance.uniform(0.5, 1.5))
    scene.postgresql.kill()
    scene.pause(scene.chance.uniform(0.0, 2.0))
    scene.postgresql.start()
    return 1


def _terminate_connections(scene: Scene, _left: int) -> int:
    scene.pause(scene.chance.uniform(0.5, 1.5))
    scene.postgresql.terminate_connections()
    return 1


def _cut_commit(scene: Scene, _left: int, cut: Cut) -> int:
    before = scene.proxy.cuts_done
    scene.pause(scene.chance.uniform(0.0, 0.5))
    scene.proxy.cut_next_commit(cut)
    scene.fleet.wait_until(lambda: scene.proxy.cuts_done > before, "a COMMIT was cut off", CUT_SECONDS_MAX)
    return 1


def _slow_database(scene: Scene, _left: int) -> int:
    sink = scene.fleet["sink"]
    at_first = most = sink.resident_bytes()
    scene.proxy.delay_seconds = SLOW_SECONDS
    until = time.monotonic() + (10.0 if scene.short else 60.0)
    try:
        while time.monotonic() < until:
            scene.pause(0.25)
            most = max(most, sink.resident_bytes())
    finally:
        scene.proxy.delay_seconds = 0.0
    if most - at_first > SINK_GROWTH_BYTES_MAX:
        scene.complaints.append(f"the sink grew by {(most - at_first) >> 20} MiB while its database was slow")
    return 1


def _skew_clock(scene: Scene, _left: int) -> int:
    """Event times are an hour off, either way, and must be taken; signatures an hour off must be refused."""
    load = scene.present_load
    load.skewed = True
    try:
        scene.pause(3.0 if scene.short else 6.0)
    finally:
        load.skewed = False
    return 1
