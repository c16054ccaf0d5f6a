"""The tables of a soak, and the line of JSON that is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.soak.verdict import Finding, Seen, disk_share_max, lags, memories, memory_over_time, settled_seconds

_WIDTH: Final = 120
_MB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Outcome:
    """A soak that has ended."""

    seen: Seen
    findings: Sequence[Finding]
    seconds: float
    highest_events_per_second: float
    events_per_second: float
    """What was accepted, of the seconds in which it was sent."""
    cpu_shares: Mapping[str, float]
    """CPU seconds a second of each process, the load and the servers among them."""
    p50_ms: float
    """Of a post: the median of the seconds' medians, and the greatest 99th percentile of a second."""
    p99_ms_max: float
    behind_seconds: float
    refused_posts: int
    stalled_at_seconds: Mapping[str, float]
    """When worker and sink had their longest stall."""
    partition_waits: Mapping[str, float]
    """The longest time for which one partition of worker and sink stood still, others moving or not, in seconds."""
    watch_late_seconds: float


def show(outcome: Outcome) -> None:
    """Print the tables on standard output."""
    console = Console()
    console.width = max(console.width, _WIDTH)
    minutes, settled = outcome.seconds / 60, settled_seconds(outcome.seconds) / 60
    console.print(
        f"soak of {minutes:g} min at {outcome.events_per_second:,.0f} events/s; the highest rate that held was "
        f"{outcome.highest_events_per_second:,.0f}"
    )
    console.print(_processes(outcome, settled))
    console.print(_lags(outcome, settled))
    console.print(
        f"posts: p50 {outcome.p50_ms:.0f} ms, greatest p99 of a second {outcome.p99_ms_max:.0f} ms, begun at most "
        f"{outcome.behind_seconds:.2f} s late, {outcome.refused_posts} sent again"
    )
    waits = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in outcome.partition_waits.items())
    at = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in outcome.stalled_at_seconds.items())
    console.print(
        f"longest stalls ended at: {at}; longest wait of one partition: {waits}; of one second at most "
        f"{disk_share_max(outcome.seen.samples):.0%} was spent waiting for a disk; the watch itself was at most "
        f"{outcome.watch_late_seconds:.2f} s late"
    )
    findings = Table(box=box.SIMPLE)
    for name in ("condition", "holds", "found"):
        findings.add_column(name)
    for one in outcome.findings:
        findings.add_row(one.name, "yes" if one.holds else "NO", one.found, style=None if one.holds else "bold red")
    console.print(findings)


def _processes(outcome: Outcome, settled_minutes: float) -> Table:
    table = Table(box=box.SIMPLE)
    table.add_column("process")
    for name in (f"MB at minute {settled_minutes:.3g}", "at the end", "MB an hour", "longest stall", "CPU"):
        table.add_column(name, justify="right")
    for one in memories(outcome.seen.samples):
        stall = outcome.seen.stalls.get(one.process)
        table.add_row(
            one.process,
            f"{one.settled_bytes / _MB:.1f}",
            f"{one.end_bytes / _MB:.1f}",
            f"{one.bytes_per_hour / _MB:+.1f}",
            "" if stall is None else f"{stall:.2f} s",
            f"{outcome.cpu_shares[one.process]:.0%}",
        )
    table.add_row("load", "", "", "", "", f"{outcome.cpu_shares['load']:.0%}")
    return table


def _lags(outcome: Outcome, settled_minutes: float) -> Table:
    table = Table(box=box.SIMPLE)
    table.add_column("lag, median")
    for name in (f"at minute {settled_minutes:.3g}", "at the end", "in seconds", "then"):
        table.add_column(name, justify="right")
    for one in lags(outcome.seen.samples):
        seconds = f"{one.settled_seconds:.2f}", f"{one.end_seconds:.2f}"
        table.add_row(one.name, f"{one.settled:,.0f}", f"{one.end:,.0f}", *seconds)
    return table


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return what is kept."""
    seen = outcome.seen
    return {
        "name": "soak",
        "minutes": outcome.seconds / 60,
        "highest_events_per_second": round(outcome.highest_events_per_second, 1),
        "events_per_second": round(outcome.events_per_second, 1),
        "log_events": seen.audited.log_events,
        "memory": {
            one.process: {
                "settled_mb": round(one.settled_bytes / _MB, 1),
                "end_mb": round(one.end_bytes / _MB, 1),
                "mb_per_hour": round(one.bytes_per_hour / _MB, 1),
            }
            for one in memories(seen.samples)
        },
        "memory_over_time_mb": {
            name: [round(one / _MB, 1) for one in sizes] for name, sizes in memory_over_time(seen.samples).items()
        },
        "lag_seconds": {
            one.name: [round(one.settled_seconds, 3), round(one.end_seconds, 3)] for one in lags(seen.samples)
        },
        "stall_seconds": {name: round(seconds, 3) for name, seconds in seen.stalls.items()},
        "cpu_share": {name: round(share, 3) for name, share in outcome.cpu_shares.items()},
        "cpu_us": {
            name: round(share / outcome.events_per_second * 1e6, 1) for name, share in outcome.cpu_shares.items()
        },
        "post_p50_ms": round(outcome.p50_ms, 1),
        "post_p99_ms_max": round(outcome.p99_ms_max, 1),
        "refused_posts": outcome.refused_posts,
        "stalled_at_seconds": {name: round(seconds, 1) for name, seconds in outcome.stalled_at_seconds.items()},
        "disk_share_max": round(disk_share_max(seen.samples), 3),
        "partition_wait_seconds": {name: round(seconds, 3) for name, seconds in outcome.partition_waits.items()},
        "watch_late_seconds": round(outcome.watch_late_seconds, 3),
        "findings": {one.name: {"holds": one.holds, "found": one.found} for one in outcome.findings},
        "holds": all(one.holds for one in outcome.findings),
    }
