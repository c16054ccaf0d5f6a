"""Facts that name only their payment become facts of its pledge."""

from typing import Any

import pytest

from schemas.events import PledgeDisputed, PledgeRefunded
from stream_processors.resolver.fold import Refusal
from tests.resolver.events import CAMPAIGN, PAYMENT, PLEDGE, TIME, Partition, dispute, link, refund


def test_a_link_alone_says_nothing() -> None:
    """The pledge's own event stands on the campaigns' log already."""
    partition = Partition()
    assert partition.append(link(), link()) == []
    assert partition.dead_letters == []


def test_a_refund_of_a_known_payment_is_one_of_its_pledge() -> None:
    """Everything but the payment stays as it was: id, source and time, refund, amount and status."""
    partition = Partition()
    partition.append(link())
    [said] = partition.append(refund(status="pending"))
    assert isinstance(said, PledgeRefunded)
    assert (said.data.campaign_id, said.data.pledge_id, said.data.refund_id) == (CAMPAIGN, PLEDGE, "stripe:re_1")
    assert (said.data.amount_minor, said.data.currency, said.data.status) == (1000, "EUR", "pending")
    assert (said.id, said.source, said.time) == ("refund-stripe:re_1-pending", "stripe/acme/live", TIME)


def test_a_dispute_of_a_known_payment_is_one_of_its_pledge() -> None:
    """With what was withdrawn, and what a lost one cost."""
    partition = Partition()
    partition.append(link())
    [said] = partition.append(dispute(status="lost", withdrawn=True, lost_minor=2000))
    assert isinstance(said, PledgeDisputed)
    assert (said.data.campaign_id, said.data.pledge_id, said.data.dispute_id) == (CAMPAIGN, PLEDGE, "stripe:dp_1")
    assert (said.data.amount_minor, said.data.currency) == (2500, "EUR")
    assert (said.data.status, said.data.withdrawn, said.data.lost_minor) == ("lost", True, 2000)
    assert (said.id, said.source, said.time) == ("dispute-stripe:dp_1-lost", "stripe/acme/live", TIME)


def test_facts_that_come_first_wait_for_the_link() -> None:
    """Then they are said in the order in which they came, once each, and wait no longer."""
    partition = Partition()
    assert partition.append(refund(status="pending"), refund(), refund(), dispute()) == []
    assert len(partition.state.waiting) == 3
    said = partition.append(link())
    assert [event.id for event in said] == [
        "refund-stripe:re_1-pending",
        "refund-stripe:re_1-succeeded",
        "dispute-stripe:dp_1-open",
    ]
    assert partition.state.waiting == {}
    assert partition.append(link()) == []
    assert partition.dead_letters == []


def test_a_fact_told_again_is_said_again() -> None:
    """The ledger knows it by its id; nothing has to be remembered of what was said."""
    partition = Partition()
    partition.append(link())
    assert partition.append(refund()) == partition.append(refund())


def test_waiting_for_one_payment_holds_up_no_other() -> None:
    """Neither the payment nor its facts."""
    partition = Partition()
    partition.append(refund("stripe:pi_2"), link())
    assert [event.id for event in partition.append(refund())] == ["refund-stripe:re_1-succeeded"]
    assert len(partition.state.waiting) == 1


def test_no_source_speaks_of_anothers_payment() -> None:
    """The same id from another account, or in test mode, is another payment."""
    partition = Partition()
    partition.append(link(source="stripe/other/live"), link(source="stripe/acme/test"))
    assert partition.append(refund()) == []
    assert partition.state.size == 3


class TestDisputesInAnotherCurrency:
    """The bank's currency need not be the payment's: everything captured is taken."""

    def test_everything_captured_is_taken(self) -> None:
        """In the payment's currency; what of it came back can't be told in that currency."""
        partition = Partition()
        partition.append(link(captured_minor=2400))
        [said] = partition.append(dispute(currency="USD", amount_minor=2800, status="lost", lost_minor=100))
        assert isinstance(said, PledgeDisputed)
        assert (said.data.amount_minor, said.data.currency, said.data.lost_minor) == (2400, "EUR", None)

    def test_it_waits_until_that_is_known(self) -> None:
        """The link alone is not enough; a refund does not wait for it."""
        partition = Partition()
        assert partition.append(link(), dispute(currency="USD"), link()) == []
        assert len(partition.append(refund())) == 1
        [said] = partition.append(link(captured_minor=2400))
        assert isinstance(said, PledgeDisputed)
        assert said.data.amount_minor == 2400
        assert partition.state.waiting == {}

    def test_one_in_the_payments_currency_is_as_large_as_it_says(self) -> None:
        """Whatever was captured."""
        partition = Partition()
        partition.append(link(captured_minor=2400))
        [said] = partition.append(dispute(amount_minor=500))
        assert isinstance(said, PledgeDisputed)
        assert said.data.amount_minor == 500


class TestConflicts:
    """A payment has one link for good: the first in the log stands."""

    @pytest.mark.parametrize(
        "other",
        [{"campaign_id": "another"}, {"pledge_id": "another"}, {"currency": "USD"}],
        ids=lambda other: next(iter(other)),
    )
    def test_a_link_to_something_else(self, other: dict[str, Any]) -> None:
        """It is a dead letter, and what is known stays."""
        partition = Partition()
        partition.append(link())
        assert partition.append(link(**other)) == []
        assert partition.reasons == ["conflicting_duplicate"]
        [letter] = partition.dead_letters
        assert letter.campaign_id == other.get("campaign_id", CAMPAIGN)
        assert letter.detail == f"payment {PAYMENT} is known as one of pledge {PLEDGE} of campaign {CAMPAIGN} in EUR"
        [said] = partition.append(refund())
        assert (said.data.campaign_id, said.data.pledge_id) == (CAMPAIGN, PLEDGE)  # type: ignore[union-attr]

    def test_another_captured_amount(self) -> None:
        """The first one stands; a link without one says nothing against it."""
        partition = Partition()
        partition.append(link(captured_minor=2400), link(), link(captured_minor=2400))
        assert partition.reasons == []
        partition.append(link(captured_minor=2500))
        assert partition.reasons == ["conflicting_duplicate"]
        assert partition.dead_letters[0].detail == f"payment {PAYMENT} is known with another captured amount"
        [said] = partition.append(dispute(currency="USD"))
        assert isinstance(said, PledgeDisputed)
        assert said.data.amount_minor == 2400


def test_a_refusal_says_itself() -> None:
    """Where one is shown as an error, such as in a test, it has its reason and its words."""
    refusal = Refusal("misrouted", "why")
    assert (refusal.reason, refusal.detail, str(refusal)) == ("misrouted", "why", "misrouted: why")
