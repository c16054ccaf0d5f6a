"""Whatever campaigns, senders, links and paths a gateway hears of, its metrics have the series that they had."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from prometheus_client import CollectorRegistry

from producers.gateway.app import make_app
from producers.gateway.share_links import ShareLink, ShareLinks
from producers.metrics import GatewayMetrics
from tests.asgi import Answer, ask
from tests.gateway import knocking
from tests.gateway.fake_log import FakeLog
from tests.gateway.knocking import ACCOUNT, BATCH, SOURCE, captured, payment_intent, webhook
from tests.series import series_of, unknown_ids

EVENTS_PER_BATCH = 1_000
OTHERS = 2_000

Knock = Callable[[Any, str], Awaitable[Answer]]


async def _batch(app: Any, ids: Iterable[str]) -> Answer:
    """Send captures of as many campaigns, pledges, backers and share links as there are ids."""
    events = [
        captured(campaign_id=one, pledge_id=one, capture_id=one, backer_id=one, share_token=one, reward_id=one)
        for one in ids
    ]
    body = json.dumps(events).encode()
    headers = knocking.source_headers(body, content_type=BATCH)
    return await ask(app, "POST", f"/v1/sources/{SOURCE}/events", headers=headers, content=body)


async def _from_source(app: Any, name: str) -> Answer:
    body = json.dumps(captured()).encode()
    headers = knocking.source_headers(body)
    return await ask(app, "POST", f"/v1/sources/{name}/events", headers=headers, content=body)


async def _stripe(app: Any, name: str) -> Answer:
    return await _webhook(app, ACCOUNT, webhook("payment_intent.succeeded", _payment_of(name), id=name))


async def _stripe_of_another_type(app: Any, name: str) -> Answer:
    return await _webhook(app, ACCOUNT, webhook(name, _payment_of(name)))


async def _stripe_that_cannot_be_mapped(app: Any, name: str) -> Answer:
    return await _webhook(app, ACCOUNT, webhook("payment_intent.succeeded", {"metadata": {"campaign_id": name}}))


async def _stripe_account(app: Any, name: str) -> Answer:
    return await _webhook(app, name, webhook("payment_intent.succeeded", _payment_of(name)))


def _payment_of(name: str) -> dict[str, Any]:
    return payment_intent(metadata={"campaign_id": name, "pledge_id": name, "backer_id": name, "share_token": name})


async def _webhook(app: Any, account: str, what: dict[str, Any]) -> Answer:
    body = json.dumps(what)
    headers = {"stripe-signature": knocking.stripe_signature(body)}
    return await ask(app, "POST", f"/v1/webhooks/stripe/{account}", headers=headers, content=body.encode())


async def _share(app: Any, name: str) -> Answer:
    body = json.dumps({"sharer_id": name, "network": name, "parent_token": name}).encode()
    headers = knocking.admin_headers() | {"content-type": "application/json"}
    return await ask(app, "POST", f"/v1/campaigns/{name}/shares", headers=headers, content=body)


async def _launch(app: Any, name: str) -> Answer:
    body = json.dumps(knocking.launch(title=name, owner_id=name, sources=[f"sources/{name}"])).encode()
    headers = knocking.admin_headers() | {"content-type": "application/json"}
    return await ask(app, "PUT", f"/v1/campaigns/{name}", headers=headers, content=body)


async def _amend(app: Any, name: str) -> Answer:
    body = json.dumps({"revision": 1, "title": name}).encode()
    headers = knocking.admin_headers() | {"content-type": "application/json"}
    return await ask(app, "POST", f"/v1/campaigns/{name}/amendments", headers=headers, content=body)


async def _visit(app: Any, name: str) -> Answer:
    """Follow a link of ours, from a place and by a program that nobody has heard of."""
    path = ShareLinks(knocking.settings().pseudonym.key).path(ShareLink(name, name))
    headers = {"user-agent": name, "referer": f"https://{name}.example/"}
    return await ask(app, "GET", path, headers=headers)


async def _failed(app: Any, name: str) -> Answer:
    """Say that an attempt failed, for a reason that nobody has heard of."""
    data = {"campaign_id": name, "pledge_id": name, "attempt_id": name, "reason": name}
    body = json.dumps(captured() | {"type": "cercles.pledge.failed", "data": data}).encode()
    headers = knocking.source_headers(body)
    return await ask(app, "POST", f"/v1/sources/{SOURCE}/events", headers=headers, content=body)


async def _path(app: Any, name: str) -> Answer:
    return await ask(app, "POST", f"/v1/{name}/{name}")


async def _method(app: Any, name: str) -> Answer:
    return await ask(app, f"X-{name}", f"/v1/sources/{SOURCE}/events")


async def _event_type(app: Any, name: str) -> Answer:
    body = json.dumps(captured() | {"type": name}).encode()
    headers = knocking.source_headers(body)
    return await ask(app, "POST", f"/v1/sources/{SOURCE}/events", headers=headers, content=body)


KNOCKS: dict[Knock, int] = {
    _from_source: 401,
    _stripe: 202,
    _stripe_of_another_type: 200,
    _stripe_that_cannot_be_mapped: 202,
    _stripe_account: 401,
    _share: 202,
    _launch: 202,
    _amend: 202,
    _visit: 302,
    _failed: 202,
    _path: 404,
    _method: 405,
    _event_type: 422,
}


def test_unknown_campaigns_and_senders_add_no_series() -> None:
    """100,000 campaigns through the sources' door, then thousands of everything else that a label might take."""
    registry, log = CollectorRegistry(), FakeLog()
    app = make_app(knocking.settings(), log, GatewayMetrics(registry))

    async def scene() -> None:
        await _batch(app, unknown_ids(1, seed=9))
        for knock in KNOCKS:
            await knock(app, "first")
        before, ids = series_of(registry), unknown_ids()
        for start in range(0, len(ids), EVENTS_PER_BATCH):
            assert (await _batch(app, ids[start : start + EVENTS_PER_BATCH])).status == 202
            assert len(log.records) >= EVENTS_PER_BATCH
            log.reset()
        for knock, status in KNOCKS.items():
            for name in unknown_ids(OTHERS // len(KNOCKS), seed=2):
                answer = await knock(app, name)
                assert answer.status == status, (knock, name, answer)
        assert series_of(registry) == before

    asyncio.run(scene())
