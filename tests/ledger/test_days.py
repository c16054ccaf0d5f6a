"""docs/ledger.md, Made at, day and late: when a pledge was made decides where it counts."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

import msgspec
import pytest

from schemas.events import LogEvent
from schemas.updates import DayTotals
from tests.ledger.events import CLOSES, DAY, NOON, amend, authorize, cancel, capture, launch, promise, refund
from tests.ledger.log import Log

TICK = timedelta(microseconds=1)
EARLIER = NOON - DAY


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def day(text: str, pledged: int, collected: int = 0) -> DayTotals:
    return DayTotals(day=date.fromisoformat(text), pledged_minor=pledged, collected_minor=collected)


def test_a_pledge_is_made_at_the_least_moment_of_its_sightings() -> None:
    """Of its authorizations and captures, in whatever order they are heard."""
    events: list[LogEvent] = [
        authorize("p", 1, made_at=NOON),
        capture("p", 1, made_at=EARLIER),
        authorize("p", 1, authorization="second", made_at=NOON + DAY),
    ]
    for order in (events, events[::-1]):
        assert Log(launch(), *order).pledge("p").made_at == EARLIER


def test_an_events_time_stands_in_where_made_at_is_absent() -> None:
    """And only there: a `made_at` later than the event's time counts as it is."""
    assert Log(launch(), authorize("p", 1, at=NOON)).pledge("p").made_at == NOON
    assert Log(launch(), authorize("p", 1, at=EARLIER, made_at=NOON)).pledge("p").made_at == NOON


@pytest.fixture
def _machine_in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the machine's own zone be far from UTC."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_machine_in_tokyo")
@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-5))])
def test_moments_are_shown_in_utc_wherever_the_fold_runs(zone: timezone) -> None:
    """Two workers say the same words: neither the machine's zone nor the event's offset is in them."""
    log = Log(launch())
    log.append(authorize("p", 1, at=NOON.astimezone(zone)))
    log.append(capture("q", 1, made_at=NOON.astimezone(zone)))
    shown = [msgspec.to_builtins(log.pledge(pledge).made_at) for pledge in ("p", "q")]
    assert shown == ["2026-03-10T12:00:00Z"] * 2


def test_every_sighting_of_one_authorization_counts() -> None:
    """A gateway that tells the same authorization again, earlier, moves the pledge."""
    log = Log(launch(), authorize("p", 1, made_at=NOON))
    assert [entry.day for entry in log.append(authorize("p", 1, made_at=EARLIER)).entries] == [
        date(2026, 3, 10),
        date(2026, 3, 9),
    ]


@pytest.mark.parametrize("event", [refund("p", 1), promise("p", 1, 5), cancel("p"), cancel("p", "a")])
def test_other_facts_are_no_sightings(event: LogEvent) -> None:
    """A pledge of which only they are known has no moment and no day."""
    log = Log(launch(), event)
    pledge = log.pledge("p")
    assert (pledge.made_at, pledge.day, pledge.late) == (None, None, False)
    assert log.days == []
    assert log.totals.unattributed == {}


@pytest.mark.parametrize(
    ("timezone_name", "made_at", "expected"),
    [
        ("Europe/Paris", "2026-03-10T22:59:59.999999Z", "2026-03-10"),
        ("Europe/Paris", "2026-03-10T23:00:00Z", "2026-03-11"),
        ("Europe/Paris", "2026-03-11T04:30:00+05:30", "2026-03-11"),
        ("Europe/Paris", "2026-03-11T04:29:59+05:30", "2026-03-10"),
        # Summer time begins on 29 March at 01:00 UTC: that day has 23 hours.
        ("Europe/Paris", "2026-03-28T22:59:59Z", "2026-03-28"),
        ("Europe/Paris", "2026-03-28T23:00:00Z", "2026-03-29"),
        ("Europe/Paris", "2026-03-29T21:59:59Z", "2026-03-29"),
        ("Europe/Paris", "2026-03-29T22:00:00Z", "2026-03-30"),
        ("Asia/Tokyo", "2026-03-10T15:00:00Z", "2026-03-11"),
        ("America/St_Johns", "2026-03-11T02:29:59Z", "2026-03-10"),
        ("America/St_Johns", "2026-03-11T02:30:00Z", "2026-03-11"),
        ("UTC", "2026-03-11T00:00:00Z", "2026-03-11"),
    ],
)
def test_the_day_is_that_of_the_campaigns_zone(timezone_name: str, made_at: str, expected: str) -> None:
    """By when the pledge was made, whatever offset that was told with."""
    log = Log(launch(timezone=timezone_name), authorize("p", 5, made_at=at(made_at)))
    assert log.day_of("p") == date.fromisoformat(expected)
    assert log.days == [day(expected, 5)]


def test_a_day_in_autumn_has_25_hours() -> None:
    """Both hours between 02:00 and 03:00 of 25 October belong to it."""
    log = Log(launch(closes_at=at("2026-12-31T00:00:00Z")))
    for number, hour in enumerate(("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T22:59:59Z")):
        log.append(authorize(f"p{number}", 1, made_at=at(hour)))
    assert log.days == [day("2026-10-25", 3)]


def test_days_are_sorted_and_those_at_0_left_out() -> None:
    """A day that only had a canceled pledge is none."""
    log = Log(launch(), authorize("p", 5, at=NOON), capture("q", 7, at=EARLIER), authorize("r", 9, at=NOON + DAY))
    assert log.days == [day("2026-03-09", 7, 7), day("2026-03-10", 5), day("2026-03-11", 9)]
    log.append(cancel("r"))
    assert log.days == [day("2026-03-09", 7, 7), day("2026-03-10", 5)]


def test_a_later_fact_stays_on_the_day_the_pledge_was_made() -> None:
    """A capture or refund days later changes that day's totals, not today's."""
    log = Log(launch(), authorize("p", 5000, at=EARLIER), capture("p", 5000, at=NOON), refund("p", 1000, at=NOON + DAY))
    assert log.days == [day("2026-03-09", 4000, 4000)]


def test_a_pledge_made_just_before_the_deadline_counts() -> None:
    """To the microsecond."""
    log = Log(launch(), authorize("p", 5, made_at=CLOSES - TICK))
    assert (log.both, log.pledge("p").late, log.totals.late_minor) == ((5, 0), False, 0)


@pytest.mark.parametrize("made_at", [CLOSES, CLOSES + TICK, CLOSES.astimezone(timezone(timedelta(hours=-9)))])
def test_a_pledge_made_at_or_after_the_deadline_is_late(made_at: datetime) -> None:
    """Outside every total: of circles, days and backers too; `late_minor` is what late pledges have pledged."""
    log = Log(launch(), capture("p", 5, made_at=made_at), authorize("q", 3, made_at=made_at))
    assert log.pledge("p").late
    totals = log.totals
    assert (log.both, totals.backers, totals.percent, totals.unattributed) == ((0, 0), 0, 0, {})
    assert all((circle.pledged_minor, circle.collected_minor, circle.backers) == (0, 0, 0) for circle in totals.circles)
    assert log.days == []
    assert totals.late_minor == 8
    assert log.both_of("p") == (5, 5)


def test_what_came_in_time_and_is_heard_late_counts() -> None:
    """It is the moment it was made that counts, not when it was heard."""
    log = Log(launch(), authorize("p", 5, at=CLOSES + DAY, made_at=CLOSES - TICK))
    assert log.both == (5, 0)


def test_a_late_pledge_that_turns_out_to_have_been_in_time_comes_in() -> None:
    """By one entry; what it pledges is late no more."""
    log = Log(launch(), authorize("p", 5, at=CLOSES))
    assert log.totals.late_minor == 5
    assert log.lines(capture("p", 5, at=CLOSES, made_at=NOON)) == [("p", "unattributed", 5, 5)]
    assert (log.both, log.totals.late_minor) == ((5, 5), 0)


def test_moving_the_deadline_moves_pledges_in_and_out() -> None:
    """Each leaves by one entry and comes back by one."""
    log = Log(launch(), authorize("p", 5, at=NOON + DAY), capture("q", 7, at=NOON + DAY), authorize("r", 9, at=EARLIER))
    lines = log.lines(amend(1, at=EARLIER, closes_at=NOON + DAY))
    assert sorted(lines, key=str) == [("p", "unattributed", -5, 0), ("q", "unattributed", -7, -7)]
    assert (log.both, log.totals.late_minor, log.totals.backers) == ((9, 0), 12, 1)
    assert log.days == [day("2026-03-09", 9)]
    lines = log.lines(amend(2, at=EARLIER, closes_at=NOON + DAY + TICK))
    assert sorted(lines, key=str) == [("p", "unattributed", 5, 0), ("q", "unattributed", 7, 7)]
    assert (log.both, log.totals.late_minor, log.totals.backers) == ((21, 7), 0, 3)


def test_a_late_pledge_goes_on_changing_outside_the_totals() -> None:
    """`late_minor` follows what late pledges have pledged."""
    log = Log(launch(), capture("p", 50, at=CLOSES))
    assert [(line[2], line[3]) for line in log.lines(refund("p", 20))] == [(0, 0)]
    assert (log.both, log.totals.late_minor) == ((0, 0), 30)


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_ends_of_time_are_no_days(moment: datetime) -> None:
    """A moment whose day in the zone lies beyond the calendar is refused, and never stops the fold."""
    for zone_name in ("Europe/Paris", "Asia/Tokyo", "America/New_York"):
        log = Log(launch(timezone=zone_name), authorize("p", 5, made_at=moment))
        assert log.totals.pledged_minor + log.totals.late_minor == 0
