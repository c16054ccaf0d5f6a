"""The resolver on a real broker: every fact is said, whatever comes first and whatever is killed."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.events import LogEvent, PledgeDisputed, PledgeRefunded
from schemas.failure_points import FailurePoint
from stream_processors.ledger.fold import apply
from stream_processors.ledger.state import PartitionState
from stream_processors.resolver.fold import WAIT_MS_MAX
from tests.ledger.events import capture, launch
from tests.resolver.events import CAMPAIGN, PLEDGE, SOURCE, dispute, link, refund
from tests.resolver.pipeline import Resolvers, campaigns_log, gateway, wait_until_resolved
from tests.worker.pipeline import read_dead_letters

WAITING = 10_000


@pytest.fixture
def resolvers(topics: str, tmp_path: Path) -> Iterator[Resolvers]:
    """Starts resolvers; none is left afterwards."""
    started = Resolvers(topics, tmp_path)
    yield started
    started.end()


def refunds(said: list[LogEvent]) -> set[str]:
    """Return the ids of the refunds that were said."""
    return {event.data.refund_id for event in said if isinstance(event, PledgeRefunded)}


def both(bootstrap: str) -> tuple[int, int]:
    """Return what the campaign has pledged and collected by the log."""
    state = PartitionState()
    for offset, event in enumerate(campaigns_log(bootstrap)):
        assert apply(state, event, offset).refusal is None
    totals = state.campaigns[CAMPAIGN].totals()
    return totals.pledged_minor, totals.collected_minor


@pytest.mark.timeout(150)
def test_a_refund_before_its_payment_reaches_the_campaign(topics: str, resolvers: Resolvers) -> None:
    """It waits; the payment's link says it; and what it takes is taken once."""
    with gateway(topics) as log:
        log.post(launch(campaign=CAMPAIGN, sources=[SOURCE]), capture(PLEDGE, 2500, campaign=CAMPAIGN, source=SOURCE))
        log.tell(refund(status="pending"), refund(), dispute(amount_minor=500, withdrawn=True))
        process = resolvers.start()
        wait_until_resolved(topics)
        assert both(topics) == (2500, 2500)
        log.tell(link(), refund())
        wait_until_resolved(topics)
    resolvers.stop(process)
    said = campaigns_log(topics)
    assert refunds(said) == {"stripe:re_1"}
    assert sum(isinstance(event, PledgeDisputed) for event in said) == 1
    assert both(topics) == (1500, 1000)
    assert read_dead_letters(topics) == []


@pytest.mark.timeout(150)
def test_a_payment_never_seen_is_a_dead_letter_and_is_said_when_it_appears(topics: str, resolvers: Resolvers) -> None:
    """After seven days of the log's time, which another payment's event brings."""
    now_ms = int(time.time() * 1000)
    with gateway(topics) as log:
        log.tell(refund(), at_ms=now_ms - WAIT_MS_MAX - 2000)
        log.tell(refund(refund_id="stripe:re_2"), at_ms=now_ms - 1000)
        first = resolvers.start()
        wait_until_resolved(topics)
        [letter] = read_dead_letters(topics)
        assert (letter.reason, letter.event_id) == ("payment_unknown", "refund-stripe:re_1-succeeded")
        assert refunds(campaigns_log(topics)) == set()
        first.kill()
        log.tell(link())
        second = resolvers.start()
        wait_until_resolved(topics)
    resolvers.stop(second)
    assert refunds(campaigns_log(topics)) == {"stripe:re_1", "stripe:re_2"}
    assert len(read_dead_letters(topics)) == 1


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    "point",
    [
        "worker.batch_folded",
        "resolver.before_outputs",
        "resolver.record_handed_over",
        "resolver.outputs_acknowledged",
        "worker.batch_acknowledged",
    ],
)
def test_one_killed_between_append_and_acknowledgement_loses_nothing(
    topics: str, resolvers: Resolvers, point: FailurePoint
) -> None:
    """What it had appended may be said again; facts have ids, so it counts once."""
    with gateway(topics) as log:
        log.post(launch(campaign=CAMPAIGN, sources=[SOURCE]), capture(PLEDGE, 2500, campaign=CAMPAIGN, source=SOURCE))
        log.tell(refund(), link(), dispute(amount_minor=500, withdrawn=True))
        victim = resolvers.start(point)
        assert victim.wait() == -9
        log.tell(refund(refund_id="stripe:re_2", amount_minor=100))
        process = resolvers.start()
        wait_until_resolved(topics)
    resolvers.stop(process)
    assert refunds(campaigns_log(topics)) == {"stripe:re_1", "stripe:re_2"}
    assert both(topics) == (1400, 900)


@pytest.mark.timeout(200)
def test_ten_thousand_waiting_hold_up_nobody_and_are_all_said(topics: str, resolvers: Resolvers) -> None:
    """Also by a resolver that had to read them all again."""
    payments = [f"stripe:pi_{number}" for number in range(WAITING)]
    with gateway(topics) as log:
        log.tell_all(refund(payment_id, refund_id=f"{payment_id}-refund") for payment_id in payments)
        first = resolvers.start()
        log.tell(link("stripe:pi_quick"), refund("stripe:pi_quick", refund_id="quick"))
        wait_until_resolved(topics)
        assert refunds(campaigns_log(topics)) == {"quick"}
        first.kill()
        second = resolvers.start()
        log.tell_all(link(payment_id, pledge_id=payment_id) for payment_id in payments)
        wait_until_resolved(topics)
    resolvers.stop(second)
    said = campaigns_log(topics)
    assert refunds(said) == {"quick", *(f"{payment_id}-refund" for payment_id in payments)}
    assert len(said) == WAITING + 1
    assert read_dead_letters(topics) == []


@pytest.mark.timeout(150)
def test_two_share_the_payments_and_one_takes_over(topics: str, resolvers: Resolvers) -> None:
    """Killed without a word, the other reads what it had and goes on."""
    payments = [f"stripe:pi_{number}" for number in range(200)]
    with gateway(topics) as log:
        log.tell_all(refund(payment_id, refund_id=f"{payment_id}-refund") for payment_id in payments)
        pair = [resolvers.start() for _ in range(2)]
        wait_until_resolved(topics)
        pair[0].kill()
        log.tell_all(link(payment_id, pledge_id=payment_id) for payment_id in payments)
        wait_until_resolved(topics)
    resolvers.stop(pair[1])
    assert refunds(campaigns_log(topics)) == {f"{payment_id}-refund" for payment_id in payments}
