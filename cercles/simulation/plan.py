"""What is to be simulated: how much of what. A plan decides every byte of its story."""

import hashlib
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from schemas.fields import Currency, Identifier

CAMPAIGNS_MAX: Final = 100_000
PLEDGES_MAX: Final = 10_000_000
DAYS_MAX: Final = 365
OPENS_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""A fixed day, since a story that begins today would be another one tomorrow."""

STORY_VERSION: Final = 1
"""Goes up with every change of what a plan's story says: a story told otherwise is one of other campaigns."""

OPEN_FOR: Final = timedelta(days=9 * 365)
"""From a campaign's opening to its deadline: far beyond its story, and within what doors take. Were the deadline past,
the clock would close the campaign with whatever has arrived by then: its outcome would depend on when it is sent."""

AFTERMATH: Final = timedelta(days=60)
"""Longest time after the deadline that something of a pledge happens."""

_DIGEST_HEX_DIGITS: Final = 10
_T = TypeVar("_T")

Rate = Annotated[float, Meta(ge=0, le=1)]
"""A share of the things that it is said of, from 0 to 1."""


class Rates(Struct, frozen=True, kw_only=True):
    """How often things happen.

    `authorize`: pledges that are promised first and paid later; `fail`: pledges whose first attempt fails. `cancel` and
    `amend`: authorized pledges that are withdrawn, or get another amount; `capture`: those not canceled that are paid.
    `refund` and `dispute`: paid pledges that are given back, or asked back by a bank. `share`: backers who came by a
    link and pass on one of their own. `unattributed`: pledges that come by no link. `repeat`: events that arrive a
    second time; `disorder`: events that arrive late.
    """

    authorize: Rate = 0.5
    fail: Rate = 0.05
    cancel: Rate = 0.05
    amend: Rate = 0.02
    capture: Rate = 0.9
    refund: Rate = 0.05
    dispute: Rate = 0.01
    share: Rate = 0.2
    unattributed: Rate = 0.1
    repeat: Rate = 0.05
    disorder: Rate = 0.05

    def __post_init__(self) -> None:
        if self.refund + self.dispute > 1:
            raise ValueError("a pledge is refunded or disputed, not both: the two rates add up to at most 1")


class Plan(Struct, frozen=True, kw_only=True):
    """Campaigns with so many pledges each, which `source` (a name of the gateway's settings) vouches for."""

    seed: int
    campaigns: Annotated[int, Meta(ge=1, le=CAMPAIGNS_MAX)] = 1
    pledges: Annotated[int, Meta(ge=0, le=PLEDGES_MAX)] = 200
    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)] = 30
    opens_at: datetime = OPENS_AT
    currency: Currency = "EUR"
    source: Identifier = "example"
    rates: Rates = Rates()

    @property
    def closes_at(self) -> datetime:
        """The deadline of every campaign."""
        return self.opens_at + OPEN_FOR

    @property
    def ends_at(self) -> datetime:
        """When the last thing may happen."""
        return self.opens_at + timedelta(days=self.days) + AFTERMATH

    def campaign_id(self, number: int) -> str:
        """Return the id of a campaign. Another plan, or version, has other ids, so that no two stories contradict."""
        digest = hashlib.sha256(msgspec.json.encode((STORY_VERSION, self))).hexdigest()[:_DIGEST_HEX_DIGITS]
        return f"simulated-{digest}-{number}"


class Chance:
    """Chance from a seed, the same in every process and on every machine.

    It rests on `random.Random.random` alone, the one method that Python promises to keep (its documentation of
    `random`, "Notes on Reproducibility").
    """

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def happens(self, rate: float) -> bool:
        """Return whether something of that rate happens this time."""
        return self._random.random() < rate

    def below(self, end: int) -> int:
        """Return a whole number from 0 to below `end`."""
        return int(self._random.random() * end)

    def one_of(self, values: Sequence[_T]) -> _T:
        """Return one of the values."""
        return values[self.below(len(values))]
