"""A fact waits for seven days of the log's own time; then it is a dead letter, and said all the same once it can be."""

from stream_processors.resolver.fold import WAIT_MS_MAX
from tests.resolver.events import DAY_MS, NOON_MS, PAYMENT, Partition, dispute, link, refund

LATER = "stripe:pi_later"


def test_seven_days() -> None:
    """Stripe sends for three days what it got no answer for."""
    assert WAIT_MS_MAX == 7 * DAY_MS


def test_a_fact_waits_for_seven_days_and_no_longer() -> None:
    """By the timestamps of the records that follow, in whatever partition-mate's name they come."""
    partition = Partition()
    partition.append(refund())
    partition.time_ms += WAIT_MS_MAX
    partition.append(link(LATER))
    assert partition.reasons == []
    partition.time_ms += 1
    partition.append(link(LATER))
    [letter] = partition.dead_letters
    assert letter.reason == "payment_unknown"
    assert letter.detail.startswith(f"the campaign of payment {PAYMENT} was not heard of")
    assert (letter.value, letter.key) == (partition.records[0].value, PAYMENT.encode())
    assert letter.origin is not None
    assert (letter.origin.topic, letter.origin.partition, letter.origin.offset) == ("cercles.payments", 3, 0)
    assert (letter.event_id, letter.campaign_id) == ("refund-stripe:re_1-succeeded", None)
    assert partition.state.waiting == {}


def test_a_dispute_may_wait_for_what_was_captured() -> None:
    """Of a payment that is linked; the words say which it is."""
    partition = Partition()
    partition.append(link(), dispute(currency="USD"))
    partition.time_ms += WAIT_MS_MAX + 1
    partition.append(link(LATER))
    [letter] = partition.dead_letters
    assert letter.reason == "payment_unknown"
    assert letter.detail.startswith(f"what payment {PAYMENT} has captured was not heard of")
    assert len(partition.append(link(captured_minor=2400))) == 1


def test_each_fact_has_its_own_time() -> None:
    """The oldest goes first, and only it."""
    partition = Partition()
    partition.append(refund())
    partition.time_ms += DAY_MS
    partition.append(dispute())
    assert partition.state.waiting_since_ms == NOON_MS
    partition.time_ms = NOON_MS + WAIT_MS_MAX + 1
    partition.append(link(LATER))
    assert [letter.event_id for letter in partition.dead_letters] == ["refund-stripe:re_1-succeeded"]
    assert partition.state.waiting_since_ms == NOON_MS + DAY_MS


def test_what_waited_for_too_long_is_said_when_its_payment_appears() -> None:
    """Once; sending the dead letter again is harmless."""
    partition = Partition()
    partition.append(refund())
    partition.time_ms += WAIT_MS_MAX + 1
    partition.append(link(LATER))
    assert [event.id for event in partition.append(link())] == ["refund-stripe:re_1-succeeded"]
    assert partition.append(link()) == []
    assert len(partition.append(refund())) == 1
    assert partition.reasons == ["payment_unknown"]


def test_a_dead_letter_sent_again_too_early_waits_on() -> None:
    """It is known, and does not become a second dead letter."""
    partition = Partition()
    partition.append(refund())
    partition.time_ms += WAIT_MS_MAX + 1
    partition.append(refund())
    partition.time_ms += WAIT_MS_MAX + 1
    partition.append(refund())
    assert partition.reasons == ["payment_unknown"]
    assert len(partition.append(link())) == 1


def test_the_logs_time_never_goes_back() -> None:
    """A gateway whose clock is behind makes nobody wait longer."""
    partition = Partition()
    partition.append(refund())
    partition.time_ms += WAIT_MS_MAX
    partition.append(link(LATER))
    partition.time_ms = NOON_MS - DAY_MS
    partition.append(dispute())
    assert partition.state.time_ms == NOON_MS + WAIT_MS_MAX
    partition.time_ms = NOON_MS + WAIT_MS_MAX + 1
    partition.append(link(LATER))
    assert [letter.event_id for letter in partition.dead_letters] == ["refund-stripe:re_1-succeeded"]


def test_the_link_may_come_with_the_record_that_ends_the_wait() -> None:
    """Both happen: the dead letter is there, and the fact is said."""
    partition = Partition()
    partition.append(refund())
    partition.time_ms += WAIT_MS_MAX + 1
    assert len(partition.append(link())) == 1
    assert partition.reasons == ["payment_unknown"]


def test_nothing_waits_at_first() -> None:
    """And the log has no time yet."""
    state = Partition().state
    assert (state.waiting_since_ms, state.size, state.next_offset) == (None, 0, 0)
