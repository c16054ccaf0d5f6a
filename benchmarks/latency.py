"""End to end: from a post's 202 until a reader shows the event, at a steady rate, with every process on this machine.

Posts come at fixed times, whatever became of those before. Of some of them the reader is asked at once, waiting for the
position that the 202 named (`wait_for`): the time from the 202 to that answer is the latency.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import Final

import httpx
import msgspec
from kafka import KafkaProducer
from standardwebhooks import Webhook

from benchmarks.commands import answers, command, free_port, wait_until
from benchmarks.databases import Postgresql
from benchmarks.events import Record, campaign_ids, captures, openings
from benchmarks.gateway import ENVIRONMENT, PARTITIONS, SECRET, SOURCE
from benchmarks.harness import Benchmark, Measurement, Row, Sizes
from benchmarks.processes import cpu_seconds
from benchmarks.servers import make_topics, running_kafka, running_postgresql
from producers.sending import batch_headers
from schemas.topics import LOG

CAMPAIGNS_DEFAULT: Final = 1_000
EVENTS_PER_SECOND: Final = 1_000
EVENTS_PER_POST: Final = 10
EVENTS_DEFAULT: Final = 20_000
ASKED_EVERY: Final = 4
"""One of so many posts is followed into the reader: watching must not become the load."""

_ANSWER_SECONDS_MAX: Final = 30.0

_IDLE_SECONDS_MAX: Final = 3.0
"""Longest that a connection is kept for another post: the gateway closes it after 5 s, just as httpx takes it again."""


class _Receipt(msgspec.Struct):
    accepted: list[dict[str, str]]


class _Pipeline:
    """Everything between a post and an answer, and the CPU time it takes."""

    def __init__(self, stack: ExitStack) -> None:
        kafka = stack.enter_context(running_kafka())
        self.bootstrap = kafka.bootstrap_servers
        make_topics(self.bootstrap, PARTITIONS)
        database = Postgresql(stack.enter_context(running_postgresql()))
        self.gateway_port, self.reader_port = free_port(), free_port()
        environment = ENVIRONMENT | {
            "CERCLES_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "CERCLES_DATABASE_URL": stack.enter_context(database.fresh()),
            "CERCLES_GATEWAY_PORT": str(self.gateway_port),
            "CERCLES_READER_PORT": str(self.reader_port),
        }
        self._processes = [
            stack.enter_context(command(name, environment)) for name in ("worker", "sink", "reader", "gateway")
        ]
        for port in (self.gateway_port, self.reader_port):
            wait_until(partial(answers, port), f"the server on port {port} answers")

    def cpu_seconds(self) -> float:
        """Return what our processes have taken so far."""
        return sum(cpu_seconds(process.pid) for process in self._processes)


class _Clients:
    """Posts events and asks for them."""

    def __init__(self, gateway: httpx.AsyncClient, reader: httpx.AsyncClient) -> None:
        self._gateway = gateway
        self._reader = reader
        self._webhook = Webhook(SECRET)
        self.latencies_ms: list[float] = []

    async def post(self, records: Sequence[Record]) -> str:
        """Post the events and return the position of the last. Raises httpx's error for any answer but 202."""
        body = b"[" + b",".join(record.value for record in records) + b"]"
        headers = batch_headers(self._webhook, f"msg_{uuid.uuid4().hex}", body)
        answer = await self._gateway.post(f"/v1/sources/{SOURCE}/events", content=body, headers=headers)
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=_Receipt).accepted[-1]["position"]

    async def follow(self, records: Sequence[Record]) -> None:
        """Post the events, and wait until the reader shows the last of them."""
        position = await self.post(records)
        accepted_at = time.perf_counter()
        campaign_id = records[-1].key.decode()
        answer = await self._reader.get(f"/v1/campaigns/{campaign_id}/circles", params={"wait_for": position})
        if answer.status_code != HTTPStatus.OK:
            raise RuntimeError(f"the reader answered {answer.status_code} when asked to wait for {position}")
        self.latencies_ms.append((time.perf_counter() - accepted_at) * 1000)


def _open(pipeline: _Pipeline, campaigns: int) -> None:
    """Put the campaigns' launches and links on the log, and wait until they are stored."""
    ends: dict[int, int] = {}
    last = campaign_ids(campaigns)[-1]
    with closing(KafkaProducer(bootstrap_servers=pipeline.bootstrap, acks="all", enable_idempotence=True)) as producer:
        for future in [producer.send(LOG.name, value, key=key) for key, value in openings(campaigns)]:
            written = future.get(_ANSWER_SECONDS_MAX)
            ends[written.partition] = max(written.offset, ends.get(written.partition, 0))
    for partition, offset in ends.items():
        url = f"http://127.0.0.1:{pipeline.reader_port}/v1/campaigns/{last}?wait_for={partition}:{offset}"
        wait_until(partial(_is_answered, url), "the campaigns are launched")


def _is_answered(url: str) -> bool:
    return httpx.get(url, timeout=_ANSWER_SECONDS_MAX).is_success


async def _run(pipeline: _Pipeline, records: list[Record], events_per_second: int) -> Measurement:
    """Post everything at its time; return the median latency."""
    async with _clients(pipeline) as (gateway, reader), asyncio.TaskGroup() as tasks:
        clients = _Clients(gateway, reader)
        began_at, began_cpu = time.perf_counter(), pipeline.cpu_seconds()
        for number, start in enumerate(range(0, len(records), EVENTS_PER_POST)):
            await asyncio.sleep(max(0.0, began_at + start / events_per_second - time.perf_counter()))
            posted = records[start : start + EVENTS_PER_POST]
            tasks.create_task(clients.follow(posted) if number % ASKED_EVERY == 0 else clients.post(posted))
    seconds = time.perf_counter() - began_at
    latencies = sorted(clients.latencies_ms)
    return Measurement(
        latencies[len(latencies) // 2],
        (pipeline.cpu_seconds() - began_cpu) / len(records) * 1e6,
        {"p99_ms": latencies[len(latencies) * 99 // 100], "events_per_second": len(records) / seconds},
    )


@asynccontextmanager
async def _clients(pipeline: _Pipeline) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    limits = httpx.Limits(max_connections=None, keepalive_expiry=_IDLE_SECONDS_MAX)
    async with (
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{pipeline.gateway_port}", timeout=_ANSWER_SECONDS_MAX, limits=limits
        ) as gateway,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{pipeline.reader_port}", timeout=_ANSWER_SECONDS_MAX, limits=limits
        ) as reader,
    ):
        yield gateway, reader


@contextmanager
def _prepare(sizes: Sizes) -> Iterator[Sequence[Row]]:
    campaigns = int(sizes.options.get("campaigns", CAMPAIGNS_DEFAULT))
    events = sizes.events_or(EVENTS_DEFAULT)
    events_per_second = int(sizes.options.get("rate", EVENTS_PER_SECOND))
    with ExitStack() as stack:
        pipeline = _Pipeline(stack)
        _open(pipeline, campaigns)
        seeds = count(1)

        def ours() -> Measurement:
            return asyncio.run(_run(pipeline, list(captures(events, campaigns, next(seeds))), events_per_second))

        label = f"p50 at {events_per_second:,} events/s, {EVENTS_PER_POST} a post"
        yield [Row(label, "ms", ours, reach="p50 ≤ 60 ms, p99 ≤ 250 ms")]


LATENCY: Final = Benchmark("latency", "from a 202 until a reader shows the event, through every process", _prepare)
