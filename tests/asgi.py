"""Requests handed to an ASGI application as they are, without socket and client: a hundred thousand take seconds."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the application answered; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


async def ask(
    app: Any,
    method: str,
    path: str,
    *,
    query: bytes = b"",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    content: bytes = b"",
) -> Answer:
    """Return the answer to one request; the path is without percent-encoding, as applications are given it."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "server": ("cercles", 80),
        "client": ("client", 1),
        "state": {},
    }
    incoming = [{"type": "http.request", "body": content, "more_body": False}]
    answered: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return incoming.pop() if incoming else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    await app(scope, receive, send)
    # A server's event loop turns between requests; only then does it let go of timers that are not needed any more.
    await asyncio.sleep(0)
    start, *rest = answered
    return Answer(
        status=start["status"],
        headers={name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]},
        content=b"".join(message.get("body", b"") for message in rest),
    )
