"""docs/ledger.md, Made at, day and late: days and deadlines in zones that change their time, some of them oddly."""

import shutil
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from schemas.zones import zone
from tests.ledger.events import amend, authorize, close, launch
from tests.ledger.log import Log

TICK = timedelta(microseconds=1)
YEAR = timedelta(days=365)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


ODD_DAYS = [
    # Summer time begins at 02:00 on 29 March and ends at 03:00 on 25 October.
    ("Europe/Paris", "2026-03-29", "2026-03-28T23:00:00Z", timedelta(hours=23), "2026-03-30"),
    ("Europe/Paris", "2026-10-25", "2026-10-24T22:00:00Z", timedelta(hours=25), "2026-10-26"),
    # Until 2019 Brazil changed at midnight: the day that summer time began had no midnight, its end had two 23:00.
    ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", timedelta(hours=23), "2018-11-05"),
    ("America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00:00Z", timedelta(hours=25), "2018-02-18"),
    # Cuba goes back from 01:00 to 00:00: midnight comes twice, on one day.
    ("America/Havana", "2024-11-03", "2024-11-03T04:00:00Z", timedelta(hours=25), "2024-11-04"),
    # Samoa moved across the date line: after 29 December 2011 came the 31st.
    ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z", timedelta(hours=24), "2011-12-31"),
    # Summer time of half an hour.
    ("Australia/Lord_Howe", "2024-04-07", "2024-04-06T13:00:00Z", timedelta(hours=24, minutes=30), "2024-04-08"),
    ("Australia/Lord_Howe", "2024-10-06", "2024-10-05T13:30:00Z", timedelta(hours=23, minutes=30), "2024-10-07"),
    # Offsets of a quarter of an hour, and on the other side of the date line.
    ("Pacific/Chatham", "2024-04-07", "2024-04-06T10:15:00Z", timedelta(hours=25), "2024-04-08"),
]
on_odd_days = pytest.mark.parametrize(("name", "day", "begins", "lasts", "next_day"), ODD_DAYS)


@on_odd_days
def test_a_day_has_the_pledges_made_from_its_beginning_to_its_end(
    name: str, day: str, begins: str, lasts: timedelta, next_day: str
) -> None:
    """Be it longer or shorter than others: to the microsecond, and the next day is whichever comes there."""
    begin, end = at(begins), at(begins) + lasts
    log = Log(launch(timezone=name, opens_at=begin - YEAR, closes_at=end + YEAR))
    for pledge, made_at in {"before": begin - TICK, "first": begin, "last": end - TICK, "after": end}.items():
        log.append(authorize(pledge, 1, made_at=made_at))
    assert log.day_of("before") == date.fromisoformat(day) - timedelta(days=1)
    assert (log.day_of("first"), log.day_of("last")) == (date.fromisoformat(day),) * 2
    assert log.day_of("after") == date.fromisoformat(next_day)
    assert [(one.day.isoformat(), one.pledged_minor) for one in log.days][1:] == [(day, 2), (next_day, 1)]


@on_odd_days
def test_a_deadline_at_the_end_of_a_day_lets_that_day_in_whole(
    name: str, day: str, begins: str, lasts: timedelta, next_day: str
) -> None:
    """Until midnight of the campaign's zone, whatever offset the deadline is told with; at midnight it is late."""
    del next_day
    end = at(begins) + lasts
    for told in (end, end.astimezone(zone(name)), end.astimezone(zone("Asia/Kolkata"))):
        log = Log(launch(timezone=name, opens_at=end - YEAR, closes_at=at(told.isoformat())))
        log.append(authorize("in-time", 3, made_at=end - TICK))
        log.append(authorize("late", 5, made_at=end))
        assert (log.both, log.totals.late_minor) == ((3, 0), 5)
        assert [(one.day.isoformat(), one.pledged_minor) for one in log.days] == [(day, 3)]


@on_odd_days
def test_a_deadline_moved_over_a_day_moves_that_days_pledges(
    name: str, day: str, begins: str, lasts: timedelta, next_day: str
) -> None:
    """All of them, and no other's: in when it is extended, out when it is brought forward."""
    del next_day
    begin, end = at(begins), at(begins) + lasts
    log = Log(launch(timezone=name, opens_at=begin - YEAR, closes_at=begin))
    for number, made_at in enumerate((begin - TICK, begin, end - TICK, end)):
        log.append(authorize(f"p{number}", 10**number, made_at=made_at))
    assert (log.both[0], log.totals.late_minor) == (1, 1110)
    log.append(amend(1, at=begin - TICK, closes_at=end))
    assert (log.both[0], log.totals.late_minor) == (111, 1000)
    assert [one.pledged_minor for one in log.days if one.day.isoformat() == day] == [110]
    log.append(amend(2, at=begin - TICK, closes_at=begin))
    assert (log.both[0], log.totals.late_minor) == (1, 1110)


def test_a_day_that_comes_back_is_one_day() -> None:
    """Newfoundland went back at 00:01: the first minute of 7 November 2010 was followed by the last hour of the 6th."""
    log = Log(launch(timezone="America/St_Johns", opens_at=at("2010-01-01T00:00:00Z")))
    for number, (made_at, day) in enumerate(
        [
            ("2010-11-07T02:29:59Z", "2010-11-06"),
            ("2010-11-07T02:30:59Z", "2010-11-07"),
            ("2010-11-07T02:31:00Z", "2010-11-06"),
            ("2010-11-07T03:29:59Z", "2010-11-06"),
            ("2010-11-07T03:30:00Z", "2010-11-07"),
        ]
    ):
        log.append(authorize(f"p{number}", 1, made_at=at(made_at)))
        assert log.day_of(f"p{number}") == date.fromisoformat(day)
    assert [(one.day.isoformat(), one.pledged_minor) for one in log.days] == [("2010-11-06", 3), ("2010-11-07", 2)]


def test_a_deadline_in_the_hour_that_comes_twice_passes_once() -> None:
    """It is a moment: what the clock on the wall says again an hour later is after it."""
    log = Log(launch(closes_at=at("2026-10-25T02:30:00+02:00")))
    log.append(authorize("first-pass", 1, made_at=at("2026-10-25T02:29:59+02:00")))
    log.append(authorize("second-pass", 1, made_at=at("2026-10-25T02:29:59+01:00")))
    assert [log.pledge(pledge).late for pledge in ("first-pass", "second-pass")] == [False, True]


@pytest.mark.parametrize(
    "closes_at", ["2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-10-25T02:30:00+02:00"]
)
def test_the_settling_time_is_of_hours_that_pass(closes_at: str) -> None:
    """Not of hours on the wall: the outcome is said one hour after the deadline, also over a change of summer time."""
    deadline = at(closes_at)
    settled_at = deadline.astimezone(UTC) + timedelta(hours=1)
    log = Log(launch(closes_at=deadline, settle_hours=1))
    assert log.refusal(close(deadline, at=settled_at - TICK)) == "closed_too_early"
    assert log.says(close(deadline, at=settled_at)) == [("campaign.failed", None)]


@pytest.fixture
def _machine_with_other_zones(tmp_path: Path) -> Iterator[None]:
    """A machine whose own database says that Paris keeps the time of Tokyo."""
    (tmp_path / "Europe").mkdir()
    tokyo = resources.files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo")
    with resources.as_file(tokyo) as path:
        shutil.copy(path, tmp_path / "Europe" / "Paris")
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[tmp_path])
    zoneinfo.ZoneInfo.clear_cache()
    zone.cache_clear()
    yield
    zoneinfo.reset_tzpath(to=before)
    zoneinfo.ZoneInfo.clear_cache()
    zone.cache_clear()


@pytest.mark.usefixtures("_machine_with_other_zones")
def test_the_machines_own_zones_are_not_asked() -> None:
    """Days come from the pinned database, which the fold version names: two machines never disagree on a total."""
    assert at("2026-03-10T16:00:00Z").astimezone(zoneinfo.ZoneInfo("Europe/Paris")).day == 11, "the machine is wrong"
    log = Log(launch(timezone="Europe/Paris"), authorize("p", 1, made_at=at("2026-03-10T16:00:00Z")))
    assert log.day_of("p") == date(2026, 3, 10)
