"""The story's steps as the doors want them: what is posted where. Nothing is signed or sent here."""

import hashlib
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from cercles.demo.story import ADMIN, STRIPE, PledgeFact, ShareStep, Story, StoryError, VisitsStep
from schemas.events import CONTENT_TYPE

STRIPE_ACCOUNT: Final = "film"
STRIPE_API_VERSION: Final = "2025-10-29.clover"

Scheme = Literal["admin", "standard", "stripe"]
"""How a letter is proved: the admin key, a Standard Webhooks signature, a Stripe signature."""


class Letter(Struct, frozen=True, kw_only=True):
    """One request. `secret` names whose secret proves it."""

    method: Literal["PUT", "POST"]
    path: str
    scheme: Scheme
    secret: str
    content_type: str
    body: bytes


def source_attribute(door: str) -> str:
    """Return the `source` that events of a door have on the log."""
    return f"stripe/{STRIPE_ACCOUNT}/test" if door == STRIPE else f"sources/{door}"


def launch_letter(story: Story, opens_at: datetime, closes_at: datetime) -> Letter:
    """Return the campaign's launch."""
    campaign = story.campaign
    terms = {
        "title": campaign.title,
        "owner_id": campaign.owner,
        "currency": campaign.currency,
        "goal_minor": story.minor(campaign.goal),
        "opens_at": opens_at,
        "closes_at": closes_at,
        "timezone": campaign.timezone,
        "funding_model": campaign.funding_model,
        "sources": [source_attribute(door) for door in campaign.doors],
    }
    return _admin("PUT", f"/v1/campaigns/{campaign.id}", terms)


def share_letter(story: Story, step: ShareStep, tokens: dict[str, str]) -> Letter:
    """Return a share: minted by the share door, or told by a source under a token of its own."""
    share = step.share
    said = {"sharer_id": share.sharer, "network": share.network}
    if share.parent is not None:
        said["parent_token"] = tokens.get(share.parent, share.parent)
    if share.circle is not None:
        said["circle"] = share.circle
    if share.door == ADMIN:
        return _admin("POST", f"/v1/campaigns/{story.campaign.id}/shares", said)
    return _event(story, share.door, "share.posted", step.made_at, {"share_token": share.link, **said})


def visits_letter(story: Story, step: VisitsStep, tokens: dict[str, str]) -> Letter:
    """Return a count of visits."""
    visits = step.visits
    data = {
        "share_token": tokens.get(visits.link, visits.link),
        "counter_id": visits.counter,
        "visits": visits.visits,
    }
    return _event(story, visits.door, "share.visited", step.made_at, data)


def pledge_letter(story: Story, fact: PledgeFact, tokens: dict[str, str]) -> Letter:
    """Return a pledge's step: a webhook of Stripe's, or a CloudEvent of a source."""
    if fact.door == STRIPE:
        return _stripe(story, fact, tokens)
    data: dict[str, Any] = {"pledge_id": fact.pledge}
    if fact.kind in ("authorized", "captured"):
        data |= {"amount_minor": fact.amount_minor, "currency": fact.currency, **_attribution(fact, tokens)}
        data["authorization_id" if fact.kind == "authorized" else "capture_id"] = f"{fact.pledge}-{fact.kind}"
    elif fact.kind == "refunded":
        data |= {
            "refund_id": fact.refund,
            "amount_minor": fact.amount_minor,
            "currency": fact.currency,
            "status": fact.refund_status,
        }
    elif fact.kind == "amended":
        data |= {"revision": fact.revision, "amount_minor": fact.amount_minor}
    elif fact.kind == "failed":
        data |= {"attempt_id": _hex(fact), "reason": "card_declined"}
    return _event(story, fact.door, f"pledge.{fact.kind}", fact.made_at, data)


def _attribution(fact: PledgeFact, tokens: dict[str, str]) -> dict[str, str]:
    attribution = {}
    if fact.backer is not None:
        attribution["backer_id"] = fact.backer
    if fact.link is not None:
        attribution["share_token"] = tokens.get(fact.link, fact.link)
    return attribution


_STRIPE_TYPES: Final = {
    "authorized": "payment_intent.amount_capturable_updated",
    "captured": "payment_intent.succeeded",
    "canceled": "payment_intent.canceled",
    "failed": "payment_intent.payment_failed",
}


def _stripe(story: Story, fact: PledgeFact, tokens: dict[str, str]) -> Letter:
    """Return a webhook as Stripe writes it (its API reference, "The Event object" and "The PaymentIntent object")."""
    if fact.kind not in _STRIPE_TYPES:
        raise StoryError(f"{fact.pledge}: the door stripe takes no step {fact.kind!r}")
    captured, authorized = fact.kind == "captured", fact.kind == "authorized"
    payment: dict[str, Any] = {
        "id": f"pi_{fact.pledge}",
        "object": "payment_intent",
        "amount": fact.amount_minor,
        "amount_capturable": fact.amount_minor if authorized else 0,
        "amount_received": fact.amount_minor if captured else 0,
        "currency": fact.currency.lower(),
        "created": int(fact.first_at.timestamp()),
        "latest_charge": f"ch_{fact.pledge}" if captured or authorized else None,
        "livemode": False,
        "metadata": {"campaign_id": story.campaign.id, "pledge_id": fact.pledge, **_attribution(fact, tokens)},
        "status": {"captured": "succeeded", "authorized": "requires_capture", "canceled": "canceled"}.get(
            fact.kind, "requires_payment_method"
        ),
    }
    if fact.kind == "failed":
        payment["last_payment_error"] = {
            "charge": f"ch_{_hex(fact)}",
            "code": "card_declined",
            "type": "card_error",
            "message": "Your card was declined.",
        }
    event = {
        "id": f"evt_{_hex(fact)}",
        "object": "event",
        "api_version": STRIPE_API_VERSION,
        "created": int(fact.made_at.timestamp()),
        "livemode": False,
        "pending_webhooks": 1,
        "type": _STRIPE_TYPES[fact.kind],
        "data": {"object": payment},
    }
    return Letter(
        method="POST",
        path=f"/v1/webhooks/stripe/{STRIPE_ACCOUNT}",
        scheme="stripe",
        secret=f"stripe_{STRIPE_ACCOUNT}",
        content_type="application/json; charset=utf-8",
        body=msgspec.json.encode(event),
    )


def _event(story: Story, door: str, kind: str, moment: datetime, data: dict[str, Any]) -> Letter:
    data = {"campaign_id": story.campaign.id, **data}
    digest = hashlib.sha256(msgspec.json.encode([kind, moment, data])).hexdigest()
    event = {
        "specversion": "1.0",
        "id": f"{door}-{digest[:16]}",
        "source": door,
        "type": f"cercles.{kind}",
        "time": moment,
        "datacontenttype": "application/json",
        "data": data,
    }
    return Letter(
        method="POST",
        path=f"/v1/sources/{door}/events",
        scheme="standard",
        secret=f"source_{door}",
        content_type=CONTENT_TYPE,
        body=msgspec.json.encode(event),
    )


def _admin(method: Literal["PUT", "POST"], path: str, content: dict[str, Any]) -> Letter:
    return Letter(
        method=method,
        path=path,
        scheme="admin",
        secret="admin_key",  # noqa: S106 - the secret's name
        content_type="application/json",
        body=msgspec.json.encode(content),
    )


def _hex(fact: PledgeFact) -> str:
    """Return an id that the same step has in every run of a day."""
    return hashlib.sha256(f"{fact.pledge} {fact.kind} {fact.made_at.isoformat()}".encode()).hexdigest()[:24]
