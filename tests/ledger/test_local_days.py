"""The days of a zone are those that the zone database tells, however they are remembered."""

import struct
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import pairwise
from typing import Final

import pytest
import tzdata

from schemas.zones import zone
from stream_processors.ledger.days import LocalDays
from stream_processors.ledger.moments import YEAR_MIN
from tests.ledger.events import DAY

ZONES: Final = resources.files(tzdata).joinpath("zones").read_text(encoding="utf-8").split()
HOUR: Final = timedelta(hours=1)
TICK: Final = timedelta(microseconds=1)
FIRST: Final = datetime(YEAR_MIN, 1, 1, tzinfo=UTC) - 2 * DAY


def changes(zone_name: str) -> list[datetime]:
    """Return when the zone's clocks change, from the days before the first that an event can be of.

    RFC 9636, section 3: a header with six counts and a block of 32 bits, then the same with 64 bits.
    """
    data = resources.files(tzdata).joinpath("zoneinfo", *zone_name.split("/")).read_bytes()
    utc, standard, leaps, times, types, characters = struct.unpack_from(">6l", data, 20)
    second = 44 + times * 5 + types * 6 + characters + leaps * 8 + standard + utc
    *_, times, _, _ = struct.unpack_from(">6l", data, second + 20)
    moments = [
        datetime.fromtimestamp(seconds, UTC)
        for seconds in struct.unpack_from(f">{times}q", data, second + 44)
        if seconds > FIRST.timestamp()
    ]
    offsets = [(moment.astimezone(zone(zone_name)).utcoffset(), moment) for moment in [FIRST, *moments]]
    return [moment for (before, _), (after, moment) in pairwise(offsets) if before != after]


def test_no_zone_changes_its_clocks_twice_within_a_day() -> None:
    """Hence a day that shows the same at both ends has no change in it."""
    assert len(ZONES) > 500
    for zone_name in ZONES:
        assert all(later - earlier > DAY + HOUR for earlier, later in pairwise(changes(zone_name))), zone_name


def test_the_day_is_the_zones_own_around_every_change_of_its_clocks() -> None:
    """Moments before and after each, there and back, so that each is asked for with the other's day remembered."""
    around = [-2 * DAY, -DAY, -12 * HOUR, -HOUR, -TICK, timedelta(), TICK, HOUR, 2 * HOUR, 12 * HOUR, DAY]
    for zone_name in ZONES:
        days = LocalDays(zone_name)
        for change in changes(zone_name):
            for moment in (change + step for step in (*around, *reversed(around))):
                assert days.day_of(moment) == moment.astimezone(zone(zone_name)).date(), (zone_name, moment)


@pytest.mark.parametrize("zone_name", ["Europe/Paris", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati"])
def test_a_day_ends_at_the_zones_midnight_and_no_tick_sooner(zone_name: str) -> None:
    """Where a day is remembered, its last moment is of it and the next one is not."""
    midnight = datetime(2026, 3, 11, tzinfo=zone(zone_name)).astimezone(UTC)
    days = LocalDays(zone_name)
    for moment in (midnight + HOUR, midnight, midnight - TICK, midnight, midnight + DAY - TICK, midnight + DAY):
        assert days.day_of(moment) == moment.astimezone(zone(zone_name)).date()


def test_a_day_is_one_object_for_all_its_pledges() -> None:
    """Which saves the others, and finds its totals sooner. A day in which the clocks change is worked out each time."""
    days = LocalDays("Europe/Paris")
    usual, changing = datetime(2026, 3, 10, 9, tzinfo=UTC), datetime(2026, 3, 29, 9, tzinfo=UTC)
    assert days.day_of(usual) is days.day_of(usual + HOUR)
    day, next_day = days.day_of(usual), days.day_of(usual + DAY)
    assert day != next_day
    assert days.day_of(usual + HOUR) is day
    assert days.day_of(usual + DAY + HOUR) is next_day
    assert days.day_of(changing) == days.day_of(changing + HOUR)
    assert days.day_of(changing) is not days.day_of(changing)
