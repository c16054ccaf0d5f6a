"""Runs the faults one after the other on one scene, and the oracle after each."""

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.fault import Fault, Row
from tests.faults.full_disks import disk_faults
from tests.faults.kills import kill_faults
from tests.faults.oracle import Verdict
from tests.faults.outages import outage_faults
from tests.faults.scene import Scene, scene
from tests.faults.upgrades import upgrade_faults


def catalog() -> list[Fault]:
    """Return all faults, in the order in which they are inflicted."""
    return [*kill_faults(), *outage_faults(), *disk_faults(), *upgrade_faults()]


@dataclass
class Report:
    """What a run came to."""

    seed: int
    rows: list[Row] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0
    disks: str = ""

    @property
    def is_good(self) -> bool:
        return not self.complaints


def run(faults: Sequence[Fault], seed: int, *, short: bool) -> Report:
    """Inflict the faults, in full or in short; say on standard error how it goes."""
    report = Report(seed)
    started = time.monotonic()
    with scene(seed, short=short) as stage:
        report.disks = ", ".join(sorted({disk.kind for disk in stage.disks.values()}))
        for number, fault in enumerate(faults):
            row, complaints = run_fault(stage, fault, f"fault-{number}")
            report.rows.append(row)
            report.complaints += [f"{fault.name}: {complaint}" for complaint in complaints]
            _say(f"{time.monotonic() - started:6.0f} s  {row}")
            for complaint in complaints:
                _say(f"          WRONG: {complaint}")
        whole = stage.judge_everything()
        report.complaints += [f"the whole log: {complaint}" for complaint in (*whole.complaints, *stage.complaints)]
        for end in stage.fleet.ends:
            _say(f"          {end}")
    report.seconds = time.monotonic() - started
    return report


def run_fault(stage: Scene, fault: Fault, prefix: str) -> tuple[Row, list[str]]:
    """Inflict a fault as often as it is to be, under load; return its row, and what was found wrong."""
    wanted = fault.times_short if stage.short else fault.times_full
    times = 0
    stage.begin(prefix)
    try:
        while times < wanted:
            measured = len(stage.recoveries)
            times += fault.inflict(stage, wanted - times)
            recovery = stage.recover()
            if len(stage.recoveries) == measured:
                stage.recoveries.append(recovery)
            stage.go_on()
    except Exception as error:  # noqa: BLE001 - one fault that could not be inflicted is wrong, and not the end
        stage.complaints.append(f"{type(error).__name__}: {error}")
    try:
        verdict = stage.judge()
    except Exception as error:  # noqa: BLE001 - what can't be judged is no success either
        verdict = Verdict(complaints=[f"no verdict: {type(error).__name__}: {error}"])
    return _row(fault.name, times, stage.recoveries, verdict), verdict.complaints


def _row(name: str, times: int, recoveries: list[float], verdict: Verdict) -> Row:
    return Row(
        fault=name,
        times=times,
        accepted=verdict.accepted,
        applied=verdict.applied,
        dead=verdict.dead,
        lost=verdict.lost,
        duplicated=verdict.duplicated,
        recovery_median_s=round(statistics.median(recoveries), 2) if recoveries else None,
        recovery_max_s=round(max(recoveries), 2) if recoveries else None,
    )


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
