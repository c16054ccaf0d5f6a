"""The real processes, as operations starts them: `cercles worker`, `cercles sink`."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SECONDS_TO_STOP_MAX = 10
SECONDS_TO_START_MAX = 60


class CerclesProcess:
    """One process of ours, its output in a file."""

    def __init__(self, name: str, environment: dict[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._environment = environment
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as output:
            self._logged_before_bytes = output.tell()
            return subprocess.Popen(
                [sys.executable, "-m", "cercles", self.name],
                env=os.environ | self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def kill_and_restart(self) -> None:
        """End it by SIGKILL and start another in its place."""
        self.kill()
        self._process = self._start()

    def kill(self) -> None:
        """End it by SIGKILL, if it still runs."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it by SIGTERM, when it has begun to listen to that.

        Raises subprocess.TimeoutExpired when it takes longer than promised, TimeoutError when it does not begin.
        """
        deadline = time.monotonic() + SECONDS_TO_START_MAX
        while b"operations_served" not in self.log.read_bytes()[self._logged_before_bytes :]:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} did not begin: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(SECONDS_TO_STOP_MAX)
