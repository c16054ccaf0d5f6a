"""What a person reads beside a dead letter: which fact it is about, and what is the matter with it."""

from datetime import datetime, timedelta
from typing import Final

import pytest

from schemas.events import LogEvent, encode
from stream_processors.ledger.outcome import Refusal
from stream_processors.ledger.state import PartitionState
from stream_processors.refusals import RefusalReason
from tests.ledger.batches import Record, batch_of, fold, updates_of
from tests.ledger.events import (
    CAMPAIGN,
    CLOSES,
    NOON,
    OPENS,
    amend,
    authorize,
    cancel,
    capture,
    close,
    dispute,
    fail,
    launch,
    promise,
    refund,
    share,
    visit,
)
from tests.ledger.log import Log

HOUR: Final = timedelta(hours=1)

STORY: Final[list[LogEvent]] = [
    launch(),
    amend(1, title="Les Anges"),
    authorize("p", 5, authorization="auth-1"),
    capture("p", 5, capture_id="capture-1"),
    refund("p", 5, refund_id="refund-1"),
    dispute("p", 5, dispute_id="dispute-1"),
    promise("p", 2, 5),
    fail("p", attempt="attempt-1"),
    cancel("p", "auth-2"),
    share("link"),
]

CONFLICTS: Final[list[tuple[LogEvent, str]]] = [
    (launch(goal_minor=1), "campaign les-anges-anonymes is known with other terms"),
    (amend(1, title="Anges"), "revision 1 is known with other terms"),
    (authorize("q", 5, authorization="auth-1"), "authorization auth-1 is known with another pledge"),
    (authorize("p", 5, authorization="auth-1", currency="USD"), "authorization auth-1 is known with another currency"),
    (authorize("q", 5, authorization="auth-2"), "authorization auth-2 is known with another pledge"),
    (capture("q", 5, capture_id="capture-1"), "capture capture-1 is known with another pledge"),
    (capture("p", 5, capture_id="capture-1", currency="USD"), "capture capture-1 is known with another currency"),
    (refund("q", 5, refund_id="refund-1"), "refund refund-1 is known with another pledge"),
    (refund("p", 5, refund_id="refund-1", currency="USD"), "refund refund-1 is known with another currency"),
    (refund("p", 6, refund_id="refund-1"), "refund refund-1 is known with another amount"),
    (dispute("q", 5, dispute_id="dispute-1"), "dispute dispute-1 is known with another pledge"),
    (dispute("p", 5, dispute_id="dispute-1", currency="USD"), "dispute dispute-1 is known with another currency"),
    (dispute("p", 6, dispute_id="dispute-1"), "dispute dispute-1 is known with another amount"),
    (promise("p", 2, 6), "amendment p revision 2 is known with another amount"),
    (fail("q", attempt="attempt-1"), "attempt attempt-1 is known with another pledge"),
    (cancel("q", "auth-1"), "authorization auth-1 is known with another pledge"),
    (cancel("q", "auth-2"), "authorization auth-2 is known with another pledge"),
    (share("link", network="web"), "share link is known with other particulars"),
]


def refusal_of(log: Log, event: LogEvent) -> Refusal:
    refusal = log.append(event).refusal
    assert refusal is not None
    return refusal


@pytest.mark.parametrize(("event", "detail"), CONFLICTS, ids=[detail for _, detail in CONFLICTS])
def test_a_conflict_names_the_fact_and_what_differs(event: LogEvent, detail: str) -> None:
    """`conflicting_duplicate`: the kind of fact, its id, and which of its particulars is another one."""
    refusal = refusal_of(Log(*STORY), event)
    assert (refusal.reason, refusal.detail) == ("conflicting_duplicate", detail)


OTHERS: Final[list[tuple[LogEvent, RefusalReason, str]]] = [
    (
        authorize("p", 5, campaign="another"),
        "campaign_unknown",
        "no launch of campaign another stands before this event",
    ),
    (
        authorize("p", 5, source="sources/stranger"),
        "source_not_allowed",
        "the campaign does not list sources/stranger among its sources",
    ),
    (
        visit("t", 5, source="sources/stranger"),
        "source_not_allowed",
        "the campaign does not list sources/stranger among its sources",
    ),
    (
        capture("p", 5, currency="USD", capture_id="new"),
        "currency_mismatch",
        "the campaign is in EUR, the event in USD",
    ),
    (
        capture("p", 5, at=datetime(9999, 1, 1, 12, tzinfo=NOON.tzinfo)),
        "invalid_event",
        "9999-01-01T12:00:00+00:00 is no time for an event: 1971 to 9998 are",
    ),
    (
        amend(2, at=OPENS - HOUR, closes_at=OPENS),
        "invalid_event",
        "closes_at must come after the campaign's opens_at",
    ),
    (
        amend(2, at=CLOSES, closes_at=CLOSES + HOUR),
        "campaign_closed",
        "the deadline passed at 2026-04-15T22:00:00+00:00",
    ),
    (
        amend(2, at=NOON, closes_at=NOON),
        "campaign_closed",
        "the new deadline is not after the amendment itself",
    ),
    (
        close(at=CLOSES + HOUR / 2),
        "closed_too_early",
        "payments settle for 1:00:00 after 2026-04-15T22:00:00+00:00",
    ),
]


@pytest.mark.parametrize(("event", "reason", "detail"), OTHERS, ids=[detail for _, _, detail in OTHERS])
def test_a_refusal_says_what_is_the_matter(event: LogEvent, reason: RefusalReason, detail: str) -> None:
    """With the campaign, source, currency or moment it is about: the event and the terms need not be looked up."""
    refusal = refusal_of(Log(*STORY), event)
    assert (refusal.reason, refusal.detail) == (reason, detail)


@pytest.mark.parametrize(("amount", "outcome"), [(1_500_000, "succeeded"), (5, "failed")])
def test_an_amendment_after_the_outcome_is_told_the_outcome(amount: int, outcome: str) -> None:
    """It was not merely too late: the terms have been judged by."""
    refusal = refusal_of(Log(launch(), authorize("p", amount), close()), amend(1, at=CLOSES, goal_minor=5))
    assert refusal.detail == f"the campaign has {outcome}: its terms no longer change"


def test_a_refusal_reads_as_its_reason_and_detail() -> None:
    """Where it is shown as an exception, as in a traceback."""
    assert str(refusal_of(Log(), fail("p"))) == (
        "campaign_unknown: no launch of campaign les-anges-anonymes stands before this event"
    )


VALUE: Final = encode(authorize("p", 5))

RECORDS: Final[list[tuple[Record, RefusalReason, str]]] = [
    (
        Record(1, VALUE, b"another-film"),
        "misrouted",
        "the record's key is not the id of the event's campaign",
    ),
    (
        Record(1, VALUE, None),
        "misrouted",
        "the record's key is not the id of the event's campaign",
    ),
    (
        Record(1, encode(launch(campaign="elsewhere")), b"elsewhere"),
        "misrouted",
        "partition 3 is not the one that the key belongs to",
    ),
    (
        Record(1, None),
        "invalid_event",
        "the record has no value",
    ),
    (
        Record(1, encode(authorize("p\x00", 5))),
        "invalid_event",
        "a text holds the character NUL",
    ),
    (
        Record(1, VALUE.replace(b'"amount_minor":5', b'"amount_minor":0')),
        "invalid_event",
        "Expected `int` >= 1 - at `$.data.amount_minor`",
    ),
    (
        Record(1, VALUE.replace(b"cercles.pledge.authorized", "é\x85\\u0007\\n!".encode())),
        "invalid_event",
        "Invalid value 'é???!' - at `$.type`",
    ),
]


@pytest.mark.parametrize(("record", "reason", "detail"), RECORDS, ids=range(len(RECORDS)))
def test_a_record_that_is_no_event_here_says_why(record: Record, reason: RefusalReason, detail: str) -> None:
    """With the path of what does not fit; a character that a terminal would obey is shown as a question mark."""
    state = PartitionState()
    fold(state, launch())
    batch = batch_of(state)
    batch.partition_of = lambda key: 3 if key == CAMPAIGN.encode() else 4
    (letter,) = batch.fold([record]).dead_letters
    assert (letter.reason, letter.detail) == (reason, detail)


@pytest.mark.parametrize("key", [b"another-film", None])
def test_a_key_is_looked_at_in_every_record_of_a_story(key: bytes | None) -> None:
    """Also where the campaign is in the midst of a batch."""
    batch = batch_of(PartitionState())
    outputs = batch.fold([Record(0, encode(launch())), Record(1, VALUE, key), Record(2, VALUE)])
    (letter,) = outputs.dead_letters
    assert letter.origin is not None
    assert (letter.reason, letter.origin.offset) == ("misrouted", 1)
    assert letter.detail == "the record's key is not the id of the event's campaign"
    assert [entry.offset for update in updates_of(outputs) for entry in update.entries] == [0, 2]


def test_another_campaigns_event_under_the_key_of_a_story_is_refused() -> None:
    """It stands in the wrong place, whatever its own campaign would have made of it."""
    other = encode(authorize("p", 5, campaign="another-film"))
    outputs = batch_of(PartitionState()).fold([Record(0, encode(launch())), Record(1, other), Record(2, VALUE)])
    (letter,) = outputs.dead_letters
    assert letter.origin is not None
    assert (letter.reason, letter.origin.offset, letter.campaign_id) == ("misrouted", 1, "another-film")
    assert [entry.offset for update in updates_of(outputs) for entry in update.entries] == [0, 2]
