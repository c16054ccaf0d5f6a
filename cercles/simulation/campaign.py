"""One simulated campaign: how it is launched, who pledges by which link, who passes a link on."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from cercles.simulation.plan import Chance, Plan
from schemas.events import (
    CampaignLaunched,
    CampaignLaunchedData,
    LogEvent,
    PledgeAmended,
    PledgeAmendedData,
    PledgeAuthorized,
    PledgeAuthorizedData,
    PledgeCanceled,
    PledgeCanceledData,
    PledgeCaptured,
    PledgeCapturedData,
    PledgeDisputed,
    PledgeDisputedData,
    PledgeFailed,
    PledgeFailedData,
    PledgeRefunded,
    PledgeRefundedData,
    SharePosted,
    SharePostedData,
    ShareVisited,
    ShareVisitedData,
)
from schemas.fields import AMOUNT_MINOR_MAX, DisputeStatus, RefundStatus
from schemas.money import exponent

TIERS: Final = (5, 10, 10, 15, 20, 20, 25, 25, 30, 50, 50, 50, 75, 100, 100, 150, 200, 300, 500)
"""What backers give, in major units."""

NETWORKS: Final = ("mail", "whatsapp", "instagram", "facebook", "linkedin")
OWNER_LINKS: Final = ("mail", "whatsapp", "facebook")
CIRCLES: Final = 3
CIRCLE_PERCENT: Final = ((70, 95), (25, 80), (10, 40))
"""Of a hundred pledges in the first, second and last third of a campaign: friends, and friends and their friends."""

GOAL_PERCENT: Final = (60, 130)
"""A goal against what the pledges come to on average: some campaigns reach theirs, some do not."""

RETURNING_RATE: Final = 0.1
"""Pledges by somebody who has pledged before."""

VISITED_RATE: Final = 0.25
"""Pledges by a link that a word on its visits comes with."""

VISITS_MAX: Final = 20
FULL_REFUND_RATE: Final = 0.7
FAILED_REFUND_RATE: Final = 0.1
LOST_RATE: Final = 0.5
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


class Link:
    """A link that somebody has passed on, and how often it was visited."""

    __slots__ = ("circle", "token", "visits")

    def __init__(self, token: str, circle: int) -> None:
        self.token = token
        self.circle = circle
        self.visits = 0


class Happening(NamedTuple):
    """An event that happens; nothing that is told later happens before `told_from_seconds` after the opening."""

    told_from_seconds: int
    event: LogEvent
    pledges: int


class Campaign:
    """Tells what happens, pledge after pledge, from the opening to the deadline."""

    def __init__(self, plan: Plan, campaign_id: str, chance: Chance) -> None:
        self._plan = plan
        self._id = campaign_id
        self._chance = chance
        self._minor = 10 ** exponent(plan.currency)
        self._links: tuple[list[Link], ...] = tuple([] for _ in range(CIRCLES))
        self._events = 0
        self._percent = GOAL_PERCENT[0] + chance.below(GOAL_PERCENT[1] - GOAL_PERCENT[0])

    def launch(self) -> CampaignLaunched:
        """Return the launch."""
        plan = self._plan
        expected = max(plan.pledges, 1) * sum(TIERS) // len(TIERS)
        data = CampaignLaunchedData(
            campaign_id=self._id,
            title=f"Simulated campaign {self._id}",
            owner_id=f"{self._id}-owner",
            currency=plan.currency,
            goal_minor=min(AMOUNT_MINOR_MAX, max(1, expected * self._percent // 100) * self._minor),
            opens_at=plan.opens_at,
            closes_at=plan.closes_at,
            timezone="Europe/Paris",
            sources=[f"sources/{plan.source}"],
            funding_model="keep_it_all",
        )
        return CampaignLaunched(
            specversion="1.0", id=f"{self._id}:launch", source="admin", time=plan.opens_at, data=data
        )

    def happenings(self) -> Iterator[Happening]:
        """Yield everything that happens: the owner's links, then pledge after pledge with all that becomes of it."""
        plan = self._plan
        yield from (Happening(0, event, 0) for event in self._owner_links())
        open_seconds = plan.days * DAY // timedelta(seconds=1)
        for number in range(plan.pledges):
            # Each pledge has a stretch of the time of its own, somewhere in which it is made.
            stretch_seconds = open_seconds * number // plan.pledges
            width_seconds = open_seconds * (number + 1) // plan.pledges - stretch_seconds
            at = plan.opens_at + timedelta(seconds=stretch_seconds + self._chance.below(width_seconds))
            for place, event in enumerate(self._pledge(number, at)):
                yield Happening(stretch_seconds, event, 1 if place == 0 else 0)

    def _owner_links(self) -> Iterator[LogEvent]:
        for network in OWNER_LINKS:
            link = self._new_link(0)
            yield self._share(self._plan.opens_at, link, f"{self._id}-owner", network, None)

    def _new_link(self, circle: int) -> Link:
        link = Link(f"{self._id}.{sum(map(len, self._links))}", circle)
        self._links[circle].append(link)
        return link

    def _pledge(self, number: int, at: datetime) -> Iterator[LogEvent]:
        """Yield what happens to a pledge, and what its backer passes on."""
        chance, rates = self._chance, self._plan.rates
        link = None if chance.happens(rates.unattributed) else self._way_here(number)
        backer = f"backer-{chance.below(number)}" if number and chance.happens(RETURNING_RATE) else f"backer-{number}"
        way = {"backer_id": backer, "share_token": None if link is None else link.token}
        yield from self._money(f"pledge-{number}", at, chance.one_of(TIERS) * self._minor, way)
        if link is not None:
            if chance.happens(VISITED_RATE):
                link.visits += 1 + chance.below(VISITS_MAX)
                yield self._visits(at, link)
            if chance.happens(rates.share):
                child = self._new_link(min(link.circle + 1, CIRCLES - 1))
                yield self._share(at, child, backer, chance.one_of(NETWORKS), link)

    def _way_here(self, number: int) -> Link:
        """Return the link of a backer: the later, the wider the circle; where nobody has opened it yet, a narrower."""
        friends, with_their_friends = CIRCLE_PERCENT[number * len(CIRCLE_PERCENT) // self._plan.pledges]
        drawn = self._chance.below(100)
        circle = 0 if drawn < friends else 1 if drawn < with_their_friends else 2
        while not self._links[circle]:
            circle -= 1
        return self._chance.one_of(self._links[circle])

    def _money(self, pledge: str, at: datetime, amount_minor: int, way: dict[str, str | None]) -> Iterator[LogEvent]:
        """Yield how a pledge is promised and paid, or is not."""
        chance, rates = self._chance, self._plan.rates
        given: dict[str, Any] = {"campaign_id": self._id, "pledge_id": pledge}
        money: dict[str, Any] = {"currency": self._plan.currency, "made_at": at, **way}
        if chance.happens(rates.fail):
            failed = PledgeFailedData(**given, attempt_id=self._payment(pledge, "attempt"), reason="card_declined")
            yield PledgeFailed(data=failed, **self._envelope(at))
        if chance.happens(rates.authorize):
            authorized = PledgeAuthorizedData(
                **given, authorization_id=self._payment(pledge, "authorization"), amount_minor=amount_minor, **money
            )
            yield PledgeAuthorized(data=authorized, **self._envelope(at))
            at += self._within(DAY)
            if chance.happens(rates.cancel):
                yield PledgeCanceled(data=PledgeCanceledData(**given), **self._envelope(at))
                return
            if chance.happens(rates.amend):
                amount_minor += chance.one_of(TIERS) * self._minor
                amended = PledgeAmendedData(**given, revision=1, amount_minor=amount_minor)
                yield PledgeAmended(data=amended, **self._envelope(at))
            if not chance.happens(rates.capture):
                return
            at += self._within(HOUR)
        captured = PledgeCapturedData(
            **given, capture_id=self._payment(pledge, "capture"), amount_minor=amount_minor, **money
        )
        yield PledgeCaptured(data=captured, **self._envelope(at))
        if chance.happens(rates.refund):
            yield from self._refund(given, at, amount_minor)
        elif chance.happens(rates.dispute / (1 - rates.refund)):
            yield from self._dispute(given, at, amount_minor)

    def _refund(self, given: dict[str, Any], at: datetime, amount_minor: int) -> Iterator[LogEvent]:
        """Yield a refund, of all or of half: begun, then ended one way or the other."""
        chance = self._chance
        if not chance.happens(FULL_REFUND_RATE):
            amount_minor = max(1, amount_minor // 2)
        last: RefundStatus = "failed" if chance.happens(FAILED_REFUND_RATE) else "succeeded"
        statuses: tuple[RefundStatus, ...] = ("pending", last)
        for status in statuses:
            at += HOUR + self._within(7 * DAY)
            refunded = PledgeRefundedData(
                **given,
                refund_id=self._payment(given["pledge_id"], "refund"),
                amount_minor=amount_minor,
                currency=self._plan.currency,
                status=status,
            )
            yield PledgeRefunded(data=refunded, **self._envelope(at))

    def _dispute(self, given: dict[str, Any], at: datetime, amount_minor: int) -> Iterator[LogEvent]:
        """Yield a dispute: opened, the money withdrawn, then lost or won."""
        ended: DisputeStatus = "lost" if self._chance.happens(LOST_RATE) else "won"
        statuses: tuple[DisputeStatus, ...] = ("open", ended)
        for status in statuses:
            at += HOUR + self._within(21 * DAY)
            disputed = PledgeDisputedData(
                **given,
                dispute_id=self._payment(given["pledge_id"], "dispute"),
                amount_minor=amount_minor,
                currency=self._plan.currency,
                status=status,
                withdrawn=status != "won",
            )
            yield PledgeDisputed(data=disputed, **self._envelope(at))

    def _share(self, at: datetime, link: Link, sharer: str, network: str, parent: Link | None) -> LogEvent:
        data = SharePostedData(
            campaign_id=self._id,
            share_token=link.token,
            sharer_id=sharer,
            network=network,
            parent_token=None if parent is None else parent.token,
        )
        return SharePosted(data=data, **self._envelope(at))

    def _visits(self, at: datetime, link: Link) -> LogEvent:
        data = ShareVisitedData(campaign_id=self._id, share_token=link.token, counter_id="site", visits=link.visits)
        return ShareVisited(data=data, **self._envelope(at))

    def _payment(self, pledge: str, kind: str) -> str:
        """Return the id of a payment's part: as at a gateway, no two campaigns have the same."""
        return f"{self._id}:{pledge}:{kind}"

    def _within(self, time: timedelta) -> timedelta:
        return self._chance.below(time // MINUTE) * MINUTE

    def _envelope(self, at: datetime) -> dict[str, Any]:
        self._events += 1
        return {
            "specversion": "1.0",
            "id": f"{self._id}:{self._events}",
            "source": f"sources/{self._plan.source}",
            "time": at,
        }
