"""Every door of the gateway against the whole table of hostile requests, against slowness, and against sheer length."""

import asyncio
import gc
import json
import tracemalloc

import httpx
import pytest
from prometheus_client import CollectorRegistry

from producers.gateway.app import make_app
from producers.gateway.share_links import ShareLink, ShareLinks
from producers.metrics import GatewayMetrics
from schemas.http_bounds import PARAMETERS_MAX, TARGET_LENGTH_MAX, PunctualH11
from tests.asgi import ask
from tests.gateway import knocking
from tests.gateway.conftest import RunningGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.knocking import ACCOUNT, CAMPAIGN, SOURCE, captured, launch, webhook
from tests.hostile import DRIPS, Door, Drip, answers, is_cut_off, status_of

AMENDMENT = {"revision": 1, "goal_minor": 1_600_000}
KEPT_BYTES_MAX = 16 * 1024 * 1024
KEPT_TARGETS = 1_100
"""More than Litestar keeps."""


def doors() -> dict[str, Door]:
    """Return a request that each door takes."""
    event, paid = json.dumps(captured()).encode(), json.dumps(webhook("payment_intent.succeeded"))
    admin = knocking.admin_headers() | {"content-type": "application/json"}
    share = json.dumps({"sharer_id": "sharer-1", "network": "mail"}).encode()
    signed = {"content-type": "application/json", "stripe-signature": knocking.stripe_signature(paid)}
    return {
        "events": Door(
            method="POST",
            path=f"/v1/sources/{SOURCE}/events",
            headers=knocking.source_headers(event),
            body=event,
        ),
        "stripe": Door(method="POST", path=f"/v1/webhooks/stripe/{ACCOUNT}", headers=signed, body=paid.encode()),
        "launch": Door(
            method="PUT", path=f"/v1/campaigns/{CAMPAIGN}", headers=admin, body=json.dumps(launch()).encode()
        ),
        "amend": Door(
            method="POST",
            path=f"/v1/campaigns/{CAMPAIGN}/amendments",
            headers=admin,
            body=json.dumps(AMENDMENT).encode(),
        ),
        "share": Door(method="POST", path=f"/v1/campaigns/{CAMPAIGN}/shares", headers=admin, body=share),
        "visit": Door(method="GET", path=visit_path(), headers={"referer": "https://example.org/"}),
        "document": Door(method="GET", path="/openapi.json", headers={}),
    }


def visit_path() -> str:
    """Return the path of a share link that this gateway has made."""
    return ShareLinks(knocking.settings().pseudonym.key).path(ShareLink(CAMPAIGN, "token-1"))


@pytest.mark.parametrize("name", doors())
def test_the_whole_table(name: str, gateway: RunningGateway) -> None:
    """No row is a fault of ours; each has an answer or an end in bounded time, and the next request is served."""
    door, reason = doors()[name], {"reason": "defect"}
    before = gateway.counted("cercles_gateway_refusals_total", **reason)
    statuses = answers(gateway.host, gateway.port, door)
    assert {row: status for row, status in statuses.items() if status is not None and status >= 500} == {}
    assert gateway.counted("cercles_gateway_refusals_total", **reason) == before
    assert status_of(gateway.host, gateway.port, door.request()) in (200, 202, 302)


def test_what_is_said_twice_is_refused(client: httpx.Client, gateway: RunningGateway) -> None:
    """Of two keys, or two types of one body, which one counts is not for us to choose."""
    for name, status in (("authorization", 401), ("content-type", 415)):
        for door in (doors()["launch"], doors()["amend"], doors()["share"]):
            given = [*door.headers.items(), (name, dict(door.headers)[name])]
            answer = client.request(door.method, door.path, content=door.body, headers=given)
            assert (answer.status_code, gateway.log.records) == (status, []), (name, door.path)
    event = doors()["events"]
    twice = [*event.headers.items(), ("content-type", knocking.EVENT)]
    assert client.post(event.path, content=event.body, headers=twice).status_code == 415


def test_a_long_path_or_query_is_414(client: httpx.Client, gateway: RunningGateway) -> None:
    """At every door and beside them, before anything of the request is looked at; the bound itself is served."""
    for path in (*(door.path for door in doors().values()), "/nowhere"):
        for target in (f"{path}?{'x' * TARGET_LENGTH_MAX}", f"{path}?{'&' * PARAMETERS_MAX}"):
            answer = client.post(target, headers=knocking.admin_headers())
            assert answer.status_code == 414
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["reason"] == "target_too_long"
    at_the_bound = f"/openapi.json?{'x' * (TARGET_LENGTH_MAX - len('/openapi.json'))}"
    assert client.get(at_the_bound).status_code == 200
    assert client.get(f"/openapi.json?{'&' * (PARAMETERS_MAX - 1)}").status_code == 200
    assert gateway.log.records == []


def test_what_is_kept_of_paths_is_bounded() -> None:
    """The framework keeps what it made of a path: of as many as it keeps, each as long as a server's head may be."""
    app = make_app(knocking.settings(), FakeLog(), GatewayMetrics(CollectorRegistry()))

    async def scene() -> None:
        for number in range(KEPT_TARGETS):
            await ask(app, "POST", f"/v1/sources/{number:060000}/events")

    tracemalloc.start()
    try:
        asyncio.run(scene())
        gc.collect()
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < KEPT_BYTES_MAX


@pytest.mark.parametrize("drip", [*DRIPS, "a body that is read"])
def test_who_drips_is_cut_off(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch, drip: str) -> None:
    """A connection that never asks for anything, or goes on after its answer, or whose body has no end, is not kept."""
    monkeypatch.setattr(PunctualH11, "head_seconds_max", 0.5)
    body = f"POST /v1/sources/{SOURCE}/events HTTP/1.1\r\nHost: a\r\nContent-Type: {knocking.EVENT}\r\n"
    read = Drip(body.encode() + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n")
    assert is_cut_off(gateway.host, gateway.port, DRIPS.get(drip, read))
