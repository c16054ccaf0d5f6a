"""Whatever a verified webhook holds, it means something, and what it makes fits the logs."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from producers.gateway.stripe_events import Followed, Ignored, Mapped, Unmappable, read_webhook
from producers.gateway.stripe_payments import PAYMENT_MAPPINGS
from producers.gateway.stripe_pledges import PLEDGE_MAPPINGS
from schemas.dead_letters import DeadLetter, from_record, to_record
from schemas.events import Decoding, encode
from schemas.payments import PaymentDecoding
from tests.gateway.knocking import charge, dispute, payment_intent, refund, setup_intent, webhook

OBJECTS: Final = {"charge": charge, "payment_intent": payment_intent, "refund": refund, "setup_intent": setup_intent}
TYPES: Final = sorted({*PLEDGE_MAPPINGS, *PAYMENT_MAPPINGS})
ODD: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=300),
    st.sampled_from(["eur", "isk", "lyd", "lost", "won", "warning_closed", "prevented", "succeeded", "failed"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["id", "amount", "currency", "campaign_id"]), st.text(max_size=9), max_size=3),
)


def whole(kind: str) -> dict[str, Any]:
    """Return an event of that type as Stripe sends it."""
    make = dispute if kind.startswith("charge.dispute.") else OBJECTS[kind.partition(".")[0]]
    return webhook(kind, make())


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """Give an event with a few fields of it, or of what it is about, that are something else or not there."""
    event = whole(draw(st.sampled_from(TYPES)))
    for _ in range(draw(st.integers(0, 4))):
        part = draw(st.sampled_from([event, event["data"]["object"], event["data"]["object"], _metadata(event)]))
        if part:
            name = draw(st.sampled_from(sorted(part)))
            if name == "data":
                continue
            if draw(st.booleans()):
                part[name] = draw(ODD)
            else:
                del part[name]
    return event


def _metadata(event: dict[str, Any]) -> dict[str, Any]:
    metadata = event["data"]["object"].get("metadata")
    return metadata if isinstance(metadata, dict) else {}


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


@given(spoiled())
def test_spoiled_events_mean_something(event: dict[str, Any]) -> None:
    """No error leaves the adapter: the door would answer 500, and Stripe switch the endpoint off."""
    body = json.dumps(event).encode()
    check(meaning(body), body)


@given(st.binary(max_size=200))
def test_bytes_mean_something(body: bytes) -> None:
    """Also when they are no JSON."""
    assert isinstance(meaning(body), Unmappable)


def test_whole_events_are_mapped() -> None:
    """The test above spoils what is otherwise taken."""
    found = {kind: meaning(json.dumps(whole(kind)).encode()) for kind in TYPES}
    assert {kind for kind, one in found.items() if isinstance(one, Mapped)} == PLEDGE_MAPPINGS.keys()
    assert {kind for kind, one in found.items() if isinstance(one, Followed)} == PAYMENT_MAPPINGS.keys()
