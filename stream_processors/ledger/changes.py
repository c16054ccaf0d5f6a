"""Takes down what events change in one campaign, entry by entry."""

from collections.abc import Callable
from datetime import date
from typing import Final

from schemas.events import Event, type_name
from schemas.fields import CIRCLES
from schemas.updates import Entry, Milestone, MilestoneType, Position
from stream_processors.ledger.state import Campaign, Pledge

# The most that each encodes to, in bytes, without its texts: field names, numbers up to 20 digits, moments, the day's
# totals that come with an entry. A character of a text takes six bytes at most, as an escape of JSON.
_ENTRY_BYTES: Final = 480
_PLEDGE_BYTES: Final = 480
_MILESTONE_BYTES: Final = 480
_CHARACTER_BYTES: Final = 6


class Changes:
    """What changed in a campaign since this was made: entries, milestones, and which pledges, days and terms.

    The campaign is consistent (its totals are the sums of what is taken down so far) whenever `consistent` is called;
    a batch uses that moment to cut an update that has grown too large.
    """

    __slots__ = (
        "_event",
        "_number",
        "_offset",
        "campaign",
        "consistent",
        "days",
        "entries",
        "milestones",
        "pledge_ids",
        "size_bytes_max",
        "terms_changed",
    )

    def __init__(self, campaign: Campaign, consistent: Callable[[], None] | None = None) -> None:
        self.campaign = campaign
        self.entries: list[Entry] = []
        self.milestones: list[Milestone] = []
        # Dictionaries as ordered sets: the order is the log's, not a hash's.
        self.pledge_ids: dict[str, None] = {}
        self.days: dict[date, None] = {}
        self.terms_changed = False
        # An upper bound of what all this encodes to, the terms and the totals aside.
        self.size_bytes_max = 0
        self.consistent: Callable[[], None] = consistent if consistent is not None else _go_on

    def begin(self, event: Event, offset: int) -> None:
        """From here on, `event` at `offset` is the cause. Numbers within it begin at 0."""
        self._event = event
        self._offset = offset
        self._number = 0

    @property
    def anything(self) -> bool:
        """Whether the event that was begun last has changed anything."""
        return self._number > 0

    def entry(
        self,
        pledge_id: str | None = None,
        circle: int | None = None,
        day: date | None = None,
        *,
        pledged_minor: int = 0,
        collected_minor: int = 0,
    ) -> None:
        """Take down a difference of a pledge's place; one of zero where state changed and no money moved."""
        event = self._event
        self.entries.append(
            Entry(
                offset=self._offset,
                number=self._next_number(),
                event_id=event.id,
                event_type=type_name(event),
                occurred_at=event.time,
                pledge_id=pledge_id,
                circle=None if circle is None else CIRCLES[circle],
                day=day,
                pledged_minor=pledged_minor,
                collected_minor=collected_minor,
            )
        )
        self.size_bytes_max += _ENTRY_BYTES + _CHARACTER_BYTES * len(event.id)
        if pledge_id is not None:
            self.size_bytes_max += _CHARACTER_BYTES * len(pledge_id)
        if day is not None:
            self.days[day] = None

    def pledge(self, pledge: Pledge) -> None:
        """Note that this pledge is to be shown as it now stands."""
        self.pledge_ids[pledge.pledge_id] = None
        characters = len(pledge.pledge_id)
        if pledge.backer_id is not None:
            characters += len(pledge.backer_id)
        if pledge.share_token is not None:
            characters += len(pledge.share_token)
        self.size_bytes_max += _PLEDGE_BYTES + _CHARACTER_BYTES * characters

    def milestone(
        self,
        kind: MilestoneType,
        *,
        threshold_minor: int,
        step: int | None = None,
        occurrence: int | None = None,
        stretch_goal_id: str | None = None,
    ) -> None:
        """Take down something that is said once; the total is the campaign's present one."""
        event = self._event
        self.milestones.append(
            Milestone(
                type=kind,
                offset=self._offset,
                number=self._next_number(),
                event_id=event.id,
                occurred_at=event.time,
                threshold_minor=threshold_minor,
                total_minor=self.campaign.goal_total_minor,
                step=step,
                occurrence=occurrence,
                stretch_goal_id=stretch_goal_id,
            )
        )
        self.size_bytes_max += _MILESTONE_BYTES + _CHARACTER_BYTES * len(event.id)
        if stretch_goal_id is not None:
            self.size_bytes_max += _CHARACTER_BYTES * len(stretch_goal_id)
        self.consistent()

    def clear(self) -> None:
        """Forget what was taken down; numbers within the present event go on."""
        self.entries = []
        self.milestones = []
        self.pledge_ids = {}
        self.days = {}
        self.terms_changed = False
        self.size_bytes_max = 0

    def _next_number(self) -> int:
        number = self._number
        self._number = number + 1
        self.campaign.position = Position(self._offset, number)
        return number


def _go_on() -> None:
    """Nothing to cut: whoever made the changes takes them in one piece."""
