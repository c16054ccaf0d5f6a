"""Whatever a verified webhook holds, it means something, and what it makes fits the logs."""

import asyncio
import gc
import hmac
import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator, MutableSequence
from datetime import UTC, datetime
from random import Random
from typing import Final, get_args

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from producers.gateway.app import make_app
from producers.gateway.stripe_events import Followed, Ignored, Mapped, Unmappable, read_webhook
from producers.gateway.stripe_payments import PAYMENT_MAPPINGS
from producers.gateway.stripe_pledges import PLEDGE_MAPPINGS
from producers.metrics import GatewayMetrics
from producers.publishing import Record
from producers.refusals import UnmappableReason
from schemas.dead_letters import DeadLetter, from_record, to_record
from schemas.events import Decoding, encode
from schemas.payments import PaymentDecoding
from schemas.topics import DEAD_LETTERS, LOG, PAYMENTS
from tests.asgi import Answer, ask
from tests.gateway import knocking
from tests.gateway.fake_log import FakeLog
from tests.gateway.knocking import ACCOUNT, STRIPE_SECRET
from tests.gateway.stripe_damage import TYPES, damaged, whole

WEBHOOKS: Final = 5_000
WARMING_UP: Final = 1_000
KEPT_BYTES_MAX: Final = 64 * 1024
"""Over 4,000 webhooks: whatever keeps 17 bytes of each is noticed. 3 KiB were seen."""


def meaning(body: bytes) -> Mapped | Followed | Ignored | Unmappable:
    return read_webhook(body, "acme", lambda backer_id: f"p_{len(backer_id)}", datetime.now(UTC))


def check(found: Mapped | Followed | Ignored | Unmappable, body: bytes) -> None:
    """Hold what was made against the logs' own decoders."""
    match found:
        case Mapped(event=event, link=link):
            assert Decoding.log.decode(encode(event)) == event
            if link is not None:
                assert PaymentDecoding.log.decode(encode(link)) == link
                assert link.data.campaign_id == event.data.campaign_id
                assert link.data.pledge_id == event.data.pledge_id
        case Followed(fact=fact):
            assert PaymentDecoding.log.decode(encode(fact)) == fact
        case Unmappable():
            letter = DeadLetter(
                reason=found.reason,
                detail=found.detail,
                key=None,
                value=body,
                campaign_id=found.campaign_id,
                event_id=found.event_id,
            )
            assert from_record(*to_record(letter)).reason == found.reason


@given(st.randoms(use_true_random=False))
def test_damaged_webhooks_mean_something(random: Random) -> None:
    """No error leaves the adapter: the door would answer 500, and Stripe switch the endpoint off."""
    body = damaged(random)
    check(meaning(body), body)


@given(st.binary(max_size=200))
def test_bytes_mean_something(body: bytes) -> None:
    """Also when they are no JSON."""
    assert isinstance(meaning(body), Unmappable)


def test_whole_webhooks_are_mapped() -> None:
    """The tests around this one damage what is otherwise taken."""
    found = {kind: meaning(json.dumps(whole(kind)).encode()) for kind in TYPES}
    assert {kind for kind, one in found.items() if isinstance(one, Mapped)} == PLEDGE_MAPPINGS.keys()
    assert {kind for kind, one in found.items() if isinstance(one, Followed)} == PAYMENT_MAPPINGS.keys()


class Door:
    """Stripe's door, at a moment that stands still, before a log in memory."""

    def __init__(self, said: MutableSequence[structlog.typing.EventDict]) -> None:
        self.now = datetime.now(UTC)
        self._said = said
        self.log = FakeLog()
        self.registry = CollectorRegistry()
        self._app = make_app(knocking.settings(), self.log, GatewayMetrics(self.registry), lambda: self.now)

    async def take(self, body: bytes) -> tuple[Answer, list[Record]]:
        """Send a webhook that is properly signed; return the answer, and what stands on the logs for it."""
        self.log.reset()
        self._said.clear()
        seconds = int(self.now.timestamp())
        signature = hmac.digest(STRIPE_SECRET.encode(), b"%d." % seconds + body, "sha256").hex()
        headers = {"content-type": "application/json", "stripe-signature": f"t={seconds},v1={signature}"}
        answer = await ask(self._app, "POST", f"/v1/webhooks/stripe/{ACCOUNT}", headers=headers, content=body)
        return answer, list(self.log.records)


@pytest.fixture
def door() -> Iterator[Door]:
    """A door that says nothing of the webhooks that it can't map: each is worth a line of its log."""
    with structlog.testing.capture_logs() as said:
        yield Door(said)


def outcome_of(answer: Answer, records: list[Record], body: bytes) -> str:
    """Check that the answer is one of those described, and true; return what became of the webhook."""
    assert answer.headers["content-type"] == "application/json"
    accepted = json.loads(answer.content)["accepted"]
    topics = [record.topic for record in records]
    if answer.status == 200:
        assert (accepted, topics) == ([], [])
        return "ignored"
    assert answer.status == 202
    if topics == [DEAD_LETTERS.name]:
        (record,) = records
        letter = from_record(record.key, record.value, record.headers)
        assert (accepted, letter.value) == ([], body)
        assert letter.reason in get_args(UnmappableReason)
        assert letter.detail.isprintable()
        return letter.reason
    events = [Decoding.log.decode(record.value) for record in records if record.topic == LOG.name]
    facts = [PaymentDecoding.log.decode(record.value) for record in records if record.topic == PAYMENTS.name]
    assert 1 <= len(events) + len(facts) == len(records) <= 2
    assert [one["id"] for one in accepted] == [event.id for event in events]
    assert all(one.source in {f"stripe/{ACCOUNT}/live", f"stripe/{ACCOUNT}/test"} for one in [*events, *facts])
    return "mapped" if events else "followed"


def test_every_damaged_webhook_is_answered_as_described(door: Door) -> None:
    """5,000 of them, signed as Stripe signs: 200 or 202 and never an error, and everything that can happen happens."""

    async def scene() -> Counter[str]:
        outcomes: Counter[str] = Counter()
        for seed in range(WEBHOOKS):
            body = damaged(Random(seed))
            answer, records = await door.take(body)
            outcomes[outcome_of(answer, records, body)] += 1
        return outcomes

    outcomes = asyncio.run(scene())
    assert outcomes.keys() == {"ignored", "mapped", "followed", *get_args(UnmappableReason)}
    assert min(outcomes.values()) > WEBHOOKS // 100, outcomes
    assert door.registry.get_sample_value("cercles_gateway_refusals_total", {"reason": "defect"}) is None


def test_damaged_webhooks_leave_nothing_behind(door: Door) -> None:
    """Once warm, the gateway's memory stays as it is, whatever they hold."""

    async def scene() -> int:
        kept_bytes = 0
        for seed in range(WEBHOOKS):
            if seed == WARMING_UP:
                kept_bytes = measured()
            await door.take(damaged(Random(seed)))
        return measured() - kept_bytes

    def measured() -> int:
        door.log.reset()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        assert asyncio.run(scene()) < KEPT_BYTES_MAX
    finally:
        tracemalloc.stop()
