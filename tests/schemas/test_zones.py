"""Time zones come from the pinned `tzdata` package: days must not depend on the machine."""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata

import pytest

from schemas.zones import TZDATA_VERSION, UnknownZoneError, zone


@pytest.fixture
def a_machine_without_zones() -> Iterator[None]:
    """A machine whose own time zone files are not found, and a zone not read yet."""
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[])
    zone.cache_clear()
    yield
    zoneinfo.reset_tzpath(to=before)
    zone.cache_clear()


@pytest.mark.parametrize("name", ["Europe/Paris", "Asia/Kolkata", "America/Argentina/Buenos_Aires", "UTC", "Etc/GMT+5"])
def test_a_zone_is_known_by_its_iana_name(name: str) -> None:
    """And keeps it."""
    assert zone(name).key == name


@pytest.mark.usefixtures("a_machine_without_zones")
def test_a_zone_does_not_come_from_the_machine() -> None:
    """Summer time in Paris begins at 01:00 UTC on 29 March 2026, wherever the fold runs."""
    before, after = datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)
    hours = [moment.astimezone(zone("Europe/Paris")).hour for moment in (before, after)]
    assert hours == [1, 3]


@pytest.mark.parametrize(
    "name",
    [
        *("Europe/Atlantis", "", "europe/paris", "Europe/Paris ", "Europe", "Europe/", "CEST", "+01:00", "posixrules"),
        *("../zones", "../../tzdata/zones", "/etc/localtime", "Europe/../Europe/Paris", "Europe/Paris\x00", "zones"),
    ],
)
def test_any_other_name_is_unknown(name: str) -> None:
    """In particular no path leads out of the database."""
    with pytest.raises(UnknownZoneError, match="not in the IANA database"):
        zone(name)


def test_the_version_is_that_of_the_installed_package() -> None:
    """It is part of the fold version: another database may put a pledge on another day."""
    year, letter = TZDATA_VERSION[:4], TZDATA_VERSION[4:]
    assert metadata.version("tzdata").split(".")[:2] == [year, str(ord(letter) - ord("a") + 1)]
