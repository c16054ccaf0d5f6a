"""What a client of the gateway does: makes events, signs them, and knocks."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import stripe
from standardwebhooks import Webhook

from producers.settings import GatewaySettings, PseudonymSettings, SourceSecrets, StripeSecrets

SOURCE = "shop"
SOURCE_SECRET = "whsec_" + base64.b64encode(b"current-secret-of-the-shop-01").decode()
SOURCE_SECRET_BEFORE = "whsec_" + base64.b64encode(b"previous-secret-of-the-shop-0").decode()
SOURCE_SECRET_OF_ANOTHER = "whsec_" + base64.b64encode(b"a-secret-that-nobody-knows-01").decode()
ACCOUNT = "acme"
STRIPE_SECRET = "whsec_stripe-current-secret-01"
STRIPE_SECRET_BEFORE = "whsec_stripe-previous-secret-0"
ADMIN_KEY = "admin-key-of-the-tests"
PSEUDONYM_KEY = "pseudonym-key-of-the-tests"
CAMPAIGN = "les-anges-anonymes"
PAGES = "https://cercles.example/campaigns"
EVENT = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


def settings(**changes: Any) -> GatewaySettings:
    """Return the settings of a gateway with one source and one account."""
    given: dict[str, Any] = {
        "port": 0,
        "admin_key": ADMIN_KEY,
        "campaign_pages": PAGES,
        "sources": {SOURCE: SourceSecrets.model_validate({"current": SOURCE_SECRET, "previous": SOURCE_SECRET_BEFORE})},
        "stripe_accounts": {
            ACCOUNT: StripeSecrets.model_validate({"current": STRIPE_SECRET, "previous": STRIPE_SECRET_BEFORE})
        },
        "pseudonym": PseudonymSettings.model_validate({"key": PSEUDONYM_KEY}),
    }
    return GatewaySettings(**given | changes)


def instant(seconds_from_now: float = 0) -> str:
    """Return a time as events have it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds_from_now)).isoformat()


def captured(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a capture of 10,00 EUR, with other fields of its data if wanted."""
    data = {
        "campaign_id": CAMPAIGN,
        "pledge_id": f"pledge-{number}",
        "capture_id": f"shop:capture-{number}",
        "amount_minor": 1000,
        "currency": "EUR",
        "backer_id": f"backer-{number}",
        "share_token": "token-1",
    }
    return {
        "specversion": "1.0",
        "type": "cercles.pledge.captured",
        "id": f"event-{number}",
        "source": "https://shop.example/payments",
        "time": instant(),
        "data": data | changes,
    }


def source_headers(
    body: bytes, *, secret: str = SOURCE_SECRET, content_type: str = EVENT, seconds_from_now: float = 0
) -> dict[str, str]:
    """Return the headers of a request that a source signs."""
    at = datetime.now(UTC) + timedelta(seconds=seconds_from_now)
    return {
        "content-type": content_type,
        "webhook-id": "msg-1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg-1", at, body.decode("utf-8", "replace")),
    }


def send(
    client: httpx.Client, what: Any, *, source: str = SOURCE, headers: Mapping[str, str] | None = None, **signing: Any
) -> httpx.Response:
    """Sign and send one event (a mapping), a batch (a list), or bytes as they are."""
    body = what if isinstance(what, bytes) else json.dumps(what, ensure_ascii=False).encode()
    signing.setdefault("content_type", BATCH if isinstance(what, list) else EVENT)
    signed = source_headers(body, **signing) | dict(headers or {})
    return client.post(f"/v1/sources/{source}/events", content=body, headers=signed)


def payment_intent(**changes: Any) -> dict[str, Any]:
    """Return a payment intent of Stripe's, with more than we read."""
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 2500,
        "amount_capturable": 2500,
        "amount_received": 2500,
        "created": int(datetime.now(UTC).timestamp()) - 60,
        "currency": "eur",
        "latest_charge": "ch_1",
        "last_payment_error": None,
        "livemode": False,
        "metadata": {"campaign_id": CAMPAIGN, "backer_id": "backer-7", "share_token": "token-1"},
        "payment_method_types": ["card"],
    } | changes


def charge(**changes: Any) -> dict[str, Any]:
    """Return a captured charge of the payment intent, with the metadata that Stripe copies to it."""
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 2500,
        "amount_captured": 2500,
        "amount_refunded": 0,
        "balance_transaction": "txn_1",
        "captured": True,
        "created": int(datetime.now(UTC).timestamp()) - 50,
        "currency": "eur",
        "disputed": False,
        "metadata": {"campaign_id": CAMPAIGN, "backer_id": "backer-7", "share_token": "token-1"},
        "paid": True,
        "payment_intent": "pi_1",
        "refunded": False,
        "status": "succeeded",
    } | changes


def setup_intent(**changes: Any) -> dict[str, Any]:
    """Return a setup intent: a card that is kept, and in its metadata what is promised."""
    return {
        "id": "seti_1",
        "object": "setup_intent",
        "created": int(datetime.now(UTC).timestamp()) - 60,
        "customer": "cus_1",
        "livemode": False,
        "metadata": {"campaign_id": CAMPAIGN, "pledge_id": "pledge-8", "amount": "2500", "currency": "eur"},
        "payment_method": "pm_1",
        "payment_method_types": ["card"],
        "status": "succeeded",
        "usage": "off_session",
    } | changes


def refund(**changes: Any) -> dict[str, Any]:
    """Return a refund of a part of the charge, which the account has paid."""
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 1000,
        "balance_transaction": "txn_2",
        "charge": "ch_1",
        "created": int(datetime.now(UTC).timestamp()),
        "currency": "eur",
        "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": None,
        "status": "succeeded",
    } | changes


def balance_transaction(amount: int, currency: str = "eur") -> dict[str, Any]:
    """Return what a dispute took from the account (below 0), or gave back."""
    return {
        "id": f"txn_{abs(amount)}",
        "object": "balance_transaction",
        "amount": amount,
        "currency": currency,
        "fee": 2000 if amount < 0 else 0,
        "net": amount - (2000 if amount < 0 else 0),
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "type": "adjustment",
    }


def dispute(**changes: Any) -> dict[str, Any]:
    """Return a dispute of the whole charge that awaits an answer."""
    return {
        "id": "dp_1",
        "object": "dispute",
        "amount": 2500,
        "balance_transactions": [balance_transaction(-2500)],
        "charge": "ch_1",
        "created": int(datetime.now(UTC).timestamp()),
        "currency": "eur",
        "is_charge_refundable": False,
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": "needs_response",
    } | changes


def webhook(kind: str, what: Any = None, **changes: Any) -> dict[str, Any]:
    """Return an event of Stripe's around an object, else a payment intent."""
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": stripe.api_version,
        "created": int(datetime.now(UTC).timestamp()),
        "type": kind,
        "livemode": True,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "data": {"object": payment_intent() if what is None else what},
    } | changes


def stripe_signature(body: str, *, secret: str = STRIPE_SECRET, seconds_from_now: float = 0) -> str:
    """Return the header that Stripe's own library makes."""
    timestamp = int((datetime.now(UTC) + timedelta(seconds=seconds_from_now)).timestamp())
    return str(stripe.WebhookSignature.generate_signature_header(body, secret, timestamp))


def send_webhook(client: httpx.Client, what: Any, *, account: str = ACCOUNT, **signing: Any) -> httpx.Response:
    """Sign and send a webhook (a mapping), or a text as it is, as Stripe does."""
    body = what if isinstance(what, str) else json.dumps(what)
    headers = {
        "content-type": "application/json; charset=utf-8",
        "stripe-signature": stripe_signature(body, **signing),
    }
    return client.post(f"/v1/webhooks/stripe/{account}", content=body.encode(), headers=headers)


def launch(**changes: Any) -> dict[str, Any]:
    """Return the terms of a campaign, as the launch's body."""
    return {
        "title": "Les Anges Anonymes",
        "owner_id": "owner-1",
        "currency": "EUR",
        "goal_minor": 1_500_000,
        "opens_at": instant(-3600),
        "closes_at": instant(30 * 24 * 3600),
        "timezone": "Europe/Paris",
        "sources": [f"sources/{SOURCE}", f"stripe/{ACCOUNT}/live"],
    } | changes


def admin_headers(key: str = ADMIN_KEY) -> dict[str, str]:
    """Return the header that opens the admin's doors."""
    return {"authorization": f"Bearer {key}"}
