"""One campaign with everything that moves in it, from one snapshot."""

from collections.abc import Iterable
from datetime import date, datetime
from itertools import groupby
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import BigInteger, BindParameter, Connection, Row, bindparam, cast, func, select

from readers import answers
from readers.queries import CampaignUnknownError, amounts, milestone, read_campaign
from readers.shares import read_circles_shared
from schemas.fields import CIRCLES, AnyCircle
from schemas.money import format_amount
from schemas.tables import campaign_totals, ledger_entries, milestones

MILESTONES_MAX: Final = 100
"""Most milestones of a whole campaign: the last ones. A goal of one cent can be overfunded a million times."""


class CircleShare(answers.Amounts, frozen=True, kw_only=True):
    """A circle's part of a day."""

    circle: AnyCircle


class WholeDay(answers.Day, frozen=True, kw_only=True):
    """One day, and its parts by circle, from the narrowest to the widest; circles without any part are left out."""

    circles: list[CircleShare]


class WholeCampaign(answers.Campaign, frozen=True, kw_only=True):
    """One campaign with its days and its last milestones. The days' sums are the campaign's, as the circles' are."""

    last_change_at: Annotated[
        datetime | None, Meta(description="When the last event that the ledger has an entry of happened")
    ]
    shared: list[answers.CircleShared]
    days: list[WholeDay]
    milestones: Annotated[list[answers.Milestone], Meta(description=f"The last ones, at most {MILESTONES_MAX}")]
    milestones_before: Annotated[int, Meta(description="How many there are before those")]


class Look(Struct, frozen=True):
    """A whole campaign, and the mark that tells whether it has changed since."""

    mark: tuple[Any, ...]
    campaign: WholeCampaign


_ID: Final[BindParameter[str]] = bindparam("campaign_id")
_MARK: Final = select(campaign_totals).where(campaign_totals.c.campaign_id == _ID)
_LAST_CHANGE: Final = (
    select(ledger_entries.c.occurred_at)
    .where(ledger_entries.c.campaign_id == _ID)
    .order_by(ledger_entries.c.log_offset.desc(), ledger_entries.c.entry_number.desc())
    .limit(1)
)
# The view `day_totals`, one dimension finer. PostgreSQL adds bigints up to a numeric.
_DAYS: Final = (
    select(
        ledger_entries.c.day,
        ledger_entries.c.circle,
        cast(func.sum(ledger_entries.c.pledged_minor), BigInteger).label("pledged_minor"),
        cast(func.sum(ledger_entries.c.collected_minor), BigInteger).label("collected_minor"),
    )
    .where(ledger_entries.c.campaign_id == _ID, ledger_entries.c.day.is_not(None))
    .group_by(ledger_entries.c.day, ledger_entries.c.circle)
    .order_by(ledger_entries.c.day)
)
_MILESTONES: Final = (
    select(milestones)
    .where(milestones.c.campaign_id == _ID)
    .order_by(milestones.c.log_offset.desc(), milestones.c.milestone_number.desc())
    .limit(MILESTONES_MAX)
)
_MILESTONE_COUNT: Final = select(func.count()).select_from(milestones).where(milestones.c.campaign_id == _ID)


def read_whole(connection: Connection, campaign_id: str) -> WholeCampaign:
    """Return one campaign, whole. Raises CampaignUnknownError."""
    campaign = read_campaign(connection, campaign_id)
    which = {"campaign_id": campaign_id}
    last = list(reversed(connection.execute(_MILESTONES, which).all()))
    currency = campaign.totals.currency
    return WholeCampaign(
        **msgspec.structs.asdict(campaign),
        last_change_at=connection.execute(_LAST_CHANGE, which).scalar_one_or_none(),
        shared=read_circles_shared(connection, campaign_id, currency),
        days=[
            _day(day, list(parts), currency)
            for day, parts in groupby(connection.execute(_DAYS, which), key=lambda row: row.day)
        ],
        milestones=[milestone(row, currency) for row in last],
        milestones_before=connection.execute(_MILESTONE_COUNT, which).scalar_one() - len(last),
    )


def look_at(connection: Connection, campaign_id: str) -> Look:
    """Return the campaign as it now is. Raises CampaignUnknownError.

    The mark is all of the campaign's row of totals: each update that is stored moves its position. A repair may not,
    nor change anything else in that row: so a look that is kept has to be made anew from time to time.
    """
    row = connection.execute(_MARK, {"campaign_id": campaign_id}).one_or_none()
    if row is None:
        raise CampaignUnknownError(f"no campaign {campaign_id!r} is stored")
    return Look(tuple(row), read_whole(connection, campaign_id))


def look_again(connection: Connection, campaign_id: str, last: Look) -> Look:
    """Return the campaign as it now is: the last look itself if nothing has changed. Raises CampaignUnknownError."""
    row = connection.execute(_MARK, {"campaign_id": campaign_id}).one_or_none()
    return last if row is not None and tuple(row) == last.mark else look_at(connection, campaign_id)


def _day(day: date, parts: Iterable[Row[Any]], currency: str) -> WholeDay:
    by_circle = {part.circle: part for part in parts}
    pledged_minor = sum(part.pledged_minor for part in by_circle.values())
    collected_minor = sum(part.collected_minor for part in by_circle.values())
    return WholeDay(
        day=day,
        pledged_minor=pledged_minor,
        pledged=format_amount(pledged_minor, currency),
        collected_minor=collected_minor,
        collected=format_amount(collected_minor, currency),
        circles=[
            CircleShare(circle=circle, **amounts(by_circle[circle], currency))
            for circle in CIRCLES
            if circle in by_circle and (by_circle[circle].pledged_minor or by_circle[circle].collected_minor)
        ],
    )
