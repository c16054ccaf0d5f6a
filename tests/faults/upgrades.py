"""A rolling upgrade: workers of two fold versions side by side, in one group, then back again."""

from tests.faults.fault import Fault
from tests.faults.saboteur import RUNNER, VARIABLE
from tests.faults.scene import SESSION_SECONDS, Scene


def upgrade_faults() -> list[Fault]:
    """Return the one fault that is none: an upgrade."""
    return [Fault("rolling upgrade, two fold versions", 1, 3, _upgrade)]


def _upgrade(scene: Scene, _left: int) -> int:
    newer = scene.fleet.add("worker", program=RUNNER, environment={VARIABLE: "other_fold_version"})
    scene.pause(SESSION_SECONDS + 3.0)  # side by side
    scene.fleet["worker"].stop()  # and started again a moment later, since this is rolled back
    scene.pause(SESSION_SECONDS + 1.0)
    newer.stop()
    return 1
