"""The real processes, as operations starts them, and who starts those again that have ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import cercles.leash
from schemas.failure_points import VARIABLE, FailurePoint

STOP_SECONDS_MAX: Final = 15.0
RESTART_SECONDS: Final = 0.5
"""How long after its end a process is started again."""

POLL_SECONDS: Final = 0.05


class Running:
    """One process: `cercles NAME`, or another program that runs one."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        log: Path,
        *,
        program: Sequence[str] = ("-m", "cercles"),
        points: Mapping[FailurePoint, int] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        armed = {} if points is None else {VARIABLE: ",".join(f"{point}={times}" for point, times in points.items())}
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("CERCLES_")}
        leash = [sys.executable, cercles.leash.__file__, str(os.getpid())]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*leash, sys.executable, *program, name],
                env=inherited | dict(environment) | armed,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return its exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def resident_bytes(self) -> int:
        """Return the memory that it holds (VmRSS of proc(5)); 0 when it has ended."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        except FileNotFoundError:
            return 0
        sizes = [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:")]
        return sum(sizes)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it has ended."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it by SIGKILL, if it still runs."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it by SIGTERM and return its exit code; one that takes too long is killed."""
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL


class Fleet:
    """All processes of ours: the steady ones, which are started again when they end, and others for a while."""

    def __init__(self, environments: Mapping[str, Mapping[str, str]], logs: Path) -> None:
        self._environments = environments
        self._logs = logs
        self._steady: dict[str, Running] = {}
        self._others: list[Running] = []
        self._ended_at: dict[str, float] = {}
        self.ends: list[str] = []
        """What ended by itself, and how: worth a look, not a failure."""

    def __getitem__(self, name: str) -> Running:
        return self._steady[name]

    def start(self, names: Iterable[str]) -> None:
        """Start a steady process of each name."""
        for name in names:
            self._steady[name] = self._run(name)

    def replace(self, name: str, points: Mapping[FailurePoint, int]) -> Running:
        """Stop the steady process and run one in its place that dies at a failure point; `tend` puts it right again."""
        self._steady[name].stop()
        self._ended_at.pop(name, None)
        self._steady[name] = self._run(name, points=points)
        return self._steady[name]

    def add(
        self,
        name: str,
        *,
        points: Mapping[FailurePoint, int] | None = None,
        program: Sequence[str] = ("-m", "cercles"),
        environment: Mapping[str, str] | None = None,
    ) -> Running:
        """Start another process beside the steady one; nobody starts it again."""
        running = self._run(name, points=points, program=program, environment=environment)
        self._others.append(running)
        return running

    def tend(self) -> None:
        """Start steady processes again that have ended, a moment later."""
        for name, running in self._steady.items():
            code = running.exit_code()
            if code is None:
                continue
            if name not in self._ended_at:
                self._ended_at[name] = time.monotonic()
                self.ends.append(f"{name} ended with {code}: {_last_line(running.log)}")
            elif time.monotonic() - self._ended_at[name] > RESTART_SECONDS:
                del self._ended_at[name]
                self._steady[name] = self._run(name)

    def wait_until(self, condition: Callable[[], bool], what: str, seconds_max: float) -> None:
        """Tend until the condition holds. Raises TimeoutError."""
        deadline = time.monotonic() + seconds_max
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds_max:g} s until {what}")
            self.tend()
            time.sleep(POLL_SECONDS)

    def settle(self) -> None:
        """Stop those that were only for a while."""
        for running in self._others:
            running.send(signal.SIGCONT)
            running.stop()
        self._others.clear()

    def kill(self) -> None:
        """End everything."""
        for running in (*self._others, *self._steady.values()):
            running.kill()

    def _run(
        self,
        name: str,
        *,
        points: Mapping[FailurePoint, int] | None = None,
        program: Sequence[str] = ("-m", "cercles"),
        environment: Mapping[str, str] | None = None,
    ) -> Running:
        whole = {**self._environments[name], **(environment or {})}
        return Running(name, whole, self._logs / f"{name}.log", program=program, points=points)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
    return lines[0][-300:] if lines else "it said nothing"
