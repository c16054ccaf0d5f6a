"""One soak from beginning to end: the highest rate, then 70 % of it for half an hour, then every total."""

import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.commands import wait_until
from benchmarks.events import campaign_ids
from benchmarks.gateway import PARTITIONS
from benchmarks.harness import Sizes, Trial
from benchmarks.log import fill_log
from benchmarks.processes import cpu_seconds
from benchmarks.report import append
from benchmarks.soak.audit import audit
from benchmarks.soak.calibration import highest_rate
from benchmarks.soak.load import Task
from benchmarks.soak.loading import Loading
from benchmarks.soak.report import Outcome, as_json, show
from benchmarks.soak.scene import Scene
from benchmarks.soak.traffic import Traffic
from benchmarks.soak.verdict import Seen, judge
from benchmarks.soak.watching import Watching

MINUTES_DEFAULT: Final = 30.0
CAMPAIGNS_DEFAULT: Final = 1_000
PLEDGES_DEFAULT: Final = 40
"""Of each campaign."""

SHARE: Final = 0.7
"""The rate of the soak, as a share of the highest that holds."""

STEP_SECONDS: Final = 10.0
BEHIND_SECONDS_MAX: Final = 0.5
UNSEEN_SECONDS_MAX: Final = 1.0
"""A rate holds when at the end of a step posts begin in time and the database is behind by so much at most."""

_CHECK_SECONDS: Final = 5.0


class _Soak:
    def __init__(self, sizes: Sizes, stack: ExitStack) -> None:
        self._campaigns = int(sizes.options.get("campaigns", CAMPAIGNS_DEFAULT))
        self._pledges = int(sizes.options.get("pledges", PLEDGES_DEFAULT))
        self._seconds = float(sizes.options.get("minutes", MINUTES_DEFAULT)) * 60
        self._highest = float(sizes.options.get("highest", 0))
        self._stack = stack
        self._scene = Scene(stack)
        task = Task(self._scene.ports["gateway"], self._campaigns, self._pledges, seed=1, began_at=datetime.now(UTC))
        traffic = Traffic(task.campaigns, task.pledges, task.seed, task.began_at)
        self._opening_events = fill_log(self._scene.bootstrap, traffic.openings())
        self._drain()
        self._load = stack.enter_context(Loading(task))

    def run(self) -> Outcome:
        """Soak. Raises whatever goes wrong with it; a condition that does not hold is a finding."""
        self._populate()
        highest = self._highest or highest_rate(self._holds)
        rate = highest * SHARE
        self._drain()
        _say(f"soaking at {rate:,.0f} events/s for {self._seconds / 60:g} min")
        ids = campaign_ids(self._campaigns)
        with Watching(self._scene, ids) as watching:
            before = self._cpu_seconds()
            reports_before, accepted_before = len(self._load.reports), self._load.reports[-1].accepted_events
            began = time.perf_counter()
            self._load.go(rate)
            while (left := began + self._seconds - time.perf_counter()) > 0:
                time.sleep(min(_CHECK_SECONDS, left))
                watching.check()
                self._scene.check()
            taken = {name: (after - before[name]) / self._seconds for name, after in self._cpu_seconds().items()}
            self._load.go(0)
        last = self._load.stop()
        self._drain()
        _say(f"auditing {last.accepted_events:,} events")
        reports = self._load.reports[reports_before:]
        stalls = watching.stalls()
        stalls["gateway"] = max(stalls["gateway"], *(one.silent_seconds for one in reports))
        audited = audit(
            self._scene.bootstrap,
            self._scene.engine,
            PARTITIONS,
            ids,
            self._opening_events + last.accepted_events,
        )
        seen = Seen(watching.samples, stalls, audited, list(self._scene.operations_ports))
        return Outcome(
            seen=seen,
            findings=judge(seen),
            seconds=self._seconds,
            highest_events_per_second=highest,
            events_per_second=(last.accepted_events - accepted_before) / self._seconds,
            cpu_shares=taken,
            p50_ms=sorted(one.p50_ms for one in reports)[len(reports) // 2],
            p99_ms_max=max(one.p99_ms for one in reports),
            behind_seconds=max(one.behind_seconds for one in reports),
            refused_posts=last.refused_posts,
            stalled_at_seconds=watching.stalled_at(),
            partition_waits=watching.partition_waits(),
            watch_late_seconds=watching.late_seconds,
        )

    def _populate(self) -> None:
        self._load.go(None)
        wait_until(lambda: bool(self._load.reports) and self._load.reports[-1].is_populated, "all pledges are made")
        self._load.go(0)
        self._drain()

    def _holds(self, events_per_second: float) -> bool:
        """Try a rate for some seconds, then let everything come through."""
        refused_before = self._load.reports[-1].refused_posts
        self._load.go(events_per_second)
        time.sleep(STEP_SECONDS)
        report, unseen = self._load.reports[-1], self._scene.unseen_events()
        self._load.go(0)
        self._drain()
        holds = (
            report.behind_seconds <= BEHIND_SECONDS_MAX
            and unseen <= events_per_second * UNSEEN_SECONDS_MAX
            and self._load.reports[-1].refused_posts == refused_before
        )
        _say(
            f"{events_per_second:,.0f} events/s {'hold' if holds else 'are too many'}: "
            f"posts {report.behind_seconds:.2f} s late, the database {unseen:,} events behind"
        )
        return holds

    def _drain(self) -> None:
        wait_until(self._scene.is_drained, "the database has all that stands on the log", 0.2)

    def _cpu_seconds(self) -> dict[str, float]:
        pids = self._scene.pids() | {"load": [self._load.pid]}
        return {name: sum(map(cpu_seconds, ids)) for name, ids in pids.items()}


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")


def soak(sizes: Sizes, directory: Path) -> bool:
    """Soak, show what was found, keep it; return whether every condition holds."""
    with ExitStack() as stack:
        outcome = _Soak(sizes, stack).run()
    show(outcome)
    append("soak", as_json(outcome), directory)
    return all(one.holds for one in outcome.findings)


SOAK: Final = Trial("soak", "half an hour at 70 % of the highest rate: memory, lag, stalls, totals", soak)
