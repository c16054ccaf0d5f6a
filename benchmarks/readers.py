"""A reader: the totals of one campaign of many, while sinks write; its floor answers with a constant.

Each request asks for another campaign, at random. The floor is the same server and framework with nothing behind it.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.commands import answers, command, free_port, program, wait_until
from benchmarks.databases import Postgresql, Sqlite
from benchmarks.events import campaign_ids
from benchmarks.harness import Benchmark, Measurement, Row, Sizes
from benchmarks.knocker import Task
from benchmarks.knocking import knock
from benchmarks.servers import running_postgresql
from benchmarks.writers import WRITERS, Writers

CAMPAIGNS_DEFAULT: Final = 10_000
REQUESTS_DEFAULT: Final = 10_000
CONNECTIONS: Final = 32
LIVE_EVENTS: Final = 200_000
"""Enough for the writers to go on for as long as it may take."""

_OK: Final = 200


def _requests(number: int, campaigns: int) -> list[bytes]:
    randomness = random.Random(1)
    ids = campaign_ids(campaigns)
    return [
        f"GET /v1/campaigns/{randomness.choice(ids)}/circles HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()
        for _ in range(number)
    ]


@contextmanager
def _prepare(sizes: Sizes) -> Iterator[Sequence[Row]]:
    campaigns = int(sizes.options.get("campaigns", CAMPAIGNS_DEFAULT))
    requests = _requests(sizes.events_or(REQUESTS_DEFAULT), campaigns)

    def ask(writers: Writers, port: int, process_id: int) -> Measurement:
        with writers.writing():
            return knock(Task([port], CONNECTIONS, requests), _OK, [process_id])

    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="cercles-benchmark-sqlite-")))
        databases: list[Sqlite | Postgresql] = [
            Postgresql(stack.enter_context(running_postgresql())),
            Sqlite(directory),
        ]
        bare_port = free_port()
        bare = stack.enter_context(program("benchmarks.bare", "reader", str(bare_port)))
        rows = []
        for database in databases:
            url = stack.enter_context(database.fresh())
            port = free_port()
            environment = {"CERCLES_DATABASE_URL": url, "CERCLES_READER_PORT": str(port)}
            reader = stack.enter_context(command("reader", environment))
            writers = stack.enter_context(closing(Writers(url, LIVE_EVENTS, campaigns)))
            for each in (port, bare_port):
                wait_until(partial(answers, each), f"the server on port {each} answers")
            label = f"{database.kind}, one of {campaigns:,} campaigns, {WRITERS} live writers"
            rows.append(
                Row(
                    label,
                    "requests/s",
                    partial(ask, writers, port, reader.pid),
                    partial(ask, writers, bare_port, bare.pid),
                    "≥ 0.4",
                )
            )
        yield rows


READERS: Final = Benchmark("readers", "totals of one campaign over HTTP, beside answering with a constant", _prepare)
