"""The loop of a supervising command: looks after the stack several times a second, and shows what the reader says."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cercles.display import Display
from cercles.panel import Pipeline, Scene
from cercles.stack import Stack
from cercles.watch import Watch

START_SECONDS_MAX: Final = 120.0
TICK_SECONDS: Final = 0.1
LOOK_SECONDS: Final = 0.25
READY_LOOK_SECONDS: Final = 0.3


class NotReadyError(Exception):
    """The processes did not become ready in time; the message says which, and why."""


class Attendance:
    """Looks after one stack. All in the main thread."""

    def __init__(self, stack: Stack, watch: Watch, display: Display) -> None:
        self._stack = stack
        self._watch = watch
        self._display = display

    def await_ready(self) -> None:
        """Return when every process is ready. Raises NotReadyError, HopelessError."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while waiting_for := self._stack.waiting_for():
            if time.monotonic() > deadline:
                raise NotReadyError(f"not ready within {START_SECONDS_MAX:.0f} s: {'; '.join(waiting_for)}")
            self._stack.tend()
            time.sleep(READY_LOOK_SECONDS)

    def attend(
        self,
        until: Callable[[], bool],
        *,
        caption: Callable[[], str] = str,
        counted: Callable[[Pipeline], Pipeline] = lambda pipeline: pipeline,
        addresses: dict[str, str] | None = None,
    ) -> Scene:
        """Look after the stack and show the panel until `until()` holds; return the last scene. Raises HopelessError.

        `counted` may add to what the reader says of the pipeline.
        """
        looked_at = float("-inf")
        while True:
            ended = until()
            self._stack.tend()
            if ended or time.monotonic() - looked_at >= LOOK_SECONDS:
                looked_at = time.monotonic()
                scene = self._watch.look()
                pipeline = None if scene.pipeline is None else counted(scene.pipeline)
                scene = replace(scene, pipeline=pipeline, caption=caption(), addresses=addresses or {})
                self._display.show(scene)
                if ended:
                    return scene
            time.sleep(TICK_SECONDS)
