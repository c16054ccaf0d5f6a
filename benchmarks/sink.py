"""The sink: a topic of updates becomes rows, exactly once; its floor is writing the same rows in bulk.

A real `cercles sink` reads what a worker said of a backlog. The rate is that of ledger entries between its first commit
and its last, so that neither its start nor the group's forming counts. The floor writes every row that the sink has
left behind (entries, pledges, totals), once and without any question: the sink has replaced many of them on the way.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.commands import command, wait_until
from benchmarks.databases import Ask, Postgresql, Rows, Sqlite
from benchmarks.events import CAMPAIGNS_DEFAULT
from benchmarks.harness import Benchmark, Measurement, Row, Sizes, rate
from benchmarks.processes import cpu_seconds
from benchmarks.servers import make_topics, running_kafka, running_postgresql
from benchmarks.updates import PARTITIONS, Backlog, say
from schemas.topics import UPDATES

EVENTS_DEFAULT: Final = 400_000
_LOOK_SECONDS: Final = 0.01
_TABLES: Final = (
    "campaigns",
    "campaign_totals",
    "circle_totals",
    "pledges",
    "shares",
    "share_visits",
    "ledger_entries",
    "milestones",
)
_POSITIONS: Final = f"SELECT partition_number, next_offset FROM sink_positions WHERE topic = '{UPDATES.name}'"  # noqa: S608


class _Side:
    """One database: the sink writes to it, then the same rows are written by its bulk way."""

    def __init__(self, database: Sqlite | Postgresql, bootstrap: str, backlog: Backlog) -> None:
        self._database = database
        self._bootstrap = bootstrap
        self._backlog = backlog
        self._rows: Rows = {}

    def ours(self) -> Measurement:
        """Let a sink apply the whole topic."""
        with self._database.fresh() as url, self._database.asked(url) as ask:
            environment = {"CERCLES_KAFKA_BOOTSTRAP_SERVERS": self._bootstrap, "CERCLES_DATABASE_URL": url}
            environment["CERCLES_SINK_GROUP_ID"] = f"sinks-{time.monotonic_ns()}"
            with command("sink", environment) as process:
                wait_until(lambda: self._applied(ask) > 0, "the sink has committed once", _LOOK_SECONDS)
                first, started, started_cpu = self._applied(ask), time.perf_counter(), cpu_seconds(process.pid)
                wait_until(lambda: self._applied(ask) == self._backlog.entries, "all is applied", _LOOK_SECONDS)
                seconds, cpu = time.perf_counter() - started, cpu_seconds(process.pid) - started_cpu
            if not self._rows:
                self._rows = {table: list(ask(f"SELECT * FROM {table}")) for table in _TABLES}  # noqa: S608 - ours
            if ask("SELECT COUNT(*) FROM ledger_entries") != [(self._backlog.entries,)]:
                raise RuntimeError("the sink has not written every entry exactly once")
        return rate(self._backlog.entries - first, seconds, cpu)

    def floor(self) -> Measurement:
        """Write the rows that the sink has left behind."""
        with self._database.fresh() as url:
            started, started_cpu = time.perf_counter(), time.process_time()
            self._database.write(url, {table: rows for table, rows in self._rows.items() if rows})
            seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
        return rate(self._backlog.entries, seconds, cpu)

    def _applied(self, ask: Ask) -> int:
        return sum(self._backlog.entries_below(partition, offset) for partition, offset in ask(_POSITIONS))


@contextmanager
def _prepare(sizes: Sizes) -> Iterator[Sequence[Row]]:
    campaigns = int(sizes.options.get("campaigns", CAMPAIGNS_DEFAULT))
    with ExitStack() as stack:
        bootstrap = stack.enter_context(running_kafka()).bootstrap_servers
        make_topics(bootstrap, PARTITIONS)
        backlog = say(bootstrap, sizes.events_or(EVENTS_DEFAULT), campaigns)
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="cercles-benchmark-sqlite-")))
        databases: list[Sqlite | Postgresql] = [
            Postgresql(stack.enter_context(running_postgresql())),
            Sqlite(directory),
        ]
        rows = []
        for database in databases:
            side = _Side(database, bootstrap, backlog)
            label = f"{database.kind}, {backlog.entries:,} entries in {backlog.records:,} records"
            rows.append(Row(label, "entries/s", side.ours, side.floor, "≥ 0.5"))
        yield rows


SINK: Final = Benchmark(
    "sink", "ledger entries into a database, exactly once, beside bulk writing of the rows", _prepare
)
