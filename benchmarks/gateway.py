"""The gateway: signed posts that stand on the log when they are answered; its floor answers the same body with 202.

Two `cercles gateway` processes on two ports share a real broker; acks=all. The floor is two processes of the same
server, which give each request its id, count and time it and read its body, and verify and publish nothing.
"""

import socket
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final

from standardwebhooks import Webhook

from benchmarks.commands import answers, command, free_port, program, wait_until
from benchmarks.events import CAMPAIGNS_DEFAULT, captures
from benchmarks.harness import Benchmark, Measurement, Row, Sizes
from benchmarks.knocker import Task
from benchmarks.knocking import knock
from benchmarks.servers import make_topics, running_kafka
from schemas.events import BATCH_CONTENT_TYPE, CONTENT_TYPE

SERVERS: Final = 2
CONNECTIONS: Final = 64
PARTITIONS: Final = 4
REQUESTS_DEFAULT: Final = 20_000
BATCH_EVENTS: Final = 100
_HEAD_BYTES: Final = 4_096
SOURCE: Final = "shop"
SECRET: Final = "whsec_Zm9yLWJlbmNobWFya3Mtb25seS1hbmQtbm90aGluZy1lbHNl"  # noqa: S105 - guards nothing
ENVIRONMENT: Final = {
    "CERCLES_GATEWAY_ADMIN_KEY": "admin-key-for-benchmarks-only",
    "CERCLES_PSEUDONYM_KEY": "pseudonym-key-for-benchmarks-only",
    "CERCLES_GATEWAY_SOURCES": f'{{"{SOURCE}": {{"current": "{SECRET}"}}}}',
}


def signed(body: bytes, content_type: str) -> bytes:
    """Return a whole request that posts the body, signed now: good for five minutes."""
    message_id, now = f"msg_{uuid.uuid4().hex}", datetime.now(UTC)
    signature = Webhook(SECRET).sign(message_id, now, body.decode())
    head = (
        f"POST /v1/sources/{SOURCE}/events HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {content_type}\r\n"
        f"content-length: {len(body)}\r\nwebhook-id: {message_id}\r\nwebhook-timestamp: {int(now.timestamp())}\r\n"
        f"webhook-signature: {signature}\r\n\r\n"
    )
    return head.encode() + body


def _singles(requests: int) -> list[bytes]:
    return [signed(record.value, CONTENT_TYPE) for record in captures(requests, CAMPAIGNS_DEFAULT)]


def _batches(requests: int) -> list[bytes]:
    values = [record.value for record in captures(requests * BATCH_EVENTS, CAMPAIGNS_DEFAULT)]
    starts = range(0, len(values), BATCH_EVENTS)
    return [
        signed(b"[" + b",".join(values[start : start + BATCH_EVENTS]) + b"]", BATCH_CONTENT_TYPE) for start in starts
    ]


def _takes(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(_singles(1)[0])
        return connection.recv(_HEAD_BYTES).startswith(b"HTTP/1.1 202 ")


@contextmanager
def _prepare(sizes: Sizes) -> Iterator[Sequence[Row]]:
    requests = sizes.events_or(REQUESTS_DEFAULT)
    with ExitStack() as stack:
        bootstrap = stack.enter_context(running_kafka()).bootstrap_servers
        make_topics(bootstrap, PARTITIONS)
        ours_ports = [free_port() for _ in range(SERVERS)]
        environment = ENVIRONMENT | {"CERCLES_KAFKA_BOOTSTRAP_SERVERS": bootstrap}
        ours = [
            stack.enter_context(command("gateway", environment | {"CERCLES_GATEWAY_PORT": str(port)}))
            for port in ours_ports
        ]
        floor_ports = [free_port() for _ in range(SERVERS)]
        floor = [stack.enter_context(program("benchmarks.bare", "gateway", str(port))) for port in floor_ports]

        def side(
            ports: list[int], processes: "list[subprocess.Popen[bytes]]", bodies: list[bytes], events: int
        ) -> Measurement:
            return knock(Task(ports, CONNECTIONS, bodies), 202, [process.pid for process in processes], events)

        def singles(ports: list[int], processes: "list[subprocess.Popen[bytes]]") -> Measurement:
            return side(ports, processes, _singles(requests), 1)

        def batches(ports: list[int], processes: "list[subprocess.Popen[bytes]]") -> Measurement:
            return side(ports, processes, _batches(requests // BATCH_EVENTS * 2), BATCH_EVENTS)

        for port in (*ours_ports, *floor_ports):
            wait_until(partial(answers, port), f"the server on port {port} answers")
        for port in ours_ports:
            wait_until(partial(_takes, port), f"the gateway on port {port} has its broker")
        yield [
            Row(
                f"{requests:,} posts of one event, {SERVERS} processes",
                "posts/s",
                partial(singles, ours_ports, ours),
                partial(singles, floor_ports, floor),
                "≥ 0.5",
            ),
            Row(
                f"posts of {BATCH_EVENTS} events, {SERVERS} processes",
                "events/s",
                partial(batches, ours_ports, ours),
                partial(batches, floor_ports, floor),
                "≥ 20,000 events/s",
            ),
        ]


GATEWAY: Final = Benchmark("gateway", "signed posts that stand on the log, beside answering only", _prepare)
