"""What happens on the wire, below what an HTTP client shows: sizes, slowness, ends, and many at once."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.gateway import knocking
from tests.gateway.conftest import RunningGateway, running
from tests.gateway.knocking import BATCH, EVENT, SOURCE, captured, send

PATH = f"/v1/sources/{SOURCE}/events"
PIECE = b"[" * 8192


@contextmanager
def connected(gateway: RunningGateway) -> Iterator[socket.socket]:
    with socket.create_connection((gateway.host, gateway.port), timeout=10) as connection:
        yield connection


def head(*lines: str, content_type: str = EVENT) -> bytes:
    text = [f"POST {PATH} HTTP/1.1", "Host: gateway", f"Content-Type: {content_type}", *lines, "", ""]
    return "\r\n".join(text).encode()


def status(connection: socket.socket) -> int:
    return int(connection.recv(4096).split(b" ", 2)[1])


def test_an_announced_size_is_refused_before_the_body(gateway: RunningGateway) -> None:
    """A Content-Length beyond the bound is answered at once: not one byte of the body has been sent."""
    with connected(gateway) as connection:
        connection.sendall(head("Content-Length: 1000000000"))
        assert status(connection) == 413


def test_expect_continue_is_refused_before_the_body(gateway: RunningGateway) -> None:
    """A client that asks first is told 413, not to go on."""
    with connected(gateway) as connection:
        connection.sendall(head("Content-Length: 1000000000", "Expect: 100-continue"))
        assert status(connection) == 413


@pytest.mark.parametrize(("content_type", "bytes_max"), [(EVENT, 64 * 1024), (BATCH, 1024 * 1024)])
def test_an_unannounced_size_is_refused_while_reading(
    gateway: RunningGateway, content_type: str, bytes_max: int
) -> None:
    """A chunked body is answered as soon as it exceeds the bound, although it has not ended."""
    with connected(gateway) as connection:
        connection.sendall(head("Transfer-Encoding: chunked", content_type=content_type))
        for _ in range(bytes_max // len(PIECE) + 1):
            connection.sendall(b"%x\r\n%s\r\n" % (len(PIECE), PIECE))
        assert status(connection) == 413


def test_what_still_comes_after_a_refusal_is_dropped(gateway: RunningGateway) -> None:
    """A client that keeps sending can read its answer, and the gateway keeps nothing of it."""
    size = 20 * 1024 * 1024
    before = resident_bytes()
    with connected(gateway) as connection:
        connection.sendall(head(f"Content-Length: {size}"))
        for _ in range(size // len(PIECE)):
            connection.sendall(PIECE)
        assert status(connection) == 413
    assert resident_bytes() - before < size // 2


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - not a file of any directory
        return int(file.read().split()[1]) * 4096


def test_small_answers_do_not_wait(gateway: RunningGateway) -> None:
    """Answers are sent at once: with Nagle's algorithm on, each would wait 40 ms for the client's acknowledgement."""
    with connected(gateway) as connection:
        began = time.monotonic()
        for _ in range(50):
            connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: gateway\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(4096)
        assert time.monotonic() - began < 50 * 0.03


def test_a_body_in_pieces_is_one_body(gateway: RunningGateway, client: httpx.Client) -> None:
    """How a body is cut on its way makes no difference."""
    body = json.dumps(captured()).encode()

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 7):
            yield body[start : start + 7]

    answer = client.post(PATH, content=pieces(), headers=knocking.source_headers(body))
    assert answer.status_code == 202
    assert len(gateway.log.records) == 1


def test_a_body_that_does_not_come_is_408(gateway: RunningGateway) -> None:
    """A slow client is given a time, and then the connection ends."""
    with connected(gateway) as connection:
        began = time.monotonic()
        connection.sendall(head("Content-Length: 100") + b"{")
        assert status(connection) == 408
        assert time.monotonic() - began < 5
        while connection.recv(4096):
            assert time.monotonic() - began < 5


def test_a_client_that_leaves_harms_nobody(gateway: RunningGateway, client: httpx.Client) -> None:
    """Half a request is none: nothing is accepted, and no defect is counted."""
    before = gateway.counted("cercles_gateway_refusals_total", reason="defect")
    with connected(gateway) as connection:
        connection.sendall(head("Content-Length: 100") + b"{")
    assert send(client, captured()).status_code == 202
    assert len(gateway.log.records) == 1
    assert gateway.counted("cercles_gateway_refusals_total", reason="defect") == before


@pytest.mark.parametrize(
    "request_head",
    [
        b"GARBAGE\r\n\r\n",
        head("Content-Length: -5"),
        head("Content-Length: 5", "Content-Length: 6"),
        head("X: " + "y" * 200_000),
    ],
)
def test_what_is_not_http_is_400(gateway: RunningGateway, request_head: bytes) -> None:
    """The server answers for what never becomes a request."""
    with connected(gateway) as connection:
        connection.sendall(request_head)
        assert status(connection) == 400


def test_more_requests_than_allowed_are_503() -> None:
    """Beyond the bound a request is refused at once, with the time to come back; those under way go on."""
    running_one = running(knocking.settings(requests_max=2))
    gateway = next(running_one)
    answers: list[int] = []
    try:
        gateway.log.held.clear()
        with httpx.Client(base_url=gateway.url, timeout=10) as client:
            threads = [
                threading.Thread(target=lambda: answers.append(send(client, captured()).status_code)) for _ in range(2)
            ]
            for thread in threads:
                thread.start()
            wait_until(lambda: gateway.counted("cercles_gateway_requests_under_way") == 2)
            refused = send(client, captured())
            assert (refused.status_code, refused.json()["reason"]) == (503, "busy")
            assert refused.headers["retry-after"]
            assert refused.headers["content-type"] == "application/problem+json"
            gateway.log.held.set()
            for thread in threads:
                thread.join(10)
        assert answers == [202, 202]
    finally:
        running_one.close()


def test_a_stopping_gateway_finishes_what_is_under_way() -> None:
    """A request whose event is with the broker is answered before the gateway ends."""
    running_one = running(knocking.settings())
    gateway = next(running_one)
    gateway.log.held.clear()
    answers: list[int] = []
    with httpx.Client(base_url=gateway.url, timeout=10) as client:
        thread = threading.Thread(target=lambda: answers.append(send(client, captured()).status_code))
        thread.start()
        wait_until(lambda: gateway.counted("cercles_gateway_requests_under_way") == 1)
        threading.Timer(0.5, gateway.log.held.set).start()
        running_one.close()
        thread.join(10)
    assert answers == [202]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((gateway.host, gateway.port), timeout=1)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("waited 10 s")
        time.sleep(0.01)
