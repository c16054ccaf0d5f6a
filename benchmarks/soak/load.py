"""`python -m benchmarks.soak.load`: posts signed batches to a gateway at the rate it is told, and says how it goes.

A process of its own, so that neither its events nor its waiting weigh on what is watched. The first line on standard
input is a `Task`; each further line is an `Order`; the end of the input ends it. It writes a `Report` every second. The
population comes first; then the steady events, without end. A post that is refused for the moment, or whose connection
breaks, is sent again as it was until it is taken.
"""

import asyncio
import sys
import time
import uuid
from datetime import datetime
from http import HTTPStatus
from itertools import islice
from typing import Final

import httpx
import msgspec
from standardwebhooks import Webhook

from benchmarks.gateway import SECRET, SOURCE
from benchmarks.soak.traffic import Traffic
from producers.sending import batch_headers

EVENTS_PER_POST: Final = 100
POSTS_UNDER_WAY_MAX: Final = 32
REPORT_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 0.2
_PAUSE_SECONDS: Final = 0.02
_ANSWER_SECONDS_MAX: Final = 30.0


class Task(msgspec.Struct, frozen=True):
    """Where to post what: `pledges` of each campaign; the seed and the moment make the traffic."""

    port: int
    campaigns: int
    pledges: int
    seed: int
    began_at: datetime


class Order(msgspec.Struct, frozen=True):
    """How many events to post in a second; 0 pauses, None is as fast as posts are answered."""

    events_per_second: float | None


class Report(msgspec.Struct, frozen=True):
    """How it goes. Counts are since the start, the others since the report before."""

    accepted_events: int
    refused_posts: int
    is_populated: bool
    """Whether all of the population has been handed out."""
    under_way: int
    behind_seconds: float
    """How late a post began, at most: its place among those under way was taken."""
    silent_seconds: float
    """The longest time without any answer while posts were under way."""
    p50_ms: float
    p99_ms: float


class _Load:
    def __init__(self, task: Task, client: httpx.AsyncClient) -> None:
        traffic = Traffic(task.campaigns, task.pledges, task.seed, task.began_at)
        self._population = traffic.population()
        self._steady = traffic.steady()
        self._client = client
        self._webhook = Webhook(SECRET)
        self._room = asyncio.Semaphore(POSTS_UNDER_WAY_MAX)
        self._rate: float | None = 0.0
        self._accepted = self._refused = self._under_way = 0
        self._is_populated = False
        self._behind_seconds = self._silent_seconds = self._heard_at = 0.0
        self._latencies: list[float] = []

    async def run(self, orders: asyncio.StreamReader) -> None:
        """Work until there are no more orders; then wait for the answers still due."""
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(self._tell(tasks))
            reporting = tasks.create_task(self._report_always())
            while line := await orders.readline():
                self._rate = msgspec.json.decode(line, type=Order).events_per_second
            telling.cancel()
            reporting.cancel()
        self._report()

    async def _tell(self, tasks: asyncio.TaskGroup) -> None:
        due = time.perf_counter()
        while True:
            if self._rate == 0:
                await asyncio.sleep(_PAUSE_SECONDS)
                due = time.perf_counter()
                continue
            await self._room.acquire()
            now = time.perf_counter()
            due = now if self._rate is None else due
            self._behind_seconds = max(self._behind_seconds, now - due)
            tasks.create_task(self._post(self._body()))
            due += EVENTS_PER_POST / self._rate if self._rate else 0.0
            await asyncio.sleep(max(0.0, due - now))

    def _body(self) -> bytes:
        events = list(islice(self._population, EVENTS_PER_POST))
        self._is_populated = not events
        return b"[" + b",".join(events or islice(self._steady, EVENTS_PER_POST)) + b"]"

    async def _post(self, body: bytes) -> None:
        """Post until it is taken. Raises RuntimeError for an answer that trying again can't cure."""
        began = time.perf_counter()
        if not self._under_way:
            self._heard_at = began
        self._under_way += 1
        while not await self._is_taken(body):
            self._refused += 1
            await asyncio.sleep(_RETRY_SECONDS)
        self._under_way -= 1
        self._room.release()
        self._latencies.append(time.perf_counter() - began)

    async def _is_taken(self, body: bytes) -> bool:
        headers = batch_headers(self._webhook, f"msg_{uuid.uuid4().hex}", body)
        try:
            answer = await self._client.post(f"/v1/sources/{SOURCE}/events", content=body, headers=headers)
        except httpx.TransportError:
            return False
        self._note_silence()
        if answer.status_code == HTTPStatus.ACCEPTED:
            self._accepted += len(msgspec.json.decode(answer.content)["accepted"])
            return True
        if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
            raise RuntimeError(f"the gateway answered {answer.status_code}: {answer.text}")
        return False

    def _note_silence(self) -> None:
        now = time.perf_counter()
        self._silent_seconds = max(self._silent_seconds, now - self._heard_at)
        self._heard_at = now

    async def _report_always(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            self._report()

    def _report(self) -> None:
        silent_now = time.perf_counter() - self._heard_at if self._under_way else 0.0
        latencies = sorted(self._latencies) or [0.0]
        report = Report(
            accepted_events=self._accepted,
            refused_posts=self._refused,
            is_populated=self._is_populated,
            under_way=self._under_way,
            behind_seconds=self._behind_seconds,
            silent_seconds=max(self._silent_seconds, silent_now),
            p50_ms=latencies[len(latencies) // 2] * 1000,
            p99_ms=latencies[len(latencies) * 99 // 100] * 1000,
        )
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()
        self._behind_seconds = self._silent_seconds = 0.0
        self._latencies = []


async def _main() -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    task = msgspec.json.decode(await orders.readline(), type=Task)
    limits = httpx.Limits(max_connections=POSTS_UNDER_WAY_MAX)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{task.port}", timeout=_ANSWER_SECONDS_MAX, limits=limits
    ) as client:
        await _Load(task, client).run(orders)


if __name__ == "__main__":
    asyncio.run(_main())
