"""Time zones from the pinned `tzdata` package, never from the machine: days must not depend on who folds the log."""

from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

import tzdata

TZDATA_VERSION: str = tzdata.IANA_VERSION
"""Release of the IANA time zone database, such as `2026c`; part of the fold version."""


class UnknownZoneError(ValueError):
    """The name is not one of the IANA time zone database."""


@cache
def _names() -> frozenset[str]:
    return frozenset(resources.files(tzdata).joinpath("zones").read_text(encoding="utf-8").split())


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return the time zone of that IANA name, such as `Europe/Paris`.

    Raises UnknownZoneError for a name the pinned database does not have.
    """
    if name not in _names():
        raise UnknownZoneError(f"time zone {name!r} is not in the IANA database {TZDATA_VERSION}")
    path = resources.files(tzdata).joinpath("zoneinfo", *name.split("/"))
    with path.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
