"""Worker processes as `cercles worker` starts them, watched from outside: how far they are and what CPU they took."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from benchmarks.harness import Measurement, rate
from benchmarks.processes import cpu_seconds
from cercles.ports import LOOPBACK, free_ports

_ASK_SECONDS_MAX: Final = 5.0
_LOOK_SECONDS_MIN: Final = 0.05
_LOOK_SECONDS_MAX: Final = 0.5
"""Each look makes a worker write down its metrics, which takes it some milliseconds."""
_STOP_SECONDS_MAX: Final = 30.0
_STALL_SECONDS_MAX: Final = 120.0
WARM_SHARE: Final = 0.2
"""The share of the log that a worker has behind it when its rate begins to count."""

_SAMPLE: Final = re.compile(r"^(\w+)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


class Worker:
    """One worker process."""

    def __init__(self, bootstrap: str, group: str, log: Path, settings: Mapping[str, str]) -> None:
        (self._port,) = free_ports(1)
        self._log = log
        environment = {
            "CERCLES_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "CERCLES_WORKER_GROUP": group,
            "CERCLES_OPERATIONS_PORT": str(self._port),
        }
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cercles", "worker"],
                env=os.environ | environment | dict(settings),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def samples(self) -> dict[str, float]:
        """Return its metrics, summed over their labels; empty before it answers. Raises RuntimeError once it ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"a worker ended by itself; its log ends with:\n{self._tail()}")
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}/metrics", timeout=_ASK_SECONDS_MAX) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, TimeoutError):
            return {}
        sums: dict[str, float] = {}
        for name, value in _SAMPLE.findall(text):
            sums[name] = sums.get(name, 0.0) + float(value)
        return sums

    def stop(self) -> None:
        """End it in order. Raises subprocess.TimeoutExpired."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(_STOP_SECONDS_MAX)

    def kill(self) -> None:
        """End it at once, if it still runs."""
        self._process.kill()
        self._process.wait()

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])


@contextmanager
def running_workers(
    bootstrap: str, group: str, count: int, settings: Mapping[str, str] | None = None
) -> Iterator[list[Worker]]:
    """Start workers of one group; they end with the context."""
    with TemporaryDirectory(prefix="cercles-benchmark-worker-") as directory:
        workers = [
            Worker(bootstrap, group, Path(directory) / f"worker-{number}.log", settings or {})
            for number in range(count)
        ]
        try:
            yield workers
            for worker in workers:
                worker.stop()
        finally:
            for worker in workers:
                worker.kill()


class Look(NamedTuple):
    """Where the workers were at a moment."""

    seconds: float
    done: int
    cpu_seconds: float


def acknowledged(samples: Mapping[str, float]) -> int:
    """Return how many events of the log a worker has acknowledged."""
    return int(samples.get("cercles_worker_next_offset", 0))


def aligned(samples: Mapping[str, float]) -> int:
    """Return how many events a worker has read from the log to catch up with it."""
    return int(samples.get("cercles_worker_aligned_events_total", 0))


def watch(
    workers: Sequence[Worker], total: int, done: Callable[[Mapping[str, float]], int] = acknowledged
) -> list[Look]:
    """Look again and again how far the workers are, until they have done `total` events; seldom until near the end.

    Raises TimeoutError when they stall, and what `Worker.samples` raises.
    """
    looks = [Look(time.perf_counter(), 0, 0.0)]
    moved = time.perf_counter()
    while looks[-1].done < total:
        time.sleep(_pause_seconds(looks, total))
        so_far = sum(done(worker.samples()) for worker in workers)
        now = time.perf_counter()
        if so_far > looks[-1].done:
            moved = now
            looks.append(Look(now, so_far, sum(cpu_seconds(worker.pid) for worker in workers)))
        elif now - moved > _STALL_SECONDS_MAX:
            raise TimeoutError(f"the workers are at {so_far} of {total} events since {_STALL_SECONDS_MAX} s")
    return looks


def _pause_seconds(looks: Sequence[Look], total: int) -> float:
    """Return half of the time that is left at the pace since the first progress, within bounds."""
    first, last = looks[:2][-1], looks[-1]
    if last.done == first.done:
        return _LOOK_SECONDS_MIN
    left_seconds = (total - last.done) * (last.seconds - first.seconds) / (last.done - first.done)
    return min(max(left_seconds / 2, _LOOK_SECONDS_MIN), _LOOK_SECONDS_MAX)


def steady(looks: Sequence[Look], **also: float) -> Measurement:
    """Return the rate from the first look at which a fifth was done to the end."""
    last = looks[-1]
    first = next(look for look in looks if look.done >= WARM_SHARE * last.done)
    return rate(last.done - first.done, last.seconds - first.seconds, last.cpu_seconds - first.cpu_seconds, **also)
