"""One campaign of the naive ledger: its totals, recomputed from all its events at each question."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.events import (
    CampaignAmended,
    CampaignAmendedData,
    CampaignClosed,
    CampaignLaunched,
    CampaignLaunchedData,
    Event,
    LogEvent,
    PledgeAmended,
    PledgeAuthorized,
    PledgeCanceled,
    PledgeCaptured,
    PledgeDisputed,
    PledgeEvent,
    PledgeRefunded,
    SharePosted,
    SharePostedData,
    ShareVisited,
)
from schemas.fields import CIRCLES, AnyCircle, VisitOrigin
from schemas.updates import (
    CampaignStatus,
    CircleTotals,
    DayTotals,
    Pledge,
    RewardTotals,
    Share,
    ShareVisits,
    Terms,
    Totals,
    UnattributedReason,
)

REFUND_RANKS: Final = {"pending": 0, "succeeded": 1, "failed": 2, "canceled": 2}
DISPUTE_RANKS: Final = {"open": 0, "lost": 1, "won": 2}

Place = tuple[AnyCircle, date]
Amounts = tuple[int, int]
"""Pledged and collected."""


@dataclass(frozen=True)
class Sighting:
    """An authorization or capture as it was seen once."""

    made_at: datetime
    share_token: str | None
    backer_id: str | None
    reward_id: str | None


@dataclass(frozen=True)
class Logged:
    """An event at its place in the log."""

    offset: int
    event: LogEvent


@dataclass(frozen=True)
class NaiveCampaign:
    """A campaign's events that stand, the launch first."""

    log: tuple[Logged, ...]

    # The campaign's terms.

    @property
    def launch(self) -> CampaignLaunchedData:
        first = self.log[0].event
        if not isinstance(first, CampaignLaunched):
            raise TypeError("a campaign begins with its launch")
        return first.data

    def amendments(self) -> dict[int, CampaignAmendedData]:
        return {one.event.data.revision: one.event.data for one in self.log if isinstance(one.event, CampaignAmended)}

    def term(self, name: str) -> Any:
        """Return the term as the highest revision that names it has it, else as the launch has it."""
        amendments = self.amendments()
        for revision in sorted(amendments, reverse=True):
            if getattr(amendments[revision], name) is not None:
                return getattr(amendments[revision], name)
        return getattr(self.launch, name)

    def prefix(self, length: int) -> "NaiveCampaign":
        return NaiveCampaign(self.log[:length])

    def status(self) -> CampaignStatus:
        for index, one in enumerate(self.log):
            before = self.prefix(index)
            if isinstance(one.event, CampaignClosed) and one.event.data.closes_at == before.term("closes_at"):
                return "succeeded" if before.total() >= before.term("goal_minor") else "failed"
        return "open"

    def terms(self) -> Terms:
        launch = self.launch
        return Terms(
            title=self.term("title"),
            owner_id=launch.owner_id,
            goal_minor=self.term("goal_minor"),
            goal_basis=launch.goal_basis,
            funding_model=launch.funding_model,
            stretch_goals=self.term("stretch_goals"),
            opens_at=launch.opens_at,
            closes_at=self.term("closes_at"),
            settle_hours=launch.settle_hours,
            timezone=launch.timezone,
            sources=launch.sources,
            revision=max(self.amendments(), default=0),
            status=self.status(),
            rewards=launch.rewards,
        )

    # One pledge.

    def of(self, kind: type[Event], pledge_id: str) -> list[Any]:
        """Return the data of that pledge's events of that kind."""
        events: list[Any] = [one.event for one in self.log if isinstance(one.event, kind)]
        return [event.data for event in events if event.data.pledge_id == pledge_id]

    def pledge_ids(self) -> list[str]:
        events: list[Any] = [one.event for one in self.log if isinstance(one.event, PledgeEvent)]
        return sorted({event.data.pledge_id for event in events})

    def captured(self, pledge_id: str) -> int:
        amounts = [(data.capture_id, data.amount_minor) for data in self.of(PledgeCaptured, pledge_id)]
        return sum(_greatest(amounts).values())

    def promised(self, pledge_id: str) -> int:
        cancellations = self.of(PledgeCanceled, pledge_id)
        if any(data.authorization_id is None for data in cancellations):
            return 0
        if any(data.final for data in self.of(PledgeCaptured, pledge_id)):
            return 0
        amended = {data.revision: data.amount_minor for data in self.of(PledgeAmended, pledge_id)}
        if amended:
            return int(amended[max(amended)])
        canceled = {data.authorization_id for data in cancellations}
        amounts = [(data.authorization_id, data.amount_minor) for data in self.of(PledgeAuthorized, pledge_id)]
        return sum(amount for name, amount in _greatest(amounts).items() if name not in canceled)

    def refunded(self, pledge_id: str) -> int:
        seen = self.of(PledgeRefunded, pledge_id)
        return sum(
            next(data.amount_minor for data in seen if data.refund_id == refund_id)
            for refund_id in {data.refund_id for data in seen}
            if max(REFUND_RANKS[data.status] for data in seen if data.refund_id == refund_id) < REFUND_RANKS["failed"]
        )

    def disputed(self, pledge_id: str) -> tuple[int, int]:
        """Return what lost disputes cost, and that together with what open ones have withdrawn."""
        lost = withdrawn = 0
        everything = self.of(PledgeDisputed, pledge_id)
        for dispute_id in {data.dispute_id for data in everything}:
            seen = [data for data in everything if data.dispute_id == dispute_id]
            rank = max(DISPUTE_RANKS[data.status] for data in seen)
            if rank == DISPUTE_RANKS["lost"]:
                costs = [data.lost_minor for data in seen if data.lost_minor is not None]
                lost += min(costs, default=seen[0].amount_minor)
            elif rank == DISPUTE_RANKS["open"] and any(data.withdrawn for data in seen):
                withdrawn += seen[0].amount_minor
        return lost, lost + withdrawn

    def amounts(self, pledge_id: str) -> tuple[int, int, int]:
        """Return what is pledged, collected and over-returned."""
        captured = self.captured(pledge_id)
        promised = self.promised(pledge_id) if self.sightings(pledge_id) else 0
        refunded = self.refunded(pledge_id)
        lost, withdrawn = self.disputed(pledge_id)
        return (
            max(promised, captured) - min(captured, refunded + lost),
            captured - min(captured, refunded + withdrawn),
            max(0, refunded + withdrawn - captured),
        )

    def sightings(self, pledge_id: str) -> list[Sighting]:
        return [
            Sighting(data.made_at or one.event.time, data.share_token, data.backer_id, data.reward_id)
            for one in self.log
            if isinstance(one.event, PledgeAuthorized | PledgeCaptured)
            and (data := one.event.data).pledge_id == pledge_id
        ]

    def made_at(self, pledge_id: str) -> datetime | None:
        return min((sighting.made_at for sighting in self.sightings(pledge_id)), default=None)

    def first(self, pledge_id: str) -> list[Sighting]:
        """Return the earliest-made sightings."""
        made_at = self.made_at(pledge_id)
        return [sighting for sighting in self.sightings(pledge_id) if sighting.made_at == made_at]

    def token(self, pledge_id: str) -> str | None:
        return min((one.share_token for one in self.first(pledge_id) if one.share_token is not None), default=None)

    def reward(self, pledge_id: str) -> str | None:
        return min((one.reward_id for one in self.first(pledge_id) if one.reward_id is not None), default=None)

    def naming(self, pledge_id: str) -> tuple[datetime, str] | None:
        """Return the earliest-made sighting that names a backer: its moment and the backer."""
        naming = [(one.made_at, one.backer_id) for one in self.sightings(pledge_id) if one.backer_id is not None]
        return min(naming, default=None)

    def backer(self, pledge_id: str) -> str | None:
        naming = self.naming(pledge_id)
        return None if naming is None else naming[1]

    def circle(self, pledge_id: str) -> tuple[AnyCircle, UnattributedReason | None]:
        shares = {one.event.data.share_token: one.event.data for one in self.log if isinstance(one.event, SharePosted)}
        token = self.token(pledge_id)
        if token is None:
            return "unattributed", "no_token"
        chain: list[SharePostedData] = []
        link: str | None = token
        while link is not None:
            if link not in shares:
                return "unattributed", "unknown_token"
            if shares[link] in chain:
                return "unattributed", "share_cycle"
            chain.append(shares[link])
            link = shares[link].parent_token
        if chain[0].sharer_id == self.backer(pledge_id):
            return "unattributed", "own_share"
        root = CIRCLES.index(chain[-1].circle or "friends")
        return CIRCLES[min(root + len(chain) - 1, CIRCLES.index("public"))], None

    def pledge(self, pledge_id: str) -> Pledge:
        pledged, collected, over_returned = self.amounts(pledge_id)
        made_at = self.made_at(pledge_id)
        circle, reason = self.circle(pledge_id)
        return Pledge(
            pledge_id=pledge_id,
            circle=circle,
            pledged_minor=pledged,
            collected_minor=collected,
            over_returned_minor=over_returned,
            late=made_at is not None and made_at >= self.term("closes_at"),
            day=None if made_at is None else made_at.astimezone(ZoneInfo(self.launch.timezone)).date(),
            made_at=made_at,
            backer_id=self.backer(pledge_id),
            share_token=self.token(pledge_id),
            unattributed=reason,
            reward_id=self.reward(pledge_id),
        )

    def pledges(self) -> list[Pledge]:
        return [self.pledge(pledge_id) for pledge_id in self.pledge_ids()]

    def shares(self) -> list[Share]:
        """Return every link that was posted, each at the least time that any event gives it."""
        posted = [one.event for one in self.log if isinstance(one.event, SharePosted)]
        shares = []
        for token in sorted({event.data.share_token for event in posted}):
            told = [event for event in posted if event.data.share_token == token]
            data, posted_at = told[0].data, min(event.time for event in told)
            shares.append(
                Share(
                    share_token=token,
                    network=data.network,
                    parent_token=data.parent_token,
                    circle=data.circle or "friends" if data.parent_token is None else None,
                    posted_at=posted_at,
                    day=posted_at.astimezone(ZoneInfo(self.launch.timezone)).date(),
                )
            )
        return shares

    def visits(self) -> list[ShareVisits]:
        """Return the visits of every link and origin: of each counter the greatest of each number."""
        told = [one.event.data for one in self.log if isinstance(one.event, ShareVisited)]

        def counted(token: str, origin: VisitOrigin, name: str) -> int:
            here = [data for data in told if (data.share_token, data.origin) == (token, origin)]
            counters = {data.counter_id for data in here}
            return sum(max(getattr(data, name) for data in here if data.counter_id == one) for one in counters)

        return [
            ShareVisits(
                share_token=token,
                origin=origin,
                **{name: counted(token, origin, name) for name in ("visits", "bots", "prefetches")},
            )
            for token, origin in {(data.share_token, data.origin) for data in told}
        ]

    # The campaign's totals.

    def total(self) -> int:
        """Return the total that counts toward the goal."""
        index = 0 if self.launch.goal_basis == "pledged" else 1
        return sum(self.amounts(pledge.pledge_id)[index] for pledge in self.pledges() if not pledge.late)

    def total_of(self, circle: AnyCircle) -> int:
        """Return a circle's part of the total that counts toward the goal."""
        (totals,) = [one for one in self.totals().circles if one.circle == circle]
        return totals.pledged_minor if self.launch.goal_basis == "pledged" else totals.collected_minor

    def totals(self) -> Totals:
        everything = self.pledges()
        counted = [pledge for pledge in everything if not pledge.late]
        placed = [pledge for pledge in counted if pledge.made_at is not None]
        reasons = [pledge.unattributed for pledge in placed if pledge.unattributed is not None]
        goal = self.term("goal_minor")
        return Totals(
            currency=self.launch.currency,
            goal_minor=goal,
            pledged_minor=sum(pledge.pledged_minor for pledge in counted),
            collected_minor=sum(pledge.collected_minor for pledge in counted),
            over_returned_minor=sum(pledge.over_returned_minor for pledge in counted),
            late_minor=sum(pledge.pledged_minor for pledge in everything if pledge.late),
            percent=percent(self.total(), goal),
            backers=_backers(counted),
            circles=[
                CircleTotals(
                    circle=circle,
                    pledged_minor=sum(pledge.pledged_minor for pledge in placed if pledge.circle == circle),
                    collected_minor=sum(pledge.collected_minor for pledge in placed if pledge.circle == circle),
                    backers=_backers([pledge for pledge in placed if pledge.circle == circle]),
                )
                for circle in CIRCLES
            ],
            unattributed={reason: reasons.count(reason) for reason in set(reasons)},
            unknown_reward_claims=sum(one not in self.quantities() for one in _claims(everything).values()),
        )

    # Its rewards.

    def quantities(self) -> dict[str, int | None]:
        return {reward.reward_id: reward.quantity for reward in self.launch.rewards}

    def claims(self) -> dict[str, str]:
        """Return the reward that each pledge claims: in time, above 0, and naming one."""
        return _claims(self.pledges())

    def rewards(self) -> list[RewardTotals]:
        claims = list(self.claims().values())
        return [
            RewardTotals(
                reward_id=reward_id,
                claimed=claims.count(reward_id),
                claims_left=None if quantity is None else max(0, quantity - claims.count(reward_id)),
                exhausted_claims=0 if quantity is None else max(0, claims.count(reward_id) - quantity),
            )
            for reward_id, quantity in self.quantities().items()
        ]

    def days(self) -> list[DayTotals]:
        counted = [pledge for pledge in self.pledges() if not pledge.late]
        days = []
        for day in sorted({pledge.day for pledge in counted if pledge.day is not None}):
            pledged = sum(pledge.pledged_minor for pledge in counted if pledge.day == day)
            collected = sum(pledge.collected_minor for pledge in counted if pledge.day == day)
            if (pledged, collected) != (0, 0):
                days.append(DayTotals(day=day, pledged_minor=pledged, collected_minor=collected))
        return days

    def places(self) -> dict[str, tuple[Place, Amounts]]:
        """Return where each pledge's money stands in the totals; late ones and those never seen stand nowhere."""
        return {
            pledge.pledge_id: ((pledge.circle, pledge.day), (pledge.pledged_minor, pledge.collected_minor))
            for pledge in self.pledges()
            if not pledge.late and pledge.day is not None
        }


def percent(total: int, goal: int) -> int:
    """Return the percent for people: floored below 100, rounded half up from there."""
    return total * 100 // goal if total < goal else (total * 200 + goal) // (goal * 2)


def _greatest(amounts: list[tuple[str, int]]) -> dict[str, int]:
    return {name: max(amount for other, amount in amounts if other == name) for name, _ in amounts}


def _claims(pledges: list[Pledge]) -> dict[str, str]:
    return {
        pledge.pledge_id: pledge.reward_id
        for pledge in pledges
        if pledge.reward_id is not None and not pledge.late and pledge.pledged_minor > 0
    }


def _backers(pledges: list[Pledge]) -> int:
    above = [pledge for pledge in pledges if pledge.pledged_minor > 0]
    named = {pledge.backer_id for pledge in above if pledge.backer_id is not None}
    return len(named) + sum(pledge.backer_id is None for pledge in above)
