"""A gateway for tests: real HTTP on loopback, answers decided by the test."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw1234"


@dataclass
class Answer:
    """What the gateway says to one request."""

    status: int
    content: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


class FakeGateway:
    """Verifies signatures as a real one does, keeps what it accepted, and first gives the answers it was told to."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[Answer] = []
        self.accepted: list[dict[str, Any]] = []
        self.batches: list[int] = []
        self.message_ids: list[str] = []
        self.paths: list[str] = []

    def take(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        self.paths.append(path)
        events: list[dict[str, Any]] = Webhook(SECRET).verify(body, headers)
        self.message_ids.append(headers["webhook-id"])
        if self.answers:
            return self.answers.pop(0)
        first = len(self.accepted)
        self.accepted += events
        self.batches.append(len(events))
        receipt = [{"id": event["id"], "position": f"3:{first + n}"} for n, event in enumerate(events)]
        return Answer(202, {"accepted": receipt})


@contextmanager
def serving() -> Iterator[FakeGateway]:
    """Yield a gateway that listens."""
    gateway = FakeGateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = gateway.take(self.path, headers, body)
            content = json.dumps(answer.content).encode()
            self.send_response(answer.status)
            for name, value in {**answer.headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        gateway.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield gateway
        server.shutdown()
        thread.join()
