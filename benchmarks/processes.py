"""The CPU time and the memory of a process, from Linux's /proc."""

import os
from pathlib import Path
from typing import Final

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has taken in all its threads, in user and in system mode."""
    # The second field, the program's name, may hold anything; the numbers stand after its closing bracket.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """Return the memory that a process has resident now, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def ended_children_cpu_seconds(pid: int) -> float:
    """Return the CPU time of the processes that a process has started and that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / _TICKS_PER_SECOND


def disk_waited_seconds() -> float:
    """Return how long everything that ran on this machine has waited for a disk; 0 where Linux does not count it."""
    pressure = Path("/proc/pressure/io")
    if not pressure.exists():
        return 0.0
    full = pressure.read_text(encoding="utf-8").splitlines()[1]
    return int(full.rpartition("total=")[2]) / 1e6


def private_bytes(pid: int) -> int:
    """Return the memory that a process has resident and shares with no other, in bytes."""
    resident, shared = Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1:3]
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def parent(pid: int) -> int:
    """Return the id of the process that started a process."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])


def children(pid: int) -> list[int]:
    """Return the ids of the processes that a process has started and that still run."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    return [int(child) for child in text.split()]
