"""What Stripe's door makes of refunds and disputes: facts of their payment, and links to it. All over HTTP, signed."""

from typing import Any

import httpx
import pytest

from schemas.dead_letters import from_record
from schemas.events import Decoding, PledgeCaptured
from schemas.payments import (
    PaymentDecoding,
    PaymentDisputed,
    PaymentDisputedData,
    PaymentEvent,
    PaymentLinked,
    PaymentRefunded,
)
from schemas.topics import DEAD_LETTERS, LOG, PAYMENTS
from tests.gateway.conftest import RunningGateway
from tests.gateway.knocking import (
    ACCOUNT,
    CAMPAIGN,
    balance_transaction,
    charge,
    dispute,
    payment_intent,
    refund,
    send_webhook,
    setup_intent,
    webhook,
)

STRIPE_EVENTS = "cercles_gateway_stripe_events_total"
DISPUTE_EVENTS = ("created", "updated", "funds_withdrawn", "funds_reinstated", "closed")


def told(gateway: RunningGateway) -> PaymentEvent:
    """Return the one event on the payments' log, which must stand under its payment."""
    (record,) = (record for record in gateway.log.records if record.topic == PAYMENTS.name)
    event = PaymentDecoding.log.decode(record.value)
    assert record.key == event.data.payment_id.encode()
    return event


def disputed(client: httpx.Client, gateway: RunningGateway, event: str, **changes: Any) -> PaymentDisputedData:
    """Send an event of a dispute and return the fact that it makes."""
    gateway.log.reset()
    assert send_webhook(client, webhook(f"charge.dispute.{event}", dispute(**changes))).status_code == 202
    fact = told(gateway)
    assert isinstance(fact, PaymentDisputed)
    return fact.data


class TestLinks:
    """Every event of a payment that names its campaign links the two, in the same breath."""

    @pytest.mark.parametrize(
        ("kind", "captured_minor"),
        [
            ("payment_intent.amount_capturable_updated", None),
            ("payment_intent.succeeded", 2500),
            ("payment_intent.canceled", None),
            ("payment_intent.payment_failed", None),
        ],
    )
    def test_of_a_payment_intent(
        self, client: httpx.Client, gateway: RunningGateway, kind: str, captured_minor: int | None
    ) -> None:
        """Only a payment that succeeded says what was taken: nothing more can follow."""
        assert send_webhook(client, webhook(kind)).status_code == 202
        assert [record.topic for record in gateway.log.records] == [LOG.name, PAYMENTS.name]
        link = told(gateway)
        assert isinstance(link, PaymentLinked)
        assert (link.data.payment_id, link.data.campaign_id, link.data.pledge_id) == (
            "stripe:pi_1",
            CAMPAIGN,
            "stripe:pi_1",
        )
        assert (link.data.currency, link.data.captured_minor) == ("EUR", captured_minor)
        assert (link.id, link.source) == ("evt_1", f"stripe/{ACCOUNT}/live")

    def test_of_a_charge(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """Its payment is the payment intent; refunds name that."""
        send_webhook(client, webhook("charge.captured", charge()))
        link = told(gateway)
        assert isinstance(link, PaymentLinked)
        assert (link.data.payment_id, link.data.captured_minor) == ("stripe:pi_1", None)

    def test_the_pledge_is_the_one_of_the_event(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """Whatever names it."""
        metadata = {"campaign_id": CAMPAIGN, "pledge_id": "pledge-5"}
        send_webhook(client, webhook("payment_intent.succeeded", payment_intent(metadata=metadata)))
        event, link = Decoding.log.decode(gateway.log.records[0].value), told(gateway)
        assert isinstance(event, PledgeCaptured)
        assert isinstance(link, PaymentLinked)
        assert event.data.pledge_id == link.data.pledge_id == "pledge-5"

    def test_a_kept_card_has_no_payment(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """Nothing can be refunded or disputed of it."""
        send_webhook(client, webhook("setup_intent.succeeded", setup_intent()))
        assert [record.topic for record in gateway.log.records] == [LOG.name]

    def test_of_what_cannot_be_mapped_there_is_none(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """It is a dead letter only."""
        send_webhook(client, webhook("payment_intent.succeeded", payment_intent(amount_received=0)))
        assert [record.topic for record in gateway.log.records] == [DEAD_LETTERS.name]


class TestRefunds:
    """refund.created, .updated and .failed."""

    @pytest.mark.parametrize("event", ["created", "updated", "failed"])
    @pytest.mark.parametrize(
        ("status", "ours"),
        [
            ("pending", "pending"),
            ("requires_action", "pending"),
            ("succeeded", "succeeded"),
            ("failed", "failed"),
            ("canceled", "canceled"),
        ],
    )
    def test_is_as_far_as_its_status_says(
        self, client: httpx.Client, gateway: RunningGateway, event: str, status: str, ours: str
    ) -> None:
        """Whichever event brings it."""
        before = gateway.counted(STRIPE_EVENTS, account=ACCOUNT, outcome="followed")
        answer = send_webhook(client, webhook(f"refund.{event}", refund(status=status)))
        assert (answer.status_code, answer.json()) == (202, {"accepted": []})
        fact = told(gateway)
        assert isinstance(fact, PaymentRefunded)
        assert (fact.data.payment_id, fact.data.refund_id) == ("stripe:pi_1", "stripe:re_1")
        assert (fact.data.amount_minor, fact.data.currency, fact.data.status) == (1000, "EUR", ours)
        assert (fact.id, fact.source) == ("evt_1", f"stripe/{ACCOUNT}/live")
        assert len(gateway.log.records) == 1
        assert gateway.counted(STRIPE_EVENTS, account=ACCOUNT, outcome="followed") == before + 1

    def test_an_amount_is_in_stripes_unit(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """As everywhere at Stripe."""
        send_webhook(client, webhook("refund.created", refund(amount=500, currency="isk")))
        fact = told(gateway)
        assert isinstance(fact, PaymentRefunded)
        assert (fact.data.amount_minor, fact.data.currency) == (5, "ISK")

    @pytest.mark.parametrize(
        ("changes", "payment_id"),
        [
            ({"payment_intent": {"id": "pi_5", "object": "payment_intent"}}, "stripe:pi_5"),
            ({"payment_intent": None}, "stripe:ch_1"),
        ],
    )
    def test_whose_payment_is_expanded_or_a_charge_alone(
        self, client: httpx.Client, gateway: RunningGateway, changes: dict[str, Any], payment_id: str
    ) -> None:
        """A charge that was made without a payment intent is its own payment."""
        send_webhook(client, webhook("refund.created", refund(**changes)))
        assert told(gateway).data.payment_id == payment_id

    @pytest.mark.parametrize(
        ("changes", "outcome"),
        [
            ({"reason": "expired_uncaptured_charge"}, "released"),
            ({"balance_transaction": None}, "released"),
            ({"payment_intent": None, "charge": None}, "not_ours"),
        ],
    )
    def test_of_nothing_that_was_captured(
        self, client: httpx.Client, gateway: RunningGateway, changes: dict[str, Any], outcome: str
    ) -> None:
        """Letting go of an authorization moves no money: it is acknowledged and counted."""
        before = gateway.counted(STRIPE_EVENTS, account=ACCOUNT, outcome=outcome)
        assert send_webhook(client, webhook("refund.created", refund(**changes))).status_code == 200
        assert gateway.log.records == []
        assert gateway.counted(STRIPE_EVENTS, account=ACCOUNT, outcome=outcome) == before + 1

    def test_that_has_not_left_the_account_yet_is_one(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """A pending refund may have no balance transaction yet."""
        send_webhook(client, webhook("refund.created", refund(status="pending", balance_transaction=None)))
        assert isinstance(told(gateway), PaymentRefunded)

    @pytest.mark.parametrize("kind", ["charge.refunded", "charge.refund.updated"])
    def test_is_not_told_by_its_charge(self, client: httpx.Client, gateway: RunningGateway, kind: str) -> None:
        """The charge has only the sum of its refunds; the refund's own events say each. It is counted."""
        before = gateway.counted(STRIPE_EVENTS, account=ACCOUNT, outcome="said_elsewhere")
        assert send_webhook(client, webhook(kind, charge(amount_refunded=1000))).status_code == 200
        assert gateway.log.records == []
        assert gateway.counted(STRIPE_EVENTS, account=ACCOUNT, outcome="said_elsewhere") == before + 1


class TestDisputes:
    """charge.dispute.created, .updated, .funds_withdrawn, .funds_reinstated and .closed."""

    @pytest.mark.parametrize("event", DISPUTE_EVENTS)
    def test_only_funds_withdrawn_says_that_they_are(
        self, client: httpx.Client, gateway: RunningGateway, event: str
    ) -> None:
        """Also when the others come later."""
        data = disputed(client, gateway, event)
        assert (data.payment_id, data.dispute_id) == ("stripe:pi_1", "stripe:dp_1")
        assert (data.amount_minor, data.currency, data.status) == (2500, "EUR", "open")
        assert data.withdrawn is (event == "funds_withdrawn")

    @pytest.mark.parametrize(
        ("status", "ours"),
        [
            ("needs_response", "open"),
            ("under_review", "open"),
            ("appeal_needs_response", "open"),
            ("appeal_under_review", "open"),
            ("won", "won"),
            ("lost", "lost"),
        ],
    )
    def test_stands_as_its_status_says(
        self, client: httpx.Client, gateway: RunningGateway, status: str, ours: str
    ) -> None:
        """An appeal is open again; what was lost by then stays lost until it is won."""
        data = disputed(client, gateway, "closed", status=status)
        assert (data.status, data.lost_minor) == (ours, None)

    @pytest.mark.parametrize("event", DISPUTE_EVENTS)
    @pytest.mark.parametrize(
        "status", ["warning_needs_response", "warning_under_review", "warning_closed", "prevented"]
    )
    def test_an_inquiry_moves_nothing(
        self, client: httpx.Client, gateway: RunningGateway, event: str, status: str
    ) -> None:
        """Nor does a dispute that was prevented before money moved."""
        before = gateway.counted(STRIPE_EVENTS, account=ACCOUNT, outcome="inquiry")
        inquiry = dispute(status=status, balance_transactions=[])
        assert send_webhook(client, webhook(f"charge.dispute.{event}", inquiry)).status_code == 200
        assert gateway.log.records == []
        assert gateway.counted(STRIPE_EVENTS, account=ACCOUNT, outcome="inquiry") == before + 1

    def test_one_that_was_prevented_at_a_price_is_lost(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """The bank has its money without a refund."""
        assert disputed(client, gateway, "funds_withdrawn", status="prevented").status == "lost"

    def test_a_lost_one_can_return_a_part(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """What came back is a balance transaction above 0; the rest was lost."""
        moved = [balance_transaction(-2500), balance_transaction(400)]
        data = disputed(client, gateway, "funds_reinstated", status="lost", balance_transactions=moved)
        assert (data.status, data.amount_minor, data.lost_minor) == ("lost", 2500, 2100)

    def test_a_lost_one_that_returned_everything_cost_nothing(
        self, client: httpx.Client, gateway: RunningGateway
    ) -> None:
        """As if it had been won."""
        moved = [balance_transaction(-2500), balance_transaction(2500)]
        data = disputed(client, gateway, "funds_reinstated", status="lost", balance_transactions=moved)
        assert (data.status, data.lost_minor) == ("won", None)

    def test_an_open_one_returns_nothing(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """Only the end of a dispute says what it cost."""
        moved = [balance_transaction(-2500), balance_transaction(400)]
        data = disputed(client, gateway, "funds_reinstated", balance_transactions=moved)
        assert (data.status, data.lost_minor) == ("open", None)

    def test_what_was_withdrawn_may_be_in_the_accounts_currency(
        self, client: httpx.Client, gateway: RunningGateway
    ) -> None:
        """The whole amount in dispute is lost, in its own currency."""
        moved = [balance_transaction(-2700, "usd")]
        data = disputed(client, gateway, "closed", status="lost", balance_transactions=moved)
        assert (data.amount_minor, data.currency, data.lost_minor) == (2500, "EUR", None)

    def test_without_a_payment_intent(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """Its charge is the payment."""
        assert disputed(client, gateway, "created", payment_intent=None).payment_id == "stripe:ch_1"


class TestUnmappable:
    """Verified, but not to be mapped: a dead letter."""

    @pytest.mark.parametrize(
        ("kind", "what"),
        [
            ("refund.created", refund(amount=0)),
            ("refund.created", refund(amount=-5)),
            ("refund.created", refund(amount=None)),
            ("refund.created", refund(amount=10.5)),
            ("refund.created", refund(currency="xau")),
            ("refund.created", refund(status="on_its_way")),
            ("refund.created", refund(status=None)),
            ("refund.created", refund(id="")),
            ("refund.created", refund(id="re\u0000")),
            ("refund.created", refund(payment_intent="pi 1")),
            ("refund.created", refund(metadata=5)),
            ("refund.created", []),
            ("charge.dispute.closed", dispute(amount=0)),
            ("charge.dispute.closed", dispute(currency="euro")),
            ("charge.dispute.closed", dispute(status="forgotten")),
            ("charge.dispute.closed", dispute(status=None)),
            ("charge.dispute.closed", dispute(balance_transactions=[5])),
            (
                "charge.dispute.closed",
                dispute(
                    status="lost",
                    balance_transactions=[balance_transaction(-2700, "usd"), balance_transaction(9, "usd")],
                ),
            ),
            ("charge.dispute.closed", "dp_1"),
        ],
    )
    def test_content_that_makes_no_fact(
        self, client: httpx.Client, gateway: RunningGateway, kind: str, what: Any
    ) -> None:
        """Bad amounts, ids, currencies, statuses, and objects that are none."""
        assert send_webhook(client, webhook(kind, what)).status_code == 202
        (record,) = gateway.log.records
        letter = from_record(record.key, record.value, record.headers)
        assert (record.topic, letter.reason, letter.event_id) == (DEAD_LETTERS.name, "unmappable_payment", "evt_1")

    @pytest.mark.parametrize("kind", ["refund.created", "charge.dispute.created"])
    def test_another_version(self, client: httpx.Client, gateway: RunningGateway, kind: str) -> None:
        """As of every event that is read."""
        send_webhook(client, webhook(kind, refund(), api_version="2024-06-20"))
        (record,) = gateway.log.records
        assert from_record(record.key, record.value, record.headers).reason == "unsupported_event"

    @pytest.mark.parametrize("kind", ["payment_intent.succeeded", "refund.created"])
    def test_a_broker_away_is_no_acceptance(self, client: httpx.Client, gateway: RunningGateway, kind: str) -> None:
        """503, so that Stripe sends it again."""
        gateway.log.away = True
        what = refund() if kind == "refund.created" else payment_intent()
        assert send_webhook(client, webhook(kind, what)).status_code == 503
