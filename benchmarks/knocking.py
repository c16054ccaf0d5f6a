"""Lets the knocker knock, and takes the CPU time of those who answered."""

import subprocess
import sys
from collections.abc import Sequence

import msgspec

from benchmarks.harness import Measurement, rate
from benchmarks.knocker import Task, Told
from benchmarks.processes import cpu_seconds


def knock(task: Task, status: int, servers: Sequence[int], things_per_request: int = 1) -> Measurement:
    """Send the requests and return their rate, with the CPU time of the servers (process ids).

    Raises RuntimeError when an answer has another status.
    """
    before = sum(map(cpu_seconds, servers))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.knocker"],
        input=msgspec.msgpack.encode(task),
        stdout=subprocess.PIPE,
        check=True,
    )
    cpu = sum(map(cpu_seconds, servers)) - before
    told = msgspec.json.decode(done.stdout, type=Told)
    if set(told.statuses) != {str(status)}:
        raise RuntimeError(f"the answers had the statuses {told.statuses}, not {status} only")
    count = len(task.requests) * things_per_request
    sender_us = told.cpu_seconds / count * 1e6
    return rate(count, told.seconds, cpu, p50_ms=told.p50_ms, p99_ms=told.p99_ms, sender_cpu_us=sender_us)
