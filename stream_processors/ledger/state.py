"""What the fold remembers: one partition's campaigns, their pledges, facts, shares and totals.

A pledge keeps only the sums of its facts; the facts themselves stand once, in the campaign, under their ids, where a
repetition or a conflict is found in one look. Everything is kept in the order of the log, so that the same prefix of
the log gives the same state, and the same words, in every process.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final, TypeVar, get_args

from msgspec import Struct

from schemas.events import CampaignAmendedData, CampaignLaunchedData, Reward, StretchGoal
from schemas.fields import CIRCLES, Circle, DisputeStatus, RefundStatus, VisitOrigin
from schemas.updates import (
    BEFORE_EVERYTHING,
    CampaignStatus,
    CircleTotals,
    DayTotals,
    RewardTotals,
    ShareVisits,
    Terms,
    Totals,
    UnattributedReason,
)
from schemas.updates import Pledge as PledgeRow
from schemas.updates import Share as ShareRow
from stream_processors.ledger.days import local_days
from stream_processors.ledger.percent import percent_of_goal

CIRCLE_NAMES: Final[tuple[Circle, ...]] = get_args(Circle)
"""Those that a link can open, from the narrowest to the widest; their numbers are those in `CIRCLES`."""

PUBLIC: Final = CIRCLES.index("public")
UNATTRIBUTED: Final = CIRCLES.index("unattributed")

Counter = tuple[str, VisitOrigin]
"""Who counts visits, and where those came from."""

Counts = tuple[int, int, int]
"""Visits, bots and prefetches."""

Standing = int | UnattributedReason
"""Where a share stands: the number of its circle in `CIRCLES`, or the reason why it has none."""

_BACKER_BITS: Final = 32
_BACKER_MASK: Final = (1 << _BACKER_BITS) - 1
_BACKER_ONES: Final = tuple(1 << (circle * _BACKER_BITS) for circle in range(len(CIRCLES)))
_BACKER_MASKS: Final = tuple(_BACKER_MASK * one for one in _BACKER_ONES)


_Fact = TypeVar("_Fact")


def by_id() -> dict[str, _Fact]:
    """Return an empty dictionary that keeps the hash of each key beside it, for what grows with the campaign.

    CPython does without while every key has been a text, and then looks into the texts themselves, all over the
    memory, where two keys meet and whenever the dictionary grows (Objects/dictobject.c, DICT_KEYS_UNICODE).
    """
    facts: dict[Any, Any] = {None: None}
    del facts[None]
    return facts


class Pledge(Struct, array_like=True, gc=False):
    """A pledge: the sums of its facts, and where it is counted. All amounts are minor units.

    A struct, so that a checkpoint of a million of them is read and written in C; it is never part of a cycle, so the
    garbage collector need not look at it.
    """

    pledge_id: str
    # The sums of its facts.
    authorized_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    lost_minor: int = 0
    withdrawn_minor: int = 0
    amendments: dict[int, int] | None = None
    amended_minor: int | None = None
    final: bool = False
    canceled: bool = False
    # From its sightings.
    made_at: datetime | None = None
    share_token: str | None = None
    backer_id: str | None = None
    backer_made_at: datetime | None = None
    reward_id: str | None = None
    # What the campaign's totals hold of it now; `counted` is false before its first sighting and while it is late.
    counted: bool = False
    late: bool = False
    backer_counted: str | None = None
    claimed: str | None = None
    circle: int = UNATTRIBUTED
    reason: UnattributedReason | None = "no_token"
    day: date | None = None
    pledged_minor: int = 0
    collected_minor: int = 0
    over_returned_minor: int = 0


def row_of(pledge: Pledge) -> PledgeRow:
    """Return the pledge as updates show it."""
    return PledgeRow(
        pledge_id=pledge.pledge_id,
        circle=CIRCLES[pledge.circle],
        pledged_minor=pledge.pledged_minor,
        collected_minor=pledge.collected_minor,
        over_returned_minor=pledge.over_returned_minor,
        late=pledge.late,
        day=pledge.day,
        made_at=pledge.made_at,
        backer_id=pledge.backer_id,
        share_token=pledge.share_token,
        unattributed=pledge.reason,
        reward_id=pledge.reward_id,
    )


def _whole(row: PledgeRow) -> Pledge:
    """Return the pledge, of which the log has told one plain capture (`first_captures`), with its facts."""
    return Pledge(
        row.pledge_id,
        captured_minor=row.pledged_minor,
        final=True,
        made_at=row.made_at,
        share_token=row.share_token,
        backer_id=row.backer_id,
        backer_made_at=None if row.backer_id is None else row.made_at,
        counted=True,
        backer_counted=row.backer_id,
        circle=CIRCLES.index(row.circle),
        reason=row.unattributed,
        day=row.day,
        pledged_minor=row.pledged_minor,
        collected_minor=row.collected_minor,
    )


class Share:
    """A link, or the place kept for one that pledges or other links name before it was posted."""

    __slots__ = (
        "children",
        "circle",
        "network",
        "parent_token",
        "posted_at",
        "sharer_id",
        "standing",
        "token",
        "visits",
        "waiting",
    )

    def __init__(self, token: str) -> None:
        self.token = token
        self.posted_at: datetime | None = None
        self.sharer_id: str | None = None
        self.network: str | None = None
        self.parent_token: str | None = None
        self.circle: int | None = None
        self.standing: Standing = "unknown_token"
        self.children: list[Share] = []
        self.visits: dict[Counter, Counts] = {}
        self.waiting: dict[str, Pledge] = {}

    def followers(self) -> list[Pledge]:
        """Return the pledges that the link's new standing moves; they wait on only while it has no circle.

        A circle is for good: the link and all above it are posted then, and each is posted once.
        """
        waiting = list(self.waiting.values())
        if isinstance(self.standing, int):
            self.waiting = {}
        return waiting


class Backers:
    """Distinct backers of a campaign and of each circle: one counts while one of their pledges is above 0.

    For each backer one integer holds the number of such pledges in every circle, 32 bits for each.
    """

    __slots__ = ("_pledges", "in_circle", "total")

    def __init__(self) -> None:
        self._pledges: dict[str, int] = by_id()
        self.in_circle = [0] * len(CIRCLES)
        self.total = 0

    def add(self, told: Iterable[tuple[str | None, int]]) -> None:
        """Count one pledge above 0 for each backer and circle. Without an id, the pledge is a backer of its own."""
        pledges, in_circle, total = self._pledges, self.in_circle, self.total
        for backer_id, circle in told:
            if backer_id is not None:
                before = pledges.get(backer_id)
                if before is not None:
                    pledges[backer_id] = before + _BACKER_ONES[circle]
                    if not before & _BACKER_MASKS[circle]:
                        in_circle[circle] += 1
                    continue
                # Most backers have one pledge, and then the number is one object for all of them.
                pledges[backer_id] = _BACKER_ONES[circle]
            total += 1
            in_circle[circle] += 1
        self.total = total

    def remove(self, backer_id: str | None, circle: int) -> None:
        """Take back one `add` of the same backer and circle."""
        after = 0
        if backer_id is not None:
            after = self._pledges[backer_id] - _BACKER_ONES[circle]
            if after:
                self._pledges[backer_id] = after
            else:
                del self._pledges[backer_id]
        if not after:
            self.total -= 1
        if not after & _BACKER_MASKS[circle]:
            self.in_circle[circle] -= 1

    def save(self) -> list[tuple[str, list[int]]]:
        """Return each backer with the number of their pledges above 0 in every circle."""
        shifts = [circle * _BACKER_BITS for circle in range(len(CIRCLES))]
        return [
            (backer_id, [(packed >> shift) & _BACKER_MASK for shift in shifts])
            for backer_id, packed in self._pledges.items()
        ]

    def restore(self, pledges: list[tuple[str, list[int]]], in_circle: list[int], total: int) -> None:
        """Take over what `save`, `in_circle` and `total` said."""
        self._pledges = by_id()
        for backer_id, counts in pledges:
            self._pledges[backer_id] = sum(count << (circle * _BACKER_BITS) for circle, count in enumerate(counts))
        self.in_circle = in_circle
        self.total = total


class Cumulative(Struct, gc=False):
    """An authorization or a capture as it now stands: the greatest amount seen."""

    pledge: Pledge
    amount_minor: int = 0


class Refund:
    """A refund as it now stands."""

    __slots__ = ("amount_minor", "pledge", "status")

    def __init__(self, pledge: Pledge, amount_minor: int, status: RefundStatus) -> None:
        self.pledge = pledge
        self.amount_minor = amount_minor
        self.status: RefundStatus = status


class Dispute:
    """A dispute as it now stands; `lost_minor` is the least that any sighting said it cost."""

    __slots__ = ("amount_minor", "lost_minor", "pledge", "status", "withdrawn")

    def __init__(self, pledge: Pledge, amount_minor: int) -> None:
        self.pledge = pledge
        self.amount_minor = amount_minor
        self.status: DisputeStatus = "open"
        self.withdrawn = False
        self.lost_minor = amount_minor


class Campaign:
    """One campaign: its terms, facts and totals.

    Amounts are minor units of `launch.currency`. Facts stand under their ids.
    """

    __slots__ = (
        "amendments",
        "attempts",
        "authorizations",
        "backers",
        "canceled_authorizations",
        "captures",
        "circle_collected_minor",
        "circle_pledged_minor",
        "closes_at",
        "collected_minor",
        "currency",
        "day_totals",
        "disputes",
        "goal_counts_pledged",
        "goal_is_reached",
        "goal_minor",
        "goal_occurrences",
        "late_minor",
        "launch",
        "local_days",
        "next_threshold_minor",
        "over_returned_minor",
        "overfunding_said_percent",
        "pledged_minor",
        "pledges",
        "position",
        "refunds",
        "reward_claims",
        "reward_terms",
        "share_sources",
        "shares",
        "sources",
        "status",
        "steps_said",
        "stretch_goals",
        "stretch_goals_said",
        "term_revisions",
        "title",
        "unattributed",
        "unknown_reward_claims",
        "unopened_circles",
    )

    def __init__(self, launch: CampaignLaunchedData) -> None:
        self.launch = launch
        self.currency = launch.currency
        self.local_days = local_days(launch.timezone)
        self.sources = frozenset(launch.sources)
        self.share_sources = self.sources | {"admin"}
        self.reward_terms: dict[str, Reward] = {reward.reward_id: reward for reward in launch.rewards}
        # Terms that can be amended, and the revision that each is of.
        self.title = launch.title
        self.goal_minor = launch.goal_minor
        self.goal_counts_pledged = launch.goal_basis == "pledged"
        self.stretch_goals: list[StretchGoal] = launch.stretch_goals
        self.closes_at = launch.closes_at
        self.amendments: dict[int, CampaignAmendedData] = {}
        self.term_revisions: dict[str, int] = {}
        self.status: CampaignStatus = "open"
        # Pledges, in the order in which the log first named them, and their facts. A pledge of which the log has told
        # nothing but one plain capture is kept, as is its capture, as the row that shows it: half of what it would
        # take. To change either, it is found by `find_pledge` and `find_capture`.
        self.pledges: dict[str, Pledge | PledgeRow] = by_id()
        self.authorizations: dict[str, Cumulative] = by_id()
        self.canceled_authorizations: dict[str, Pledge] = {}
        self.captures: dict[str, Cumulative | PledgeRow] = by_id()
        self.refunds: dict[str, Refund] = {}
        self.disputes: dict[str, Dispute] = {}
        self.attempts: dict[str, Pledge] = {}
        self.shares: dict[str, Share] = {}
        # Totals.
        self.pledged_minor = 0
        self.collected_minor = 0
        self.over_returned_minor = 0
        self.late_minor = 0
        self.circle_pledged_minor = [0] * len(CIRCLES)
        self.circle_collected_minor = [0] * len(CIRCLES)
        self.backers = Backers()
        self.unattributed: dict[UnattributedReason, int] = {}
        self.day_totals: dict[date, tuple[int, int]] = {}
        self.reward_claims = dict.fromkeys(self.reward_terms, 0)
        self.unknown_reward_claims = 0
        # What has been said.
        self.position = BEFORE_EVERYTHING
        self.goal_is_reached = False
        self.goal_occurrences = 0
        self.steps_said: set[int] = set()
        self.overfunding_said_percent = 0
        self.stretch_goals_said: set[str] = set()
        self.next_threshold_minor = 0
        # The circles of which it is yet to be seen whether they open early.
        self.unopened_circles = [narrower + 1 for narrower, percent in enumerate(circle_thresholds(launch)) if percent]

    def find_pledge(self, pledge_id: str) -> Pledge:
        """Return the pledge of that id, a new one if the log has not named it before."""
        pledge = self.pledges.get(pledge_id)
        if pledge is None:
            pledge = self.pledges[pledge_id] = Pledge(pledge_id)
        elif isinstance(pledge, PledgeRow):
            pledge = self.pledges[pledge_id] = _whole(pledge)
        return pledge

    def find_capture(self, capture_id: str) -> Cumulative | None:
        """Return the capture of that id, None if the log has not named it."""
        fact = self.captures.get(capture_id)
        if isinstance(fact, PledgeRow):
            fact = self.captures[capture_id] = Cumulative(self.find_pledge(fact.pledge_id), fact.pledged_minor)
        return fact

    def captured(self) -> list[tuple[str, str, int]]:
        """Return each capture's id, its pledge's, and its amount, in the order in which the log first named them."""
        return [
            (capture_id, fact.pledge_id, fact.pledged_minor)
            if isinstance(fact, PledgeRow)
            else (capture_id, fact.pledge.pledge_id, fact.amount_minor)
            for capture_id, fact in self.captures.items()
        ]

    def find_share(self, token: str) -> Share:
        """Return the link of that token, or the place kept for it."""
        share = self.shares.get(token)
        if share is None:
            share = self.shares[token] = Share(token)
        return share

    @property
    def goal_total_minor(self) -> int:
        """The total that counts toward the goal."""
        return self.pledged_minor if self.goal_counts_pledged else self.collected_minor

    @property
    def room_minor(self) -> int:
        """What can be added to the total that counts before there may be something to say of it."""
        return 0 if self.unopened_circles else self.next_threshold_minor - self.goal_total_minor

    def count_captures(
        self,
        backers: Iterable[tuple[str | None, int]],
        without_token: int,
        circles_minor: Iterable[int],
        days_minor: Iterable[tuple[date, int]],
    ) -> None:
        """Add pledges that are captured.

        Told are the backer and circle of each, how many named no link, and their sums by circle and by day.
        """
        self.backers.add(backers)
        for circle, amount_minor in enumerate(circles_minor):
            if amount_minor:
                self.circle_pledged_minor[circle] += amount_minor
                self.circle_collected_minor[circle] += amount_minor
        for day, amount_minor in days_minor:
            pledged_minor, collected_minor = self.day_totals.get(day, (0, 0))
            self.day_totals[day] = pledged_minor + amount_minor, collected_minor + amount_minor
            self.pledged_minor += amount_minor
            self.collected_minor += amount_minor
        if without_token:
            self.unattributed["no_token"] = self.unattributed.get("no_token", 0) + without_token

    @property
    def circle_goal_totals_minor(self) -> list[int]:
        """Each circle's part of the total that counts toward the goal, by its number in `CIRCLES`."""
        return self.circle_pledged_minor if self.goal_counts_pledged else self.circle_collected_minor

    def totals(self) -> Totals:
        """Return the totals as they now stand."""
        return Totals(
            currency=self.currency,
            goal_minor=self.goal_minor,
            pledged_minor=self.pledged_minor,
            collected_minor=self.collected_minor,
            over_returned_minor=self.over_returned_minor,
            late_minor=self.late_minor,
            percent=percent_of_goal(self.goal_total_minor, self.goal_minor),
            backers=self.backers.total,
            circles=list(
                map(
                    CircleTotals,
                    CIRCLES,
                    self.circle_pledged_minor,
                    self.circle_collected_minor,
                    self.backers.in_circle,
                )
            ),
            unattributed={reason: count for reason, count in sorted(self.unattributed.items()) if count},
            unknown_reward_claims=self.unknown_reward_claims,
        )

    def day(self, day: date) -> DayTotals:
        """Return the totals of the pledges made on that day of the campaign's time zone."""
        pledged_minor, collected_minor = self.day_totals.get(day, (0, 0))
        return DayTotals(day=day, pledged_minor=pledged_minor, collected_minor=collected_minor)

    def days(self) -> list[DayTotals]:
        """Return the totals of every day that has any, in order."""
        return [self.day(day) for day in sorted(self.day_totals)]

    def reward(self, reward_id: str) -> RewardTotals:
        """Return the claims of a reward of the terms. Raises KeyError for another one."""
        quantity, claimed = self.reward_terms[reward_id].quantity, self.reward_claims[reward_id]
        if quantity is None:
            return RewardTotals(reward_id=reward_id, claimed=claimed)
        return RewardTotals(
            reward_id=reward_id,
            claimed=claimed,
            claims_left=max(0, quantity - claimed),
            exhausted_claims=max(0, claimed - quantity),
        )

    def rewards(self) -> list[RewardTotals]:
        """Return the claims of every reward, in the order of the terms."""
        return [self.reward(reward_id) for reward_id in self.reward_terms]

    def pledge(self, pledge_id: str) -> PledgeRow:
        """Return a pledge as it now stands. Raises KeyError when the log has not named it."""
        pledge = self.pledges[pledge_id]
        return pledge if isinstance(pledge, PledgeRow) else row_of(pledge)

    def posted_shares(self) -> list[ShareRow]:
        """Return the links that are posted, in the order in which the log first named them."""
        return [self.share(token) for token, share in self.shares.items() if share.posted_at is not None]

    def share(self, token: str) -> ShareRow:
        """Return a link as it was posted. Raises KeyError when the log has not posted it."""
        share = self.shares[token]
        if share.posted_at is None or share.network is None:
            raise KeyError(token)
        return ShareRow(
            share_token=share.token,
            network=share.network,
            parent_token=share.parent_token,
            circle=None if share.circle is None else CIRCLE_NAMES[share.circle],
            posted_at=share.posted_at,
            day=self.local_days.day_of(share.posted_at),
        )

    def visits(self) -> list[ShareVisits]:
        """Return the visits of every link and origin that any counter has told of."""
        origins = {(share.token, origin): None for share in self.shares.values() for _, origin in share.visits}
        return [self.share_visits(token, origin) for token, origin in origins]

    def share_visits(self, token: str, origin: VisitOrigin) -> ShareVisits:
        """Return the visits of a link from that origin: the sums over its counters."""
        counted = [counts for (_, other), counts in self.shares[token].visits.items() if other == origin]
        visits, bots, prefetches = (sum(numbers) for numbers in zip(*counted, strict=True))
        return ShareVisits(share_token=token, origin=origin, visits=visits, bots=bots, prefetches=prefetches)

    def terms(self) -> Terms:
        """Return the terms as they now stand."""
        return Terms(
            title=self.title,
            owner_id=self.launch.owner_id,
            goal_minor=self.goal_minor,
            goal_basis=self.launch.goal_basis,
            funding_model=self.launch.funding_model,
            stretch_goals=self.stretch_goals,
            opens_at=self.launch.opens_at,
            closes_at=self.closes_at,
            settle_hours=self.launch.settle_hours,
            timezone=self.launch.timezone,
            sources=self.launch.sources,
            revision=max(self.amendments, default=0),
            status=self.status,
            rewards=self.launch.rewards,
        )


def circle_thresholds(launch: CampaignLaunchedData) -> tuple[int, int]:
    """Return what each circle but the widest should carry before the next opens, in percent of the goal."""
    thresholds = launch.circle_thresholds
    return (0, 0) if thresholds is None else (thresholds.friends, thresholds.friends_of_friends)


class PartitionState:
    """Everything that the fold knows of one partition: a function of the partition's log below `next_offset`."""

    __slots__ = ("campaigns", "next_offset")

    def __init__(self) -> None:
        self.campaigns: dict[str, Campaign] = {}
        self.next_offset = 0
