"""The measured figures that the capacity page rests on, pinned in `inputs.json` so that it says the same everywhere.

`python -m benchmarks.capacity --take` replaces each by the newest line of its benchmark's results, where there is one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

PINNED: Final = Path(__file__).parent / "inputs.json"


class Figure(msgspec.Struct, frozen=True):
    """A figure, in the unit of its name, and when and on what it was measured."""

    value: float
    taken: str


class Inputs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every figure. CPU times are microseconds of one core, sizes bytes."""

    gateway_post_us: Figure
    gateway_batch_event_us: Figure
    worker_event_us: Figure
    worker_one_campaign_event_us: Figure
    worker_one_campaign_events_per_second: Figure
    fold_1_000_campaigns_event_us: Figure
    fold_10_000_campaigns_event_us: Figure
    fold_100_000_campaigns_event_us: Figure
    fold_1_000_000_campaigns_event_us: Figure
    sink_entry_us: Figure
    postgresql_entry_us: Figure
    kafka_event_us: Figure
    log_event_bytes: Figure
    updates_event_bytes: Figure
    pledge_memory_bytes: Figure
    pledge_checkpoint_bytes: Figure
    pledge_row_bytes: Figure
    entry_row_bytes: Figure
    restore_checkpoint_pledges_per_second: Figure
    restore_log_events_per_second: Figure


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure stands among the results: the benchmark, a part of the row's label, and the way into the row."""

    benchmark: str
    label: str
    way: tuple[str, ...]
    words: str
    options: str = ""
    """What else goes into `make bench ARGS=…` to measure just that."""


SOURCES: Final[Mapping[str, Source]] = {
    "gateway_post_us": Source("gateway", "posts of one event", ("cpu_us", "ours"), "gateway, a post of one event"),
    "gateway_batch_event_us": Source(
        "gateway", "posts of 100 events", ("cpu_us", "ours"), "gateway, an event in a post of 100"
    ),
    "worker_event_us": Source("worker", "1,000 campaigns", ("cpu_us", "ours"), "worker that is behind, an event"),
    "worker_one_campaign_event_us": Source(
        "worker", " 1 campaigns", ("cpu_us", "ours"), "the same, all events of one campaign", "--set campaigns=1"
    ),
    "worker_one_campaign_events_per_second": Source(
        "worker", " 1 campaigns", ("ours",), "the same on the wall clock, events a second", "--set campaigns=1"
    ),
    "fold_1_000_campaigns_event_us": Source(
        "scaling",
        "10,000 campaigns, beside 1,000, one partition's",
        ("cpu_us", "floor"),
        "folding alone, an event of 1,000 campaigns on 8 partitions",
    ),
    "fold_10_000_campaigns_event_us": Source(
        "scaling", "10,000 campaigns, beside 1,000, one partition's", ("cpu_us", "ours"), "the same, 10,000 campaigns"
    ),
    "fold_100_000_campaigns_event_us": Source(
        "scaling", "100,000 campaigns, beside 1,000, one partition's", ("cpu_us", "ours"), "the same, 100,000 campaigns"
    ),
    "fold_1_000_000_campaigns_event_us": Source(
        "scaling",
        "1,000,000 campaigns, beside 1,000, one partition's",
        ("cpu_us", "ours"),
        "the same, 1,000,000 campaigns",
    ),
    "sink_entry_us": Source("sink", "PostgreSQL", ("cpu_us", "ours"), "sink that is behind, an entry"),
    "postgresql_entry_us": Source("sizes", "PostgreSQL", ("ours",), "PostgreSQL meanwhile, an entry"),
    "kafka_event_us": Source("soak", "", ("cpu_us", "Kafka"), "one broker, an event with all that follows"),
    "log_event_bytes": Source("sizes", "an event on the log", ("ours",), "an event on the log, on disk"),
    "updates_event_bytes": Source("sizes", "batches of", ("ours",), "its updates, worker keeping up"),
    "pledge_memory_bytes": Source("memory", "", ("ours",), "a pledge in a worker's memory"),
    "pledge_checkpoint_bytes": Source("sizes", "checkpoint", ("ours",), "a pledge in a checkpoint"),
    "pledge_row_bytes": Source("sizes", "a pledge's row", ("ours",), "a pledge's row in PostgreSQL, with index"),
    "entry_row_bytes": Source("sizes", "an entry's row", ("ours",), "an entry's row in PostgreSQL, with indexes"),
    "restore_checkpoint_pledges_per_second": Source(
        "restore", "from a checkpoint", ("ours",), "restoring from checkpoints, pledges a second"
    ),
    "restore_log_events_per_second": Source(
        "restore", "from the log", ("ours",), "restoring from the log, events a second"
    ),
}
"""For each field of `Inputs`, where its figure comes from."""


def pinned() -> Inputs:
    """Return the figures that are checked in. Raises msgspec.ValidationError."""
    return msgspec.json.decode(PINNED.read_bytes(), type=Inputs)


def taken(present: Inputs, results: Path) -> Inputs:
    """Return the figures with those of the newest results in their place."""
    newest = {name: _newest(source, results) for name, source in SOURCES.items()}
    return msgspec.structs.replace(present, **{name: figure for name, figure in newest.items() if figure is not None})


def as_text(inputs: Inputs) -> str:
    """Return the content of `inputs.json`."""
    return json.dumps(msgspec.to_builtins(inputs), indent=2, ensure_ascii=False) + "\n"


def _newest(source: Source, results: Path) -> Figure | None:
    """Return the figure of the last line that has it, or None."""
    file = results / f"{source.benchmark}.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    found = None
    for line in map(json.loads, lines):
        for row in (line, *line.get("rows", ())):
            value = _follow(row, source.way)
            if value is not None and source.label in row.get("label", ""):
                words = f"{line['date'][:10]}, commit {line['commit']}, {line['cpus']} × {line['cpu']}"
                runs = row.get("runs", 1)
                found = Figure(value, f"{words}, {runs} run{'' if runs == 1 else 's'}")
    return found


def _follow(row: Mapping[str, Any], way: tuple[str, ...]) -> float | None:
    found: Any = row
    for step in way:
        found = found.get(step) if isinstance(found, dict) else None
    return None if found is None else float(found)
