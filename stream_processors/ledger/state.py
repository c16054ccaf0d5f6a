"""What the fold remembers: one partition's campaigns, their pledges, facts, shares and totals.

A pledge keeps only the sums of its facts; the facts themselves stand once, in the campaign, under their ids, where a
repetition or a conflict is found in one look. Everything is kept in the order of the log, so that the same prefix of
the log gives the same state, and the same words, in every process.
"""

from collections.abc import Iterable
from datetime import date

from schemas.events import CampaignAmendedData, CampaignLaunchedData, Reward, StretchGoal
from schemas.fields import CIRCLES, VisitOrigin
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
from stream_processors.ledger.backers import Backers
from stream_processors.ledger.by_id import by_id
from stream_processors.ledger.days import local_days
from stream_processors.ledger.percent import percent_of_goal
from stream_processors.ledger.pledges import CIRCLE_NAMES, Cumulative, Dispute, Pledge, Refund, Share, pledge_of, row_of


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
            pledge = self.pledges[pledge_id] = pledge_of(pledge)
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
