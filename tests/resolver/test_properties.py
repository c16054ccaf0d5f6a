"""Whatever the order and however often, the same facts are said."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import LogEvent, encode
from schemas.payments import PaymentEvent
from stream_processors.resolver.fold import WAIT_MS_MAX
from tests.resolver.events import NOON_MS, Partition, Record, dispute, fold, link, refund, said_of

PAYMENTS = ("stripe:pi_1", "stripe:pi_2", "stripe:pi_3")


@st.composite
def stories(draw: st.DrawFn) -> list[PaymentEvent]:
    """Give the events of some payments, free of conflicts; some payments are never linked."""
    story: list[PaymentEvent] = []
    for payment_id in PAYMENTS:
        if draw(st.booleans()):
            terms = {"pledge_id": f"pledge-of-{payment_id}"}
            story.append(link(payment_id, **terms))
            if draw(st.booleans()):
                story.append(link(payment_id, **terms, captured_minor=draw(st.sampled_from([1, 2400]))))
        story += draw(
            st.lists(
                st.one_of(
                    st.builds(
                        lambda number, status, payment_id=payment_id: refund(
                            payment_id, refund_id=f"{payment_id}-{number}", status=status
                        ),
                        st.integers(1, 3),
                        st.sampled_from(["pending", "succeeded", "failed"]),
                    ),
                    st.builds(
                        lambda number, currency, withdrawn, payment_id=payment_id: dispute(
                            payment_id, dispute_id=f"{payment_id}-{number}", currency=currency, withdrawn=withdrawn
                        ),
                        st.integers(1, 3),
                        st.sampled_from(["EUR", "USD"]),
                        st.booleans(),
                    ),
                ),
                max_size=5,
            )
        )
    return story


def facts(said: list[LogEvent]) -> set[object]:
    """Return what was said, without how often."""
    return {event.data for event in said}


@given(stories(), st.data())
def test_order_and_repetition_change_no_fact(story: list[PaymentEvent], data: st.DataObject) -> None:
    """Between the first of the two tellings and the second everything is shuffled, doubled, and years may pass."""
    told = data.draw(st.permutations(story + data.draw(st.lists(st.sampled_from(story)) if story else st.just([]))))
    first, second = Partition(), Partition()
    expected = facts(first.append(*story))
    said: list[LogEvent] = []
    for event in told:
        second.time_ms += data.draw(st.sampled_from([0, 1, WAIT_MS_MAX]))
        said += second.append(event)
    assert facts(said) == expected
    assert set(second.reasons) <= {"payment_unknown"}


@given(stories(), st.data())
def test_every_fact_is_said_or_waits(story: list[PaymentEvent], data: st.DataObject) -> None:
    """None is lost on the way, and a dead letter of one that is never said is written once."""
    partition = Partition()
    said = partition.append(*data.draw(st.permutations(story)))
    waiting = {
        fact
        for payments in partition.state.payments.values()
        for payment in payments.values()
        for fact in payment.waiting or ()
    }
    told = {event.data for event in story if event.source and not isinstance(event, type(link()))}
    assert len(facts(said)) + len(waiting) == len(told)
    assert len(partition.state.waiting) == len(waiting)
    partition.time_ms += WAIT_MS_MAX + 1
    partition.append(link("stripe:pi_elsewhere"), link("stripe:pi_elsewhere"))
    assert partition.reasons == ["payment_unknown"] * len(waiting)


@given(stories(), st.data())
def test_batches_and_interruptions_change_nothing(story: list[PaymentEvent], data: st.DataObject) -> None:
    """However the log is cut into batches, and wherever a fold begins again from a state of before."""
    records = [
        Record(offset, encode(event), event.data.payment_id.encode(), NOON_MS + offset)
        for offset, event in enumerate(story)
    ]
    whole = Partition()
    expected = said_of(fold(whole.state, *records))
    cut = data.draw(st.integers(0, len(records)))
    known = data.draw(st.integers(0, cut))
    state = Partition().state
    said = said_of(fold(state, *records[:known]))
    before = copy.deepcopy(state)
    fold(state, *records[known:cut])
    said += said_of(fold(before, *records[known:cut]))
    said += said_of(fold(before, *records[known:]))
    assert said == expected
    assert before == whole.state
