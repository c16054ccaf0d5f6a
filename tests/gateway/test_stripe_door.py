"""Stripe's door over HTTP. Requests are signed by Stripe's own library."""

import json
from typing import Any, get_args

import httpx
import pytest
import stripe
from stripe.params import WebhookEndpointCreateParams

from producers.gateway.stripe_objects import understood
from producers.pseudonyms import Pseudonyms
from producers.publishing import Record
from schemas.dead_letters import DeadLetter, from_record
from schemas.events import Decoding, PledgeAuthorized, PledgeCanceled, PledgeCaptured, PledgeFailed
from schemas.topics import DEAD_LETTERS, LOG
from tests.gateway import knocking
from tests.gateway.conftest import RunningGateway
from tests.gateway.knocking import (
    ACCOUNT,
    CAMPAIGN,
    charge,
    payment_intent,
    send_webhook,
    setup_intent,
    stripe_signature,
    webhook,
)

URL = f"/v1/webhooks/stripe/{ACCOUNT}"
SUCCEEDED = "payment_intent.succeeded"


def on_log(gateway: RunningGateway) -> list[Record]:
    """Return what stands on the campaigns' log."""
    return [record for record in gateway.log.records if record.topic == LOG.name]


def dead_letter(gateway: RunningGateway) -> DeadLetter:
    """Return the one record on the log, which is a dead letter."""
    (record,) = gateway.log.records
    assert record.topic == DEAD_LETTERS.name
    return from_record(record.key, record.value, record.headers)


class TestMapped:
    """The types whose objects say of which campaign and pledge they are."""

    def test_a_held_amount_is_an_authorization(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """amount_capturable_updated: known by the payment intent, made when that was."""
        intent = payment_intent()
        answer = send_webhook(client, webhook("payment_intent.amount_capturable_updated", intent))
        assert answer.status_code == 202
        (record,) = on_log(gateway)
        assert (record.topic, record.key) == (LOG.name, CAMPAIGN.encode())
        event = Decoding.log.decode(record.value)
        assert isinstance(event, PledgeAuthorized)
        assert event.source == f"stripe/{ACCOUNT}/live"
        assert event.data.authorization_id == event.data.pledge_id == "stripe:pi_1"
        assert (event.data.amount_minor, event.data.currency) == (2500, "EUR")
        assert event.data.made_at is not None
        assert event.data.made_at.timestamp() == intent["created"]
        assert event.data.share_token == "token-1"
        assert answer.json()["accepted"][0]["id"] == event.id == "evt_1"

    def test_a_reward_is_named_in_the_metadata(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """As the link is; an empty one is none."""
        for metadata, named in (({"reward_id": "poster"}, "poster"), ({"reward_id": ""}, None), ({}, None)):
            gateway.log.reset()
            intent = payment_intent(metadata={"campaign_id": CAMPAIGN} | metadata)
            assert send_webhook(client, webhook(SUCCEEDED, intent)).status_code == 202
            event = Decoding.log.decode(gateway.log.records[0].value)
            assert isinstance(event, PledgeCaptured)
            assert event.data.reward_id == named

    @pytest.mark.parametrize("charge", ["ch_9", {"id": "ch_9", "object": "charge", "amount": 1}])
    def test_money_taken_is_a_capture(self, client: httpx.Client, gateway: RunningGateway, charge: Any) -> None:
        """succeeded: known by the charge, be it an id or expanded; the amount is what was received."""
        intent = payment_intent(latest_charge=charge, amount_received=2400)
        assert send_webhook(client, webhook(SUCCEEDED, intent)).status_code == 202
        event = Decoding.log.decode(gateway.log.records[0].value)
        assert isinstance(event, PledgeCaptured)
        assert (event.data.capture_id, event.data.amount_minor, event.data.final) == ("stripe:ch_9", 2400, True)

    def test_the_charge_names_the_same_capture(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """charge.captured: by its own id, of its payment intent's pledge. Whether more follows, it does not say."""
        intent, part = payment_intent(), charge(amount_captured=1500)
        send_webhook(client, webhook("charge.captured", part))
        send_webhook(client, webhook("payment_intent.succeeded", intent))
        first, second = (Decoding.log.decode(record.value) for record in on_log(gateway))
        assert isinstance(first, PledgeCaptured)
        assert isinstance(second, PledgeCaptured)
        assert (first.data.capture_id, first.data.pledge_id) == (second.data.capture_id, second.data.pledge_id)
        assert (first.data.amount_minor, first.data.final) == (1500, False)
        assert (second.data.amount_minor, second.data.final) == (2500, True)
        assert first.data.backer_id == second.data.backer_id
        assert first.data.made_at is not None
        assert first.data.made_at.timestamp() == part["created"]

    @pytest.mark.parametrize(
        ("payment", "pledge_id"), [({"id": "pi_5", "object": "payment_intent"}, "stripe:pi_5"), (None, "stripe:ch_1")]
    )
    def test_a_charge_whose_payment_is_expanded_or_none(
        self, client: httpx.Client, gateway: RunningGateway, payment: Any, pledge_id: str
    ) -> None:
        """A charge that was made without a payment intent is its own payment."""
        send_webhook(client, webhook("charge.captured", charge(payment_intent=payment)))
        event = Decoding.log.decode(gateway.log.records[0].value)
        assert isinstance(event, PledgeCaptured)
        assert event.data.pledge_id == pledge_id

    @pytest.mark.parametrize(
        ("amount", "currency", "minor"), [("2500", "eur", 2500), ("2500", "EUR", 2500), ("500", "isk", 5)]
    )
    def test_a_kept_card_is_an_authorization(
        self, client: httpx.Client, gateway: RunningGateway, amount: str, currency: str, minor: int
    ) -> None:
        """setup_intent.succeeded: the amount stands in the metadata, in Stripe's smallest unit."""
        metadata = {"campaign_id": CAMPAIGN, "pledge_id": "pledge-8", "amount": amount, "currency": currency}
        intent = setup_intent(metadata=metadata)
        assert send_webhook(client, webhook("setup_intent.succeeded", intent)).status_code == 202
        event = Decoding.log.decode(gateway.log.records[0].value)
        assert isinstance(event, PledgeAuthorized)
        assert (event.data.authorization_id, event.data.pledge_id) == ("stripe:seti_1", "pledge-8")
        assert (event.data.amount_minor, event.data.currency) == (minor, currency.upper())
        assert event.data.made_at is not None
        assert event.data.made_at.timestamp() == intent["created"]

    def test_a_payment_of_a_kept_card_is_of_the_pledge_that_it_names(
        self, client: httpx.Client, gateway: RunningGateway
    ) -> None:
        """The card is kept by one object and charged by another: `pledge_id` makes them one pledge."""
        metadata = {"campaign_id": CAMPAIGN, "pledge_id": "pledge-8"}
        send_webhook(client, webhook("setup_intent.succeeded", setup_intent()))
        send_webhook(client, webhook(SUCCEEDED, payment_intent(metadata=metadata)))
        promised, paid = (Decoding.log.decode(record.value) for record in on_log(gateway))
        assert isinstance(promised, PledgeAuthorized)
        assert isinstance(paid, PledgeCaptured)
        assert promised.data.pledge_id == paid.data.pledge_id

    def test_a_cancellation_is_of_that_authorization(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """canceled: names the payment intent, not the whole pledge; so does an authorization that expired."""
        intent = payment_intent(status="canceled", cancellation_reason="expired", amount_capturable=0)
        assert send_webhook(client, webhook("payment_intent.canceled", intent)).status_code == 202
        event = Decoding.log.decode(gateway.log.records[0].value)
        assert isinstance(event, PledgeCanceled)
        assert event.data.authorization_id == "stripe:pi_1"

    @pytest.mark.parametrize(
        ("error", "attempt", "reason"),
        [
            ({"code": "card_declined", "charge": "ch_failed"}, "stripe:ch_failed", "card_declined"),
            ({"code": None, "charge": None}, "stripe:evt_1", "payment_failed"),
            (None, "stripe:evt_1", "payment_failed"),
        ],
    )
    def test_a_failure_is_known_by_its_charge(
        self, client: httpx.Client, gateway: RunningGateway, error: Any, attempt: str, reason: str
    ) -> None:
        """payment_failed: by the failed charge where there is one, else by the event."""
        intent = payment_intent(last_payment_error=error, latest_charge=None)
        assert send_webhook(client, webhook("payment_intent.payment_failed", intent)).status_code == 202
        event = Decoding.log.decode(gateway.log.records[0].value)
        assert isinstance(event, PledgeFailed)
        assert (event.data.attempt_id, event.data.reason) == (attempt, reason)

    def test_test_mode_is_another_source(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """A campaign that lists the live source never counts a test payment."""
        send_webhook(client, webhook(SUCCEEDED, livemode=False))
        assert Decoding.log.decode(gateway.log.records[0].value).source == f"stripe/{ACCOUNT}/test"

    def test_the_backer_is_a_pseudonym(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """The same one as at the other doors, whatever characters the id has."""
        metadata = {"campaign_id": CAMPAIGN, "backer_id": "someone@example.org", "pledge_id": "pledge-5"}
        send_webhook(client, webhook(SUCCEEDED, payment_intent(metadata=metadata)))
        event = Decoding.log.decode(gateway.log.records[0].value)
        assert isinstance(event, PledgeCaptured)
        assert event.data.backer_id == Pseudonyms(knocking.settings().pseudonym.key).of("someone@example.org")
        assert (event.data.pledge_id, event.data.share_token) == ("pledge-5", None)

    def test_a_later_failure_is_another_attempt_of_the_same_pledge(
        self, client: httpx.Client, gateway: RunningGateway
    ) -> None:
        """Sending the same webhook again makes the same fact again, which changes nothing."""
        same = webhook(SUCCEEDED)
        send_webhook(client, same)
        send_webhook(client, same)
        first, second = on_log(gateway)
        assert first == second


class TestIgnored:
    """Verified, and nothing for the log: 200, and counted."""

    @pytest.mark.parametrize("kind", ["charge.succeeded", "payment_intent.created", "invoice.paid", "x", ""])
    def test_other_types(self, client: httpx.Client, gateway: RunningGateway, kind: str) -> None:
        """An endpoint may be sent more than it wants."""
        name = "cercles_gateway_stripe_events_total"
        before = gateway.counted(name, account=ACCOUNT, outcome="other_type")
        answer = send_webhook(client, webhook(kind, {"id": "in_1", "metadata": 5}))
        assert (answer.status_code, answer.json()) == (200, {"accepted": []})
        assert gateway.log.records == []
        assert gateway.counted(name, account=ACCOUNT, outcome="other_type") == before + 1

    @pytest.mark.parametrize("metadata", [{}, None, {"order": "5"}, {"campaign_id": ""}, {"campaign_id": None}])
    def test_payments_of_another_business(self, client: httpx.Client, gateway: RunningGateway, metadata: Any) -> None:
        """A payment that names no campaign is not ours."""
        name = "cercles_gateway_stripe_events_total"
        before = gateway.counted(name, account=ACCOUNT, outcome="not_ours")
        answer = send_webhook(client, webhook(SUCCEEDED, payment_intent(metadata=metadata, amount_received=0)))
        assert answer.status_code == 200
        assert gateway.log.records == []
        assert gateway.counted(name, account=ACCOUNT, outcome="not_ours") == before + 1


class TestUnmappable:
    """Verified, but not to be mapped: acknowledged, and kept as a dead letter. Never an error for the content."""

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "not json",
            "[]",
            "5",
            "{}",
            '{"id": "evt_1"}',
            '{"a": NaN}',
            "[" * 20_000,
            json.dumps(webhook(SUCCEEDED, type=None)),
            json.dumps(webhook(SUCCEEDED, livemode="yes")),
            json.dumps(webhook(SUCCEEDED, created="now")),
            json.dumps(webhook(SUCCEEDED, data=None)),
            json.dumps(webhook(SUCCEEDED) | {"data": {}}),
        ],
    )
    def test_not_an_event_of_stripe(self, client: httpx.Client, gateway: RunningGateway, body: str) -> None:
        """Whatever was signed is kept as it came."""
        answer = send_webhook(client, body)
        assert (answer.status_code, answer.json()) == (202, {"accepted": []})
        letter = dead_letter(gateway)
        assert letter.reason == "unreadable_webhook"
        assert (letter.key, letter.value, letter.origin) == (None, body.encode(), None)

    @pytest.mark.parametrize(
        "intent",
        [
            [],
            5,
            "pi_1",
            {"metadata": 5},
            {"metadata": {"campaign_id": 5}},
            {"metadata": {"campaign_id": CAMPAIGN}},
            payment_intent(amount_received=0),
            payment_intent(amount_received=-5),
            payment_intent(amount_received=10**12 + 1),
            payment_intent(amount_received=10**30),
            payment_intent(amount_received=10.5),
            payment_intent(amount_received=10.0),
            payment_intent(amount_received="10"),
            payment_intent(amount_received=True),
            payment_intent(amount_received=None),
            payment_intent(currency="eurr"),
            payment_intent(currency="xau"),
            payment_intent(currency=None),
            payment_intent(currency="isk", amount_received=150),
            payment_intent(latest_charge=None),
            payment_intent(latest_charge=""),
            payment_intent(latest_charge="ch 1"),
            payment_intent(latest_charge={"object": "charge"}),
            payment_intent(latest_charge="c\u0000h"),
            payment_intent(id=""),
            payment_intent(id="pi\n1"),
            payment_intent(id=None),
            payment_intent(created=-1),
            payment_intent(created=10**18),
            payment_intent(created=4_000_000_000),
            payment_intent(created=1_000_000_000),
            payment_intent(metadata={"campaign_id": "a b"}),
            payment_intent(metadata={"campaign_id": "x" * 256}),
            payment_intent(metadata={"campaign_id": "\u0000"}),
            payment_intent(metadata={"campaign_id": CAMPAIGN, "pledge_id": "x" * 500}),
            payment_intent(metadata={"campaign_id": CAMPAIGN, "share_token": "a/b"}),
            payment_intent(metadata={"campaign_id": CAMPAIGN, "reward_id": "a poster"}),
            payment_intent(metadata={"campaign_id": CAMPAIGN, "pledge_id": 5}),
        ],
    )
    def test_content_that_makes_no_event(self, client: httpx.Client, gateway: RunningGateway, intent: Any) -> None:
        """Bad amounts, ids, currencies, times, and objects that are none."""
        answer = send_webhook(client, webhook(SUCCEEDED, intent))
        assert answer.status_code == 202, answer.text
        letter = dead_letter(gateway)
        assert letter.reason == "unmappable_payment"
        assert letter.detail
        assert letter.event_id == "evt_1"
        assert all(len(text or "") <= 255 for text in (letter.event_id, letter.campaign_id))
        assert "\x00" not in (letter.campaign_id or "") + letter.detail

    @pytest.mark.parametrize(
        "metadata",
        [
            {},
            {"amount": "2500"},
            {"currency": "eur"},
            {"amount": "", "currency": "eur"},
            {"amount": "25.00", "currency": "eur"},
            {"amount": "-2500", "currency": "eur"},
            {"amount": "0", "currency": "eur"},
            {"amount": "٢٥", "currency": "eur"},
            {"amount": "2500", "currency": "euro"},
            {"amount": "2500", "currency": "lyd"},
            {"amount": "9" * 5000, "currency": "eur"},
        ],
    )
    def test_a_kept_card_without_an_amount(
        self, client: httpx.Client, gateway: RunningGateway, metadata: dict[str, str]
    ) -> None:
        """What was promised is not to be guessed."""
        intent = setup_intent(metadata={"campaign_id": CAMPAIGN} | metadata)
        assert send_webhook(client, webhook("setup_intent.succeeded", intent)).status_code == 202
        assert dead_letter(gateway).reason == "unmappable_payment"

    def test_a_charge_that_captured_nothing(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """There is no capture of nothing."""
        send_webhook(client, webhook("charge.captured", charge(amount_captured=None)))
        letter = dead_letter(gateway)
        assert (letter.reason, letter.detail) == ("unmappable_payment", "amount_captured is missing")

    @pytest.mark.parametrize("event_id", ["x" * 256, "a\u0000b", ""])
    def test_an_event_id_that_no_database_takes(
        self, client: httpx.Client, gateway: RunningGateway, event_id: str
    ) -> None:
        """The dead letter does without it."""
        send_webhook(client, webhook(SUCCEEDED, id=event_id))
        assert dead_letter(gateway).event_id is None

    def test_half_a_mebibyte(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """A body as large as the door takes is kept whole."""
        body = '{"a": "' + "x" * (512 * 1024 - 9) + '"}'
        assert len(body) == 512 * 1024
        assert send_webhook(client, body).status_code == 202
        assert dead_letter(gateway).value == body.encode()

    def test_dead_letters_are_counted_by_reason(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """So that somebody looks at them."""
        name = "cercles_gateway_dead_letters_total"
        before = gateway.counted(name, reason="unmappable_payment")
        send_webhook(client, webhook(SUCCEEDED, payment_intent(amount_received=0)))
        assert gateway.counted(name, reason="unmappable_payment") == before + 1


class TestVersions:
    """Which versions of Stripe's API are understood is asked of each event."""

    @pytest.mark.parametrize(
        "version", ["2025-02-24.acacia", "2024-06-20", "2027-03-31.fern", "2026-10-28.preview", "", "\u0000", None]
    )
    def test_another_version(self, client: httpx.Client, gateway: RunningGateway, version: str | None) -> None:
        """Its objects may mean something else: kept whole, until somebody has looked."""
        assert send_webhook(client, webhook(SUCCEEDED, api_version=version)).status_code == 202
        letter = dead_letter(gateway)
        assert (letter.reason, letter.event_id) == ("unsupported_event", "evt_1")
        assert letter.detail.isprintable()

    def test_every_version_since_basil(self) -> None:
        """All that an endpoint can have, as Stripe's library lists them."""
        (choices,) = get_args(WebhookEndpointCreateParams.__annotations__["api_version"])
        versions = get_args(choices)
        assert stripe.api_version in versions
        assert {one for one in versions if understood(one)} == {one for one in versions if one >= "2025-03-31"}

    def test_of_a_type_that_says_nothing(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """What is not read needs no version."""
        assert send_webhook(client, webhook("invoice.paid", api_version="2019-08-14")).status_code == 200
        assert gateway.log.records == []


class TestIds:
    """Stripe's ids have up to 255 characters."""

    @pytest.mark.parametrize("length", [248, 249, 255])
    def test_long_ids_are_mapped(self, client: httpx.Client, gateway: RunningGateway, length: int) -> None:
        """With our prefix some are too long for the log: their hash stands in, the same for the same id."""
        charge = "ch_" + "x" * (length - 3)
        for _ in range(2):
            send_webhook(client, webhook(SUCCEEDED, payment_intent(latest_charge=charge), id="evt_" + "x" * 251))
        first, second = (Decoding.log.decode(record.value) for record in on_log(gateway))
        assert isinstance(first, PledgeCaptured)
        assert isinstance(second, PledgeCaptured)
        assert first.data.capture_id == second.data.capture_id
        assert len(first.data.capture_id) <= 255
        assert (first.data.capture_id == f"stripe:{charge}") is (length == 248)
        assert len(first.id) == 255


class TestUnverified:
    """401, whatever the content."""

    def knock(self, client: httpx.Client, signature: str | None, url: str = URL) -> httpx.Response:
        """Send a webhook with that header."""
        headers = {"content-type": "application/json"} | ({} if signature is None else {"stripe-signature": signature})
        return client.post(url, content=json.dumps(webhook(SUCCEEDED)), headers=headers)

    @pytest.mark.parametrize(
        "signature",
        [
            None,
            "",
            "t=1",
            "v1=" + "a" * 64,
            "t=,v1=" + "a" * 64,
            "t=abc,v1=" + "a" * 64,
            "t=1e9,v1=" + "a" * 64,
            "t=" + "9" * 5000 + ",v1=" + "a" * 64,
            "t=1,t=2,v1=" + "a" * 64,
            "====,,,===",
            "t=1;v1=abc",
        ],
    )
    def test_missing_or_garbled(self, client: httpx.Client, gateway: RunningGateway, signature: str | None) -> None:
        """However it is garbled, the answer is the same."""
        answer = self.knock(client, signature)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"]
        assert gateway.log.records == []

    def test_another_body(self, client: httpx.Client) -> None:
        """The signature is of one body."""
        assert self.knock(client, stripe_signature("{}")).status_code == 401

    def test_another_secret_and_an_unknown_account(self, client: httpx.Client) -> None:
        """Nobody finds out which accounts there are."""
        wrong = send_webhook(client, webhook(SUCCEEDED), secret="whsec_of-somebody-else-entirely")
        unknown = send_webhook(client, webhook(SUCCEEDED), account="nobody")
        assert wrong.status_code == unknown.status_code == 401
        assert wrong.json() == unknown.json()

    @pytest.mark.parametrize(("seconds", "status"), [(-310, 401), (-290, 202), (290, 202), (310, 401)])
    def test_the_tolerance_is_300_seconds_to_both_sides(self, client: httpx.Client, seconds: int, status: int) -> None:
        """Stripe's own library lets any time ahead pass; ours does not."""
        assert send_webhook(client, webhook(SUCCEEDED), seconds_from_now=seconds).status_code == status

    def test_only_v1_counts(self, client: httpx.Client) -> None:
        """A scheme that is not v1, such as the v0 of test events, proves nothing."""
        body = json.dumps(webhook(SUCCEEDED))
        other = stripe_signature(body).replace("v1=", "v0=")
        answer = client.post(URL, content=body, headers={"stripe-signature": other})
        assert answer.status_code == 401


class TestVerified:
    """What is accepted as Stripe's."""

    def test_the_previous_secret(self, client: httpx.Client) -> None:
        """A rolled secret loses no event."""
        answer = send_webhook(client, webhook(SUCCEEDED), secret=knocking.STRIPE_SECRET_BEFORE)
        assert answer.status_code == 202

    def test_any_of_several_signatures(self, client: httpx.Client) -> None:
        """While a secret is being rolled Stripe sends one signature for each, and a v0 beside them."""
        body = json.dumps(webhook(SUCCEEDED))
        time, good = stripe_signature(body).split(",")
        header = f"{time},v1={'0' * 64},v0=abc,{good},v1=garbled"
        assert client.post(URL, content=body, headers={"stripe-signature": header}).status_code == 202

    def test_any_content_type(self, client: httpx.Client) -> None:
        """It is the signature that counts."""
        body = json.dumps(webhook(SUCCEEDED))
        headers = {"stripe-signature": stripe_signature(body), "content-type": "text/plain"}
        assert client.post(URL, content=body, headers=headers).status_code == 202


def test_the_broker_away_is_503(client: httpx.Client, gateway: RunningGateway) -> None:
    """Stripe sends again what it gets no 2xx for; a dead letter, too, counts only once it is written."""
    gateway.log.away = True
    for what in (webhook(SUCCEEDED), "not json"):
        answer = send_webhook(client, what)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]


def test_too_large_is_413(client: httpx.Client) -> None:
    """512 KiB is what the door takes."""
    assert send_webhook(client, " " * (512 * 1024 + 1)).status_code == 413


def test_encoded_bodies_are_415(client: httpx.Client) -> None:
    """Stripe never compresses."""
    headers = {"stripe-signature": stripe_signature("{}"), "content-encoding": "gzip"}
    assert client.post(URL, content="{}", headers=headers).status_code == 415
