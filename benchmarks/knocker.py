"""A program that sends requests which are ready made, over connections that stay open, and says how it went.

`python -m benchmarks.knocker` reads one `Task` from standard input and writes one `Told` to standard output. A process
of its own, so that it takes nothing from what it measures, and with no HTTP library in it: those that come with the
project take longer over a request than the gateway does. Each connection has one request under way at a time.
"""

import asyncio
import sys
import time
from collections import Counter
from typing import Final

import msgspec

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "
_STATUS: Final = slice(9, 12)


class Task(msgspec.Struct, frozen=True):
    """What to send: every request once, shared out over the connections; to which ports of this machine."""

    ports: list[int]
    connections: int
    requests: list[bytes]


class Told(msgspec.Struct, frozen=True):
    """What came of it. Latencies are in milliseconds."""

    seconds: float
    cpu_seconds: float
    statuses: dict[str, int]
    p50_ms: float
    p99_ms: float


class _Connection(asyncio.Protocol):
    """Sends the next request when the one before it is answered."""

    def __init__(self, waiting: list[bytes], latencies: list[float], statuses: Counter[str]) -> None:
        self._waiting = waiting
        self._latencies = latencies
        self._statuses = statuses
        self._answer = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("not a connection that takes bytes")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(_HEAD_END)
        if not end:
            return
        length = int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._latencies.append(time.perf_counter() - self._sent_at)
        self._statuses[head[_STATUS].decode()] += 1
        self._answer = b""
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def send_next(self) -> None:
        """Send a request, or end when none is left."""
        if self._waiting:
            self._sent_at = time.perf_counter()
            self._transport.write(self._waiting.pop())
        elif not self.done.done():
            self.done.set_result(None)
            self._transport.close()


async def _knock(task: Task) -> Told:
    loop = asyncio.get_running_loop()
    waiting = task.requests[::-1]
    latencies: list[float] = []
    statuses: Counter[str] = Counter()
    connections = [
        (
            await loop.create_connection(
                lambda: _Connection(waiting, latencies, statuses), "127.0.0.1", task.ports[number % len(task.ports)]
            )
        )[1]
        for number in range(task.connections)
    ]
    started, started_cpu = time.perf_counter(), time.process_time()
    for connection in connections:
        connection.send_next()
    await asyncio.gather(*(connection.done for connection in connections))
    seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    latencies.sort()
    return Told(
        seconds,
        cpu,
        dict(statuses),
        latencies[len(latencies) // 2] * 1000,
        latencies[len(latencies) * 99 // 100] * 1000,
    )


def main() -> None:
    """Do the task that stands on standard input."""
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_knock(task))))


if __name__ == "__main__":
    main()
