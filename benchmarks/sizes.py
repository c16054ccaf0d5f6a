"""What is kept of an event, a pledge and a ledger entry: bytes on Kafka's disk, in PostgreSQL and in a checkpoint.

Sizes do not vary from run to run, so each is taken once. PostgreSQL's CPU time is measured on the way, while a sink
that is behind writes large transactions.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.commands import command, wait_until
from benchmarks.databases import Ask, Postgresql
from benchmarks.events import CAMPAIGNS_DEFAULT, captures, openings
from benchmarks.harness import Benchmark, Measurement, Row, Sizes
from benchmarks.log import fill_log
from benchmarks.processes import children, cpu_seconds, ended_children_cpu_seconds, parent
from benchmarks.restore import written
from benchmarks.servers import make_topics, running_kafka, running_postgresql
from benchmarks.updates import PARTITIONS, said, say, shared_out
from cercles.topics import connect
from schemas.connections import KafkaConnection
from schemas.topics import LOG, UPDATES

EVENTS_DEFAULT: Final = 200_000
LIVE_BATCH_EVENTS: Final = 100
"""Events that a worker takes of a partition at a time while it keeps up."""

_ENTRIES: Final = "SELECT count(*) FROM ledger_entries"


def _bytes_on_disk(bootstrap: str, topic: str) -> int:
    with connect(KafkaConnection(bootstrap_servers=bootstrap)) as admin:
        return sum(
            partition["partition_size"]
            for broker in admin.describe_log_dirs([topic])
            for directory in broker["log_dirs"]
            for found in directory["topics"]
            for partition in found["partitions"]
        )


def _live_bytes(events: int, campaigns: int) -> int:
    """Return the bytes of all updates when each batch has `LIVE_BATCH_EVENTS`."""
    return sum(
        len(key or b"") + len(value)
        for partition, records in enumerate(shared_out(events, campaigns, PARTITIONS))
        for key, value, _ in said(partition, records, repeat(LIVE_BATCH_EVENTS))
    )


def _row_bytes(ask: Ask, table: str) -> float:
    """Return the bytes of a table for each of its rows, indexes and whatever was replaced among them."""
    ((size, rows),) = ask(f"SELECT pg_total_relation_size('{table}'), count(*) FROM {table}")  # noqa: S608 - ours
    return int(size) / int(rows)


def _stored(url: str, database: Postgresql, bootstrap: str, entries: int) -> dict[str, float]:
    """Let a sink apply the updates; return what the rows take, and PostgreSQL's CPU time for an entry."""
    with database.asked(url) as ask:
        ((backend,),) = ask("SELECT pg_backend_pid()")
        server = parent(backend)
        before = _server_cpu_seconds(server)
        environment = {"CERCLES_KAFKA_BOOTSTRAP_SERVERS": bootstrap, "CERCLES_DATABASE_URL": url}
        with command("sink", environment):
            wait_until(lambda: ask(_ENTRIES) == [(entries,)], "all is applied", 0.5)
            cpu = _server_cpu_seconds(server) - before
        return {
            "a pledge's row": _row_bytes(ask, "pledges"),
            "an entry's row": _row_bytes(ask, "ledger_entries"),
            "PostgreSQL": cpu / entries * 1e6,
        }


def _server_cpu_seconds(server: int) -> float:
    return ended_children_cpu_seconds(server) + sum(map(cpu_seconds, [server, *children(server)]))


def _checkpoint_bytes(pledges: int, campaigns: int) -> float:
    with TemporaryDirectory(prefix="cercles-benchmark-checkpoint-") as directory:
        _, size_bytes = written(Path(directory), pledges, campaigns)
        return size_bytes / pledges


@contextmanager
def _prepare(sizes: Sizes) -> Iterator[Sequence[Row]]:
    campaigns = int(sizes.options.get("campaigns", CAMPAIGNS_DEFAULT))
    events = sizes.events_or(EVENTS_DEFAULT)
    with ExitStack() as stack:
        bootstrap = stack.enter_context(running_kafka()).bootstrap_servers
        make_topics(bootstrap, PARTITIONS)
        total = fill_log(bootstrap, chain(openings(campaigns), captures(events, campaigns)))
        backlog = say(bootstrap, events, campaigns)
        database = Postgresql(stack.enter_context(running_postgresql()))
        url = stack.enter_context(database.fresh())
        stored = _stored(url, database, bootstrap, backlog.entries)
        figures = [
            ("an event on the log, on Kafka's disk", "bytes", _bytes_on_disk(bootstrap, LOG.name) / total),
            ("its updates, worker behind, on disk", "bytes an event", _bytes_on_disk(bootstrap, UPDATES.name) / total),
            (
                f"its updates, batches of {LIVE_BATCH_EVENTS}",
                "bytes an event",
                _live_bytes(events, campaigns) / total,
            ),
            ("a pledge's row, with index", "bytes", stored["a pledge's row"]),
            ("an entry's row, with indexes", "bytes", stored["an entry's row"]),
            ("PostgreSQL, sink behind", "CPU µs an entry", stored["PostgreSQL"]),
            ("a pledge in a checkpoint", "bytes", _checkpoint_bytes(events, campaigns)),
        ]
        yield [_row(label, unit, value) for label, unit, value in figures]


def _row(label: str, unit: str, value: float) -> Row:
    return Row(label, unit, lambda: Measurement(value), warm_up=False)


SIZES: Final = Benchmark("sizes", "what is kept of an event, a pledge and an entry", _prepare)
