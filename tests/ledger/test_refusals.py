"""docs/ledger.md and DESIGN §4, Refusals: values with a reason, which change nothing and can be replayed."""

from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest

from schemas.events import EVENT_TYPES, LogEvent, type_name
from stream_processors.refusals import RefusalReason
from tests.ledger.comparison import views
from tests.ledger.events import (
    CAMPAIGN,
    CLOSES,
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

STRANGER = "sources/stranger"

FACTS: list[LogEvent] = [
    authorize("p", 5),
    promise("p", 1, 5),
    capture("p", 5),
    refund("p", 5),
    dispute("p", 5),
    fail("p"),
    cancel("p"),
    share("t"),
    visit("t", 1),
]
FROM_A_STRANGER: list[LogEvent] = [
    authorize("p", 5, source=STRANGER),
    promise("p", 1, 5, source=STRANGER),
    capture("p", 5, source=STRANGER),
    refund("p", 5, source=STRANGER),
    dispute("p", 5, source=STRANGER),
    fail("p", source=STRANGER),
    cancel("p", source=STRANGER),
    share("t", source=STRANGER),
    visit("t", 1, source=STRANGER),
]
IN_DOLLARS: list[LogEvent] = [
    authorize("p", 5, currency="USD"),
    capture("p", 5, currency="USD"),
    refund("p", 5, currency="USD"),
    dispute("p", 5, currency="USD"),
]


def test_every_type_of_the_log_is_tried() -> None:
    """A new type must be given to the tests of this module."""
    tried = {type_name(event) for event in (*FACTS, launch(), amend(1, title="A title"), close())}
    assert tried == set(EVENT_TYPES)


@pytest.mark.parametrize("event", [*FACTS, amend(1, title="A title"), close()], ids=type_name)
def test_an_event_of_a_campaign_never_launched_is_refused(event: LogEvent) -> None:
    """`campaign_unknown`, until its launch stands before it."""
    log = Log()
    assert log.refusal(event) == "campaign_unknown"
    assert dict(log.state.campaigns) == {}
    log.append(launch())
    assert log.refusal(event) is None


@pytest.mark.parametrize("event", FROM_A_STRANGER, ids=type_name)
def test_a_fact_from_a_source_that_is_not_listed_is_refused(event: LogEvent) -> None:
    """`source_not_allowed`: a campaign accepts only its listed sources."""
    assert Log(launch()).refusal(event) == "source_not_allowed"
    assert Log(launch(sources=["sources/other", STRANGER])).refusal(event) is None


@pytest.mark.parametrize("event", FACTS, ids=type_name)
def test_a_listed_source_is_accepted(event: LogEvent) -> None:
    """Every kind of fact may come from it."""
    assert Log(launch()).refusal(event) is None


def test_shares_may_come_from_admin_and_pledges_may_not() -> None:
    """The owner's links are minted at the admin door; money comes from a listed source only."""
    log = Log(launch())
    assert log.refusal(share("t", source="admin")) is None
    assert log.refusal(visit("t", 1, source="admin")) is None
    assert log.refusal(authorize("p", 5, source="admin")) == "source_not_allowed"
    assert log.refusal(capture("p", 5, source="clock")) == "source_not_allowed"


@pytest.mark.parametrize("source", [f"{STRANGER}/live", STRANGER[:-1], STRANGER.upper()])
def test_a_source_is_compared_whole(source: str) -> None:
    """Neither a part of a listed source nor another case of it is that source."""
    assert Log(launch(sources=[STRANGER])).refusal(authorize("p", 5, source=source)) == "source_not_allowed"


@pytest.mark.parametrize("event", IN_DOLLARS, ids=type_name)
def test_a_fact_in_another_currency_is_refused(event: LogEvent) -> None:
    """`currency_mismatch`: amounts of two currencies are never added."""
    assert Log(launch()).refusal(event) == "currency_mismatch"
    assert Log(launch(currency="USD")).refusal(event) is None


EXTREMES = [datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 6, 1, tzinfo=UTC), datetime(9999, 6, 1, tzinfo=UTC)]
EXTREMES += [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
# Moments that do not even have a time in UTC.
EXTREMES += [
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
]
EDGES = [datetime(1971, 6, 1, tzinfo=UTC), datetime(9998, 6, 1, tzinfo=UTC)]


def _with_times(moment: datetime) -> dict[str, LogEvent]:
    """Return an event for each field that holds a time, with that moment in it."""
    return {
        "time": visit("t", 1, at=moment),
        "time of a sighting": authorize("p", 5, at=moment),
        "made_at of an authorization": authorize("p", 5, made_at=moment),
        "made_at of a capture": capture("p", 5, made_at=moment),
        "time of a launch": launch(campaign="another", at=moment),
        "time of an amendment": amend(1, at=moment, title="A title"),
    }


@pytest.mark.parametrize("field", _with_times(CLOSES))
@pytest.mark.parametrize("moment", EXTREMES)
def test_a_time_at_the_ends_of_the_calendar_is_invalid(moment: datetime, field: str) -> None:
    """Before 1971 or after 9998: there a day in another zone does not exist."""
    log = Log(launch(timezone="Asia/Tokyo"))
    before = views(log.state)
    assert log.refusal(_with_times(moment)[field]) == "invalid_event"
    assert views(log.state) == before


@pytest.mark.parametrize("field", _with_times(CLOSES))
@pytest.mark.parametrize("moment", EDGES)
def test_a_time_between_them_is_not(moment: datetime, field: str) -> None:
    """What is plausible is the doors' business."""
    assert Log(launch(timezone="Asia/Tokyo")).refusal(_with_times(moment)[field]) is None


@pytest.mark.parametrize("moment", [datetime(9999, 6, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_a_deadline_at_the_end_of_the_calendar_is_invalid(moment: datetime) -> None:
    """At the launch and when it is amended: its settling time might not exist."""
    log = Log()
    assert log.refusal(launch(closes_at=moment)) == "invalid_event"
    assert dict(log.state.campaigns) == {}
    log.append(launch())
    assert log.refusal(amend(1, closes_at=moment)) == "invalid_event"


REFUSED: list[tuple[LogEvent, RefusalReason]] = [
    (authorize("p", 9, campaign="unknown"), "campaign_unknown"),
    (capture("p", 9, source=STRANGER), "source_not_allowed"),
    (refund("q", 9, currency="USD"), "currency_mismatch"),
    (refund("p", 9), "conflicting_duplicate"),
    (launch(goal_minor=9), "conflicting_duplicate"),
    (amend(1, at=CLOSES, closes_at=CLOSES + timedelta(days=1)), "campaign_closed"),
    (amend(1, at=launch().time, closes_at=launch().data.opens_at), "invalid_event"),
    (close(at=CLOSES), "closed_too_early"),
]


@pytest.mark.parametrize(("event", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_a_refused_event_changes_nothing_and_says_why(event: LogEvent, reason: RefusalReason) -> None:
    """No entry, no milestone, no change; the reason, and a detail for people."""
    log = Log(launch(), capture("p", 5), refund("p", 1))
    before = views(log.state)
    outcome = log.append(event)
    assert (outcome.entries, outcome.milestones) == ([], [])
    assert outcome.refusal is not None
    assert outcome.refusal.reason == reason
    assert outcome.refusal.detail
    assert views(log.state) == before


def test_every_reason_of_the_ledger_is_tried() -> None:
    """`misrouted` is the shell's: the fold knows no partitions."""
    assert {reason for _, reason in REFUSED} == set(get_args(RefusalReason)) - {"misrouted"}


def test_a_refused_event_makes_no_pledge_known() -> None:
    """The pledge it names stays unknown."""
    log = Log(launch(), *FROM_A_STRANGER, *IN_DOLLARS)
    assert dict(log.campaign.pledges) == {}


def test_a_refused_event_can_be_replayed() -> None:
    """Once what refused it is cured, the same event counts."""
    log = Log(authorize("p", 5))
    log.append(launch())
    assert log.refusal(authorize("p", 5)) is None
    assert log.both == (5, 0)


def test_refusals_of_one_campaign_leave_others_alone() -> None:
    """Each campaign lists its own sources and has its own currency."""
    log = Log(launch(), launch(campaign="another", currency="USD", sources=[STRANGER]))
    assert log.refusal(authorize("p", 5, source=STRANGER)) == "source_not_allowed"
    assert log.refusal(authorize("p", 5, source=STRANGER, currency="USD", campaign="another")) is None
    assert log.state.campaigns[CAMPAIGN].totals().pledged_minor == 0
    assert log.state.campaigns["another"].totals().pledged_minor == 5
