"""What is told during a soak: a population of pledges first, then events that change it and never make it larger.

A worker's memory grows with each live pledge, by design. So that any other growth shows, the steady events are greater
amounts of authorizations that are known, greater numbers of visits by counters that are known, and repetitions: each
pledge, link, counter and fact stands in the state already.
"""

import random
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from benchmarks.events import SHARES, SOURCE, Record, campaign_ids, share_token
from schemas.events import (
    CampaignLaunched,
    CampaignLaunchedData,
    LogEvent,
    PledgeAuthorized,
    PledgeAuthorizedData,
    PledgeCaptured,
    PledgeCapturedData,
    PledgeRefunded,
    PledgeRefundedData,
    SharePosted,
    SharePostedData,
    ShareVisited,
    ShareVisitedData,
    encode,
)
from schemas.fields import RefundStatus

RAISED: Final = 0.5
"""The share of steady events that raise an authorization: each is a ledger entry."""

REPEATED: Final = 0.25
"""The share that repeats one of the last `_REPEATED_OF` events, byte for byte; the rest are visits."""

_REPEATED_OF: Final = 2_000
_CAPTURED_EVERY: Final = 2
_REFUNDED_EVERY: Final = 10
_REFUND_STATUSES: Final[tuple[RefundStatus, ...]] = ("succeeded", "failed", "pending")
_BACKERS: Final = 30
_RAISE_MINOR_MAX: Final = 100
_AMOUNT_MINOR: Final = range(500, 20_000)
_CURRENCY: Final = "EUR"
_RUNS_FOR: Final = timedelta(days=60)
_BETWEEN: Final = timedelta(microseconds=50)
"""Between the times of two events: they never run ahead of the clock, however fast they are posted."""


class Traffic:
    """The events of one soak that begins at this moment, the same for the same seed."""

    def __init__(self, campaigns: int, pledges: int, seed: int, began_at: datetime) -> None:
        """`pledges`: of each campaign."""
        self._campaign_ids = campaign_ids(campaigns)
        self._pledges = pledges
        self._chance = random.Random(seed)
        self._began_at = began_at
        self._number = 0
        self._amounts_minor = [self._chance.choice(_AMOUNT_MINOR) for _ in range(campaigns * pledges)]
        self._open = [number for number in range(campaigns * pledges) if number % _CAPTURED_EVERY]
        self._visits = [0] * campaigns
        self._recent: deque[bytes] = deque(maxlen=_REPEATED_OF)

    def openings(self) -> Iterator[Record]:
        """Yield each campaign's launch and links: every third link is the owner's, the others below the one before."""
        for campaign_id in self._campaign_ids:
            yield Record(campaign_id.encode(), encode(self._launch(campaign_id)))
            for number in range(SHARES):
                yield Record(campaign_id.encode(), encode(self._share(campaign_id, number)))

    def population(self) -> Iterator[bytes]:
        """Yield an authorization of every pledge, a final capture of every second, a refund of every tenth."""
        for number in range(len(self._amounts_minor)):
            yield encode(self._authorization(number))
            if number % _CAPTURED_EVERY == 0:
                yield encode(self._capture(number))
            if number % _REFUNDED_EVERY == 0:
                yield encode(self._refund(number))

    def steady(self) -> Iterator[bytes]:
        """Yield events without end that leave the number of pledges, links and facts as it is."""
        while True:
            kind = self._chance.random()
            if kind < RAISED:
                number = self._chance.choice(self._open)
                self._amounts_minor[number] += 1 + self._chance.randrange(_RAISE_MINOR_MAX)
                value = encode(self._authorization(number))
            elif kind < RAISED + REPEATED and self._recent:
                yield self._chance.choice(self._recent)
                continue
            else:
                value = encode(self._visit(self._chance.randrange(len(self._campaign_ids))))
            self._recent.append(value)
            yield value

    def _launch(self, campaign_id: str) -> LogEvent:
        data = CampaignLaunchedData(
            campaign_id=campaign_id,
            title="Les Anges Anonymes",
            owner_id=f"owner-{campaign_id}",
            currency=_CURRENCY,
            goal_minor=self._pledges * _AMOUNT_MINOR.stop // 2,
            opens_at=self._began_at - timedelta(days=1),
            closes_at=self._began_at + _RUNS_FOR,
            timezone="Europe/Paris",
            sources=[SOURCE],
        )
        return CampaignLaunched(
            specversion="1.0", id=f"launch-{campaign_id}", source="admin", time=self._began_at, data=data
        )

    def _share(self, campaign_id: str, number: int) -> LogEvent:
        data = SharePostedData(
            campaign_id=campaign_id,
            share_token=share_token(campaign_id, number),
            sharer_id=f"sharer-{number}",
            network="mastodon",
            parent_token=share_token(campaign_id, number - 1) if number % 3 else None,
        )
        return SharePosted(
            specversion="1.0", id=f"share-{campaign_id}-{number}", source=SOURCE, time=self._began_at, data=data
        )

    def _authorization(self, number: int) -> LogEvent:
        campaign_id = self._campaign_of(number)
        data = PledgeAuthorizedData(
            campaign_id=campaign_id,
            pledge_id=f"pl_{number:012x}",
            authorization_id=f"pi_{number:012x}",
            amount_minor=self._amounts_minor[number],
            currency=_CURRENCY,
            made_at=self._made_at(number),
            backer_id=f"backer-{number % _BACKERS}",
            share_token=self._token_of(number),
        )
        return PledgeAuthorized(specversion="1.0", source=SOURCE, data=data, **self._next())

    def _capture(self, number: int) -> LogEvent:
        data = PledgeCapturedData(
            campaign_id=self._campaign_of(number),
            pledge_id=f"pl_{number:012x}",
            capture_id=f"ch_{number:012x}",
            amount_minor=self._amounts_minor[number],
            currency=_CURRENCY,
            made_at=self._made_at(number),
            backer_id=f"backer-{number % _BACKERS}",
            share_token=self._token_of(number),
        )
        return PledgeCaptured(specversion="1.0", source=SOURCE, data=data, **self._next())

    def _refund(self, number: int) -> LogEvent:
        data = PledgeRefundedData(
            campaign_id=self._campaign_of(number),
            pledge_id=f"pl_{number:012x}",
            refund_id=f"re_{number:012x}",
            amount_minor=self._amounts_minor[number] // 2,
            currency=_CURRENCY,
            status=_REFUND_STATUSES[number // _REFUNDED_EVERY % len(_REFUND_STATUSES)],
        )
        return PledgeRefunded(specversion="1.0", source=SOURCE, data=data, **self._next())

    def _visit(self, campaign: int) -> LogEvent:
        self._visits[campaign] += 1
        campaign_id = self._campaign_ids[campaign]
        data = ShareVisitedData(
            campaign_id=campaign_id,
            share_token=share_token(campaign_id, self._visits[campaign] % SHARES),
            counter_id="counter-1",
            visits=self._visits[campaign],
        )
        return ShareVisited(specversion="1.0", source=SOURCE, data=data, **self._next())

    def _campaign_of(self, number: int) -> str:
        return self._campaign_ids[number // self._pledges]

    def _token_of(self, number: int) -> str | None:
        """Every third pledge came by no link."""
        return share_token(self._campaign_of(number), number % SHARES) if number % 3 else None

    def _made_at(self, number: int) -> datetime:
        """The same in every sighting of a pledge, so that none moves to another day."""
        return self._began_at - timedelta(seconds=number % 86_400)

    def _next(self) -> dict[str, Any]:
        self._number += 1
        return {"id": f"evt_{self._number:015x}", "time": self._began_at + self._number * _BETWEEN}
