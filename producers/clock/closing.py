"""What the clock says: one `campaign.closed` for each deadline, and no more often than it has to.

Saying it again does no harm, since the fold knows a close by its deadline: any number of clocks may run, and one that
forgets what it said when it is restarted says it once more.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from producers.clock.deadlines import Deadline, Deadlines
from producers.publication import Position, Record
from schemas.events import CONTENT_TYPE, CampaignClosed, CampaignClosedData, encode
from schemas.failure_points import reach
from schemas.topics import LOG

SOURCE: Final = "clock"
_HEADERS: Final = (("content-type", CONTENT_TYPE.encode()),)
_ID_HEX_DIGITS: Final = 32


class Publishing(Protocol):
    """What writes records: the publisher, and the fake of the tests."""

    def publish_and_wait(self, records: Sequence[Record]) -> list[Position]:
        """Write the records and return where they stand. Raises BrokerAwayError in bounded time."""
        ...


class Closing:
    """Appends the closes that are due, and remembers which it has said.

    A close whose campaign is still open `republish_after` later is said again: the one before may have been lost
    together with the memory of it, or may have come before the campaign's launch was repaired.
    """

    def __init__(
        self,
        deadlines: Deadlines,
        publishing: Publishing,
        *,
        republish_after: timedelta,
        now: Callable[[], datetime],
        on_page: Callable[[], None],
    ) -> None:
        self._deadlines = deadlines
        self._publishing = publishing
        self._republish_after = republish_after
        self._now = now
        self._on_page = on_page
        self._said_at: dict[Deadline, datetime] = {}
        self.due = 0

    def look(self) -> int:
        """Append what is due and has not been said lately; return how many closes that were.

        Raises SQLAlchemyError when the database can't be read, BrokerAwayError when the log can't be written: what
        was not acknowledged is said again at the next look.
        """
        now = self._now()
        due: set[Deadline] = set()
        appended = 0
        for page in self._deadlines.passed(now):
            self._on_page()
            due.update(page)
            unsaid = [deadline for deadline in page if self._is_to_be_said(deadline, now)]
            if not unsaid:
                continue
            reach("clock.before_publish")
            self._publishing.publish_and_wait([_record(deadline, now) for deadline in unsaid])
            reach("clock.acknowledged")
            self._said_at |= dict.fromkeys(unsaid, now)
            appended += len(unsaid)
        # Only what is still due needs to be remembered, so that the memory has the size of what is due.
        self._said_at = {deadline: at for deadline, at in self._said_at.items() if deadline in due}
        self.due = len(due)
        return appended

    def _is_to_be_said(self, deadline: Deadline, now: datetime) -> bool:
        said_at = self._said_at.get(deadline)
        return said_at is None or now - said_at >= self._republish_after


def closed_event(deadline: Deadline, now: datetime) -> CampaignClosed:
    """Return the event: every clock gives it the same id, so that repeats are seen to be repeats."""
    named = f"{deadline.campaign_id}\n{deadline.closes_at.isoformat()}".encode()
    return CampaignClosed(
        specversion="1.0",
        id=f"closed-{hashlib.sha256(named).hexdigest()[:_ID_HEX_DIGITS]}",
        source=SOURCE,
        time=now,
        datacontenttype="application/json",
        data=CampaignClosedData(campaign_id=deadline.campaign_id, closes_at=deadline.closes_at),
    )


def _record(deadline: Deadline, now: datetime) -> Record:
    return Record(LOG.name, deadline.campaign_id.encode(), encode(closed_event(deadline, now)), _HEADERS)
