"""The days of a time zone."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from schemas.zones import zone

_DAY: Final = timedelta(days=1)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


Span = tuple[datetime, datetime, date]
"""When a stretch of a day begins, when it ends, and the day."""


class LocalDays:
    """Tells which day a moment is in its zone.

    The last two days are kept: most moments are of the day of the one before, and where a day ends within a batch they
    are of the one or the other, campaign by campaign.
    """

    __slots__ = ("_before", "_last", "_zone")

    def __init__(self, zone_name: str) -> None:
        self._zone = zone(zone_name)
        # Each is one tuple, so that no thread ever sees parts of two.
        self._last: Span = (_NEVER, _NEVER, date.max)
        self._before = self._last

    def day_of(self, moment: datetime) -> date:
        """Return the day of a moment that is told in UTC and not within a day of the ends of the calendar."""
        begins, ends, day = self._last
        if begins <= moment < ends:
            return day
        return self.span_of(moment)[2]

    def span_of(self, moment: datetime) -> Span:
        """Return from when to when, around such a moment, it is the same day, and that day.

        A day in which the clocks change is worked out for each moment anew, and not kept: they may go back across
        midnight. No zone changes its clocks twice within a day, so they did not if they show the same at both ends.
        """
        last, before = self._last, self._before
        if last[0] <= moment < last[1]:
            return last
        if before[0] <= moment < before[1]:
            self._last, self._before = before, last
            return before
        local = moment.astimezone(self._zone)
        day, offset = local.date(), local.utcoffset()
        begins = datetime.combine(day, time(), UTC) - (offset or timedelta())
        ends = begins + _DAY
        if begins.astimezone(self._zone).utcoffset() == ends.astimezone(self._zone).utcoffset() == offset:
            self._last, self._before = (begins, ends, day), last
            return self._last
        return moment, moment + datetime.resolution, day


@lru_cache(maxsize=1024)
def local_days(zone_name: str) -> LocalDays:
    """Return the days of the time zone of that IANA name. Raises UnknownZoneError."""
    return LocalDays(zone_name)
