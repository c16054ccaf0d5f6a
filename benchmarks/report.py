"""Shows results as a table, keeps them as lines of JSON, and says on which machine they were taken."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.harness import Result, also, cpu_us

RESULTS: Final = Path(__file__).parent / "results"

_WIDTH_MIN: Final = 140
"""Columns of the table, also where standard output is a file or a narrow terminal: figures cut off help nobody."""

_WHOLE_FROM: Final = 1_000
"""From here on, numbers are shown without decimals."""


def show(name: str, measures: str, results: Sequence[Result]) -> None:
    """Print a benchmark's table."""
    table = Table(title=f"{name}: {measures}", title_justify="left", title_style="bold", box=box.SIMPLE)
    table.add_column("")
    for column in ("ours", "floor", "ratio", "spread", "CPU µs", "floor CPU µs"):
        table.add_column(column, justify="right")
    table.add_column("reach")
    for one in results:
        table.add_row(
            f"{one.label} ({one.unit})",
            _number(one.ours_value),
            _number(one.floor_value),
            "" if one.ratio is None else f"{one.ratio:.3f}",
            f"{one.spread:.0%}",
            _number(cpu_us(one.ours)),
            _number(cpu_us(one.floor)),
            one.reach,
        )
        floor = also(one.floor) if one.floor else {}
        for key, value in also(one.ours).items():
            table.add_row(f"  {key}", _number(value), _number(floor.get(key)))
    console = Console()
    console.width = max(console.width, _WIDTH_MIN)
    console.print(table)


def as_json(name: str, results: Sequence[Result]) -> dict[str, Any]:
    """Return the first row as the benchmark's own figure, and the others below `rows`."""
    first, *others = (_row(one) for one in results)
    return {"name": name} | first | ({"rows": others} if others else {})


def keep(name: str, results: Sequence[Result], directory: Path) -> None:
    """Append a line of JSON to the benchmark's results."""
    append(name, as_json(name, results), directory)


def append(name: str, content: Mapping[str, Any], directory: Path) -> None:
    """Append a line of JSON to the results of that name, with when and on what it was measured."""
    directory.mkdir(parents=True, exist_ok=True)
    line = json.dumps({**_circumstances(), **content}, ensure_ascii=False)
    with (directory / f"{name}.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def _row(result: Result) -> dict[str, Any]:
    return {
        "label": result.label,
        "unit": result.unit,
        "ours": _rounded(result.ours_value),
        "floor": _rounded(result.floor_value),
        "ratio": _rounded(result.ratio),
        "spread": _rounded(result.spread),
        "runs": len(result.ours),
        "cpu_us": {"ours": _rounded(cpu_us(result.ours)), "floor": _rounded(cpu_us(result.floor))},
        "also": {key: _rounded(value) for key, value in also(result.ours).items()},
    }


def _circumstances() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "python": platform.python_version(),
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }


def _commit() -> str:
    """Return the commit that was measured, with a plus sign when the tree is not exactly that."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],  # noqa: S607 (whichever git is in use here)
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:.3g}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
