"""Server-sent events as a client reads them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Heard:
    """One event; `data` is None when it has no content."""

    event: str
    event_id: str | None
    data: Any


@contextmanager
def following(api: httpx.Client, campaign_id: str = "film", **headers: str) -> Iterator[Iterator[Heard]]:
    """Follow a campaign; gives its events as they come."""
    path = f"/v1/campaigns/{campaign_id}/stream"
    with api.stream("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()}) as answer:
        if not answer.is_success:
            answer.read()
        answer.raise_for_status()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[Heard]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name.removesuffix(":")] = value
        elif "event" in fields:
            data = fields.get("data", "")
            yield Heard(fields["event"], fields.get("id"), json.loads(data) if data else None)
            fields = {}
