"""Full disks: of the database, of the checkpoints, of the broker."""

from typing import Final

from tests.faults.fault import Fault
from tests.faults.processes import Running
from tests.faults.scene import Scene

DEATH_SECONDS_MAX: Final = 60.0
NOTICE_SECONDS_MAX: Final = 30.0
UNWRITTEN: Final = "checkpoint_not_written"


def disk_faults() -> list[Fault]:
    """Return a fault for each disk."""
    return [
        Fault("disk full: database", 1, 3, _fill_database),
        Fault("disk full: checkpoints", 1, 3, _fill_checkpoints),
        Fault("disk full: broker", 1, 3, _fill_broker),
    ]


def _fill_database(scene: Scene, _left: int) -> int:
    """PostgreSQL refuses what it can't write, or ends when that is its own log; then somebody starts it again."""
    disk = scene.disks["postgresql"]
    scene.pause(1.0)
    disk.fill(scene.postgresql.processes())
    try:
        scene.pause(4.0 if scene.short else 15.0)
    finally:
        disk.free()
    scene.postgresql.start()
    return 1


def _fill_checkpoints(scene: Scene, _left: int) -> int:
    """No checkpoint can be written, and nothing else suffers: the same worker goes on, and says why."""
    disk, worker = scene.disks["checkpoints"], scene.fleet["worker"]
    scene.fleet.wait_until(scene.checkpoints.exists, "there is a checkpoint", NOTICE_SECONDS_MAX)
    before = _unwritten(worker)
    disk.fill_for_us(scene.checkpoints)
    try:
        scene.fleet.wait_until(
            lambda: _unwritten(worker) > before, "the worker says that a checkpoint was not written", NOTICE_SECONDS_MAX
        )
        scene.pause(2.0)
    finally:
        disk.free()
    if worker.exit_code() is not None:
        scene.complaints.append("a worker ended because its checkpoints had no room")
    return 1


def _unwritten(worker: Running) -> int:
    return worker.log.read_text(encoding="utf-8", errors="replace").count(UNWRITTEN)


def _fill_broker(scene: Scene, _left: int) -> int:
    """Kafka ends when it can't write to its only disk; somebody makes room and starts it again."""
    disk = scene.disks["kafka"]
    scene.pause(1.0)
    disk.fill([scene.broker.pid])
    try:
        scene.fleet.wait_until(
            lambda: not scene.broker.is_running(), "the broker has ended for want of room", DEATH_SECONDS_MAX
        )
    finally:
        disk.free()
    scene.broker.start()
    return 1
