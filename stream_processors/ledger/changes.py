"""Takes down what events change in one campaign, entry by entry."""

from collections.abc import Iterable
from datetime import date
from typing import ClassVar, Final, cast

import msgspec

from schemas.events import TYPE_NAMES, Event
from schemas.fields import CIRCLES, Circle, VisitOrigin
from schemas.updates import Entry, Milestone, MilestoneType, Position
from schemas.updates import Pledge as PledgeRow
from stream_processors.ledger.pledges import Pledge, Share, row_of
from stream_processors.ledger.state import Campaign

# The most that each encodes to, in bytes, without its texts: field names where there are any, numbers up to 20 digits,
# moments, the day's totals that come with an entry. A text's character takes six bytes at most, as an escape of JSON.
_ENTRY_BYTES: Final = 336
_PLEDGE_BYTES: Final = 240
_MILESTONE_BYTES: Final = 480
_SHARE_BYTES: Final = 240
_VISITS_BYTES: Final = 160
_REWARD_BYTES: Final = 160
_CHARACTER_BYTES: Final = 6
_CAPTURE_BYTES_MIN: Final = 198
"""The least that a capture's record spends on all that is no text of its entry or its pledge: field names above all."""
_NEVER: Final = 1 << 62


def run_bytes_max(count: int, record_bytes: int) -> int:
    """Return what the entries and pledges of so many first captures encode to at most, by the bytes of their records.

    Without an escape a text takes as many bytes as it did there, and only the pledge's id stands twice. The field names
    of the records stand nowhere again.
    """
    return count * (_ENTRY_BYTES + _PLEDGE_BYTES - 2 * _CAPTURE_BYTES_MIN) + 2 * record_bytes


class Changes:
    """What changed in a campaign since this was made: entries, milestones, and which pledges, shares, visits, days,
    rewards and terms.

    `event`, at `offset`, is the cause of what is taken down next; `number` is that of its next entry or milestone.

    Once all this may encode to more than `cut_bytes`, `cut` is called, at a moment when the campaign is consistent: its
    totals are the sums of what is taken down so far.
    """

    __slots__ = (
        "_cut_bytes",
        "_some_lack_rows",
        "campaign",
        "days",
        "entries",
        "event",
        "milestones",
        "number",
        "offset",
        "pledges",
        "reward_ids",
        "share_tokens",
        "size_bytes_max",
        "terms_changed",
        "visited",
    )

    event: Event
    offset: int
    number: int

    are_said: ClassVar = True
    """Whether entries, and what they are about, are taken down at all."""

    def __init__(self, campaign: Campaign, cut_bytes: int = _NEVER) -> None:
        self.campaign = campaign
        self.entries: list[Entry] = []
        self.milestones: list[Milestone] = []
        self.pledges: dict[str, Pledge | PledgeRow] = {}
        # Whether there is any of which the row is yet to be made.
        self._some_lack_rows = False
        # Dictionaries as ordered sets: the order is the log's, not a hash's.
        self.share_tokens: dict[str, None] = {}
        self.visited: dict[tuple[str, VisitOrigin], None] = {}
        self.days: dict[date, None] = {}
        self.reward_ids: dict[str, None] = {}
        self.terms_changed = False
        # An upper bound of what all this encodes to, the terms and the totals aside.
        self.size_bytes_max = 0
        self._cut_bytes = cut_bytes

    def entry(
        self,
        pledge_id: str | None = None,
        circle: int | None = None,
        day: date | None = None,
        pledged_minor: int = 0,
        collected_minor: int = 0,
    ) -> None:
        """Take down a difference of a pledge's place; one of zero where state changed and no money moved."""
        event = self.event
        offset, number = self.offset, self.number
        self.entries.append(
            Entry(
                offset=offset,
                number=number,
                event_id=event.id,
                event_type=TYPE_NAMES[type(event)],
                occurred_at=event.time,
                pledge_id=pledge_id,
                circle=None if circle is None else CIRCLES[circle],
                day=day,
                pledged_minor=pledged_minor,
                collected_minor=collected_minor,
            )
        )
        self.number = number + 1
        self.campaign.position = Position(offset, number)
        characters = len(event.id)
        if pledge_id is not None:
            characters += len(pledge_id)
        self.size_bytes_max += _ENTRY_BYTES + _CHARACTER_BYTES * characters
        if day is not None:
            self.days[day] = None

    def make_room(self, taken_bytes_max: int) -> None:
        """Cut before a run that takes so much, unless it fits.

        Only where something is taken down already, and the campaign is consistent.
        """
        if self.size_bytes_max + taken_bytes_max > self._cut_bytes:
            self.cut()

    def end_run(self, event: Event, offset: int, days: Iterable[date], taken_bytes_max: int) -> None:
        """Note that a run ended with this event. The entry and the pledge of each of its events are taken down already.

        `taken_bytes_max`: what `run_bytes_max` says of them.
        """
        self.event, self.offset, self.number = event, offset, 1
        self.campaign.position = Position(offset, 0)
        self.days.update(dict.fromkeys(days))
        self.size_bytes_max += taken_bytes_max

    def flag_exhausted(self) -> None:
        """Say of the last entry that with it its pledge claims a reward of which none was left."""
        self.entries[-1] = msgspec.structs.replace(self.entries[-1], reward_exhausted=True)

    def pledge(self, pledge: Pledge) -> None:
        """Note that this pledge is to be shown as it now stands."""
        self.pledges[pledge.pledge_id] = pledge
        self._some_lack_rows = True
        characters = len(pledge.pledge_id)
        if pledge.backer_id is not None:
            characters += len(pledge.backer_id)
        if pledge.share_token is not None:
            characters += len(pledge.share_token)
        if pledge.reward_id is not None:
            characters += len(pledge.reward_id)
        self.size_bytes_max += _PLEDGE_BYTES + _CHARACTER_BYTES * characters
        if self.size_bytes_max > self._cut_bytes:
            self.cut()

    def shown_pledges(self) -> list[PledgeRow]:
        """Return the pledges to be shown as they now stand, in the order in which they were noted first."""
        shown = self.pledges.values()
        if self._some_lack_rows:
            return [row_of(one) if isinstance(one, Pledge) else one for one in shown]
        return cast("list[PledgeRow]", list(shown))

    def share(self, share: Share) -> None:
        """Note that this link is to be shown as it now stands.

        Before the first entry of its event: what is cut without an entry has no position of its own, and nobody would
        apply it.
        """
        self.share_tokens[share.token] = None
        texts = (share.token, share.network, share.parent_token)
        self.size_bytes_max += _SHARE_BYTES + _CHARACTER_BYTES * sum(len(text) for text in texts if text is not None)

    def visits(self, share: Share, origin: VisitOrigin) -> None:
        """Note that the link's visits from there are to be shown as they now stand; before the event's first entry."""
        self.visited[share.token, origin] = None
        self.size_bytes_max += _VISITS_BYTES + _CHARACTER_BYTES * len(share.token)

    def reward(self, reward_id: str) -> None:
        """Note that this reward's claims are to be shown as they now stand."""
        if reward_id not in self.reward_ids:
            self.reward_ids[reward_id] = None
            self.size_bytes_max += _REWARD_BYTES + _CHARACTER_BYTES * len(reward_id)

    def milestone(
        self,
        kind: MilestoneType,
        *,
        threshold_minor: int,
        total_minor: int | None = None,
        step: int | None = None,
        occurrence: int | None = None,
        stretch_goal_id: str | None = None,
        circle: Circle | None = None,
        narrower_circle: Circle | None = None,
    ) -> None:
        """Take down something that is said once; where no total is given, of the campaign's present one."""
        event = self.event
        offset, number = self.offset, self.number
        self.milestones.append(
            Milestone(
                type=kind,
                offset=offset,
                number=number,
                event_id=event.id,
                occurred_at=event.time,
                threshold_minor=threshold_minor,
                total_minor=self.campaign.goal_total_minor if total_minor is None else total_minor,
                step=step,
                occurrence=occurrence,
                stretch_goal_id=stretch_goal_id,
                circle=circle,
                narrower_circle=narrower_circle,
            )
        )
        self.number = number + 1
        self.campaign.position = Position(offset, number)
        self.size_bytes_max += _MILESTONE_BYTES + _CHARACTER_BYTES * len(event.id)
        if stretch_goal_id is not None:
            self.size_bytes_max += _CHARACTER_BYTES * len(stretch_goal_id)
        self.cut_if_full()

    def cut_if_full(self) -> None:
        """Cut where what is taken down may be too large; the campaign is consistent."""
        if self.size_bytes_max > self._cut_bytes:
            self.cut()

    def cut(self) -> None:
        """Forget what was taken down; numbers within the present event go on."""
        self.entries = []
        self.milestones = []
        self.pledges = {}
        self._some_lack_rows = False
        self.share_tokens = {}
        self.visited = {}
        self.days = {}
        self.reward_ids = {}
        self.terms_changed = False
        self.size_bytes_max = 0


class Unsaid(Changes):
    """Changes that were said before: the campaign's position moves, and nothing is taken down.

    For a worker that reads again what its group has acknowledged.
    """

    __slots__ = ()

    are_said = False

    def entry(self, *_: object, **__: object) -> None:
        """Give the entry its position."""
        self.campaign.position = Position(self.offset, self.number)
        self.number += 1

    def end_run(self, event: Event, offset: int, _days: Iterable[date], _taken_bytes_max: int) -> None:
        """Give the last of the entries its position."""
        self.event, self.offset = event, offset
        self.number = 0
        self.entry()

    def flag_exhausted(self) -> None:
        """Nobody is told."""

    def pledge(self, pledge: Pledge) -> None:
        """Nobody is shown the pledge."""

    def share(self, share: Share) -> None:
        """Nobody is shown the link."""

    def visits(self, share: Share, origin: VisitOrigin) -> None:
        """Nobody is shown the visits."""

    def reward(self, reward_id: str) -> None:
        """Nobody is shown the reward."""

    def milestone(self, *_: object, **__: object) -> None:
        """Give the milestone its position."""
        self.entry()
