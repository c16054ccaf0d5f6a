"""From rows to answers about campaigns. Every function reads from the one snapshot that its connection holds open."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    String,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql

from readers import answers
from readers.positions import Cursor, Position
from readers.progress import read_progress
from readers.snapshots import QuestionAbout
from schemas.fields import CIRCLES, AnyCircle
from schemas.money import format_amount
from schemas.tables import (
    DAY_TOTALS,
    campaign_totals,
    campaigns,
    circle_totals,
    ledger_entries,
    milestones,
    reward_totals,
)

# A campaign has its row of totals from the update that launched it on. The goal is the one that percent was made with.
_CAMPAIGNS: Final[Select[Any]] = select(
    campaign_totals,
    campaigns.c.title,
    campaigns.c.status,
    campaigns.c.goal_basis,
    campaigns.c.funding_model,
    campaigns.c.stretch_goals,
    campaigns.c.opens_at,
    campaigns.c.closes_at,
    campaigns.c.settle_hours,
    campaigns.c.timezone,
    campaigns.c.revision,
).join_from(campaign_totals, campaigns, campaign_totals.c.campaign_id == campaigns.c.campaign_id)

# Made once: making a statement takes longer than running it.
_CAMPAIGN: Final = _CAMPAIGNS.where(campaign_totals.c.campaign_id == bindparam("campaign_id"))
_REWARD_TERMS: Final = select(campaigns.c.rewards).where(campaigns.c.campaign_id == bindparam("campaign_id"))
_REWARDS: Final = select(reward_totals).where(reward_totals.c.campaign_id == bindparam("campaign_id"))


class _Circle(Struct, array_like=True, frozen=True):
    """What is stored of a circle."""

    circle: AnyCircle
    pledged_minor: int
    collected_minor: int
    backers: int


_CIRCLE_COLUMNS: Final = tuple(circle_totals.c[name] for name in _Circle.__struct_fields__)
_CIRCLES: Final = select(*_CIRCLE_COLUMNS).where(circle_totals.c.campaign_id == bindparam("campaign_id"))


class _Totals(Struct, array_like=True, frozen=True):
    """All that an answer about circles takes, and none of what costs time to read: texts, moments."""

    campaign_id: str
    partition_number: int
    position_offset: int
    complete: bool | int
    gap_offset: int | None
    currency: str
    goal_minor: int
    pledged_minor: int
    collected_minor: int
    over_returned_minor: int
    late_minor: int
    percent: int
    backers: int
    has_terms: bool | int
    circles: list[_Circle] | None


_decode_totals: Final = msgspec.json.Decoder(list[_Totals]).decode


_Function = Callable[..., ColumnElement[Any]]


def _totals_with_circles(gather: _Function, one: _Function, nested: _Function) -> Select[Any]:
    """Return the statement, with a database's own functions for JSON: a list of rows, one of columns, a list in it.

    All is one value in one row: each row costs the thread that fetches it its turn, and each column its conversion.
    """
    circles = (
        select(gather(one(*_CIRCLE_COLUMNS)))
        .where(circle_totals.c.campaign_id == campaign_totals.c.campaign_id)
        .scalar_subquery()
    )
    columns: dict[str, ColumnElement[Any]] = {
        **campaign_totals.c,
        "has_terms": campaigns.c.campaign_id.is_not(None),
        "circles": nested(circles),
    }
    return select(cast(gather(one(*(columns[name] for name in _Totals.__struct_fields__))), Text)).outerjoin_from(
        campaign_totals, campaigns, campaign_totals.c.campaign_id == campaigns.c.campaign_id
    )


_CIRCLES_OF_MANY: Final = {
    # The ids as one value, however many there are: the statement stays the same, and prepared.
    "postgresql": _totals_with_circles(func.json_agg, func.json_build_array, lambda circles: circles).where(
        campaign_totals.c.campaign_id == any_(bindparam("campaign_ids", type_=postgresql.ARRAY(String)))
    ),
    "sqlite": _totals_with_circles(func.json_group_array, func.json_array, func.json).where(
        campaign_totals.c.campaign_id.in_(bindparam("campaign_ids", expanding=True))
    ),
}


class CampaignUnknownError(LookupError):
    """No campaign of that id is stored."""


def read_campaigns(
    connection: Connection, *, status: str | None, after_id: str | None, limit: int
) -> answers.Campaigns:
    """Return the campaigns whose ids follow `after_id`, those of one status if it is named, at most `limit`."""
    query = _CAMPAIGNS.order_by(campaign_totals.c.campaign_id).limit(limit + 1)
    if status is not None:
        query = query.where(campaigns.c.status == status)
    if after_id is not None:
        query = query.where(campaign_totals.c.campaign_id > after_id)
    rows = connection.execute(query).all()
    page = rows[:limit]
    progress = sorted(read_progress(connection).items())
    return answers.Campaigns(
        as_of=[str(Position(partition, far.next_offset - 1)) for partition, far in progress if far.next_offset > 0],
        campaigns=[
            answers.CampaignSummary(
                **standing(row),
                title=row.title,
                status=row.status,
                opens_at=row.opens_at,
                closes_at=row.closes_at,
                totals=totals_of(row),
            )
            for row in page
        ],
        next_cursor=page[-1].campaign_id if len(rows) > limit else None,
    )


def read_campaign(connection: Connection, campaign_id: str) -> answers.Campaign:
    """Return one campaign. Raises CampaignUnknownError."""
    row = find_campaign(connection, campaign_id)
    return answers.Campaign(
        **standing(row),
        status=row.status,
        terms=answers.Terms(
            title=row.title,
            goal_basis=row.goal_basis,
            funding_model=row.funding_model,
            stretch_goals=[
                answers.StretchGoal(
                    stretch_goal_id=goal["stretch_goal_id"],
                    title=goal["title"],
                    amount_minor=goal["amount_minor"],
                    amount=format_amount(goal["amount_minor"], row.currency),
                )
                for goal in row.stretch_goals
            ],
            opens_at=row.opens_at,
            closes_at=row.closes_at,
            settle_hours=row.settle_hours,
            timezone=row.timezone,
            revision=row.revision,
        ),
        totals=totals_of(row),
        circles=_circles(connection.execute(_CIRCLES, {"campaign_id": campaign_id}), row.currency),
        unattributed=row.unattributed,
    )


def circles_of(campaign_id: str) -> QuestionAbout[_Totals, answers.Circles]:
    """Return the question for a campaign's circles. Its answer raises CampaignUnknownError."""
    return QuestionAbout(_find_circles, _tell_circles, campaign_id)


def _find_circles(connection: Connection, campaign_ids: Sequence[str]) -> dict[str, _Totals]:
    """Return each campaign's totals, with its circles."""
    found = connection.execute(_CIRCLES_OF_MANY[connection.dialect.name], {"campaign_ids": campaign_ids}).scalar_one()
    return {totals.campaign_id: totals for totals in _decode_totals(found or "[]")}


def _tell_circles(campaign_id: str, totals: _Totals | None) -> answers.Circles:
    if totals is None or not totals.has_terms:
        raise _unknown(campaign_id, totals)
    return answers.Circles(
        **standing(totals), totals=totals_of(totals), circles=_circles(totals.circles or (), totals.currency)
    )


def read_days(connection: Connection, campaign_id: str) -> answers.Days:
    """Return a campaign's days, all of them: no event is older than 2009, so there are some thousands at the most.

    Raises CampaignUnknownError.
    """
    row = find_campaign(connection, campaign_id)
    days = connection.execute(
        select(DAY_TOTALS).where(DAY_TOTALS.c.campaign_id == campaign_id).order_by(DAY_TOTALS.c.day)
    )
    return answers.Days(
        **standing(row),
        timezone=row.timezone,
        totals=totals_of(row),
        days=[answers.Day(day=day.day, **amounts(day, row.currency)) for day in days],
    )


def read_rewards(connection: Connection, campaign_id: str) -> answers.Rewards:
    """Return a campaign's rewards, all of them: terms name 50 at the most. Raises CampaignUnknownError."""
    row = find_campaign(connection, campaign_id)
    which = {"campaign_id": campaign_id}
    stored = {one.reward_id: one for one in connection.execute(_REWARDS, which)}
    return answers.Rewards(
        **standing(row),
        claims=sum(one.claimed for one in stored.values()) + row.unknown_reward_claims,
        unknown_reward_claims=row.unknown_reward_claims,
        rewards=[
            answers.Reward(
                reward_id=terms["reward_id"],
                title=terms.get("title"),
                quantity=terms.get("quantity"),
                claimed=stored[terms["reward_id"]].claimed,
                claims_left=stored[terms["reward_id"]].claims_left,
                exhausted_claims=stored[terms["reward_id"]].exhausted_claims,
            )
            for terms in connection.execute(_REWARD_TERMS, which).scalar_one()
        ],
    )


def read_milestones(connection: Connection, campaign_id: str, *, after: Cursor, limit: int) -> answers.Milestones:
    """Return a campaign's milestones after that place, at most `limit`. Raises CampaignUnknownError."""
    campaign = find_campaign(connection, campaign_id)
    rows, more = _page(connection, milestones, "milestone_number", campaign_id, after=after, limit=limit)
    return answers.Milestones(
        **standing(campaign),
        currency=campaign.currency,
        milestones=[milestone(row, campaign.currency) for row in rows],
        next_cursor=str(Cursor(rows[-1].log_offset, rows[-1].milestone_number)) if more else None,
    )


def read_entries(connection: Connection, campaign_id: str, *, after: Cursor, limit: int) -> answers.Entries:
    """Return a campaign's ledger entries after that place, at most `limit`. Raises CampaignUnknownError."""
    campaign = find_campaign(connection, campaign_id)
    rows, more = _page(connection, ledger_entries, "entry_number", campaign_id, after=after, limit=limit)
    return answers.Entries(
        **standing(campaign),
        totals=totals_of(campaign),
        entries=[entry(row, campaign.currency) for row in rows],
        next_cursor=str(Cursor(rows[-1].log_offset, rows[-1].entry_number)) if more else None,
    )


def entry(row: Row[Any], currency: str) -> answers.Entry:
    """Return a row of `ledger_entries` as the API shows it."""
    return answers.Entry(
        position=str(Position(row.partition_number, row.log_offset)),
        number=row.entry_number,
        event_id=row.event_id,
        event_type=row.event_type,
        occurred_at=row.occurred_at,
        pledge_id=row.pledge_id,
        circle=row.circle,
        day=row.day,
        reward_exhausted=row.reward_exhausted,
        **amounts(row, currency),
    )


def milestone(row: Row[Any], currency: str) -> answers.Milestone:
    """Return a row of `milestones` as the API shows it."""
    return answers.Milestone(
        type=row.type,
        position=str(Position(row.partition_number, row.log_offset)),
        event_id=row.event_id,
        occurred_at=row.occurred_at,
        step=row.step,
        occurrence=row.occurrence,
        stretch_goal_id=row.stretch_goal_id,
        circle=row.circle,
        narrower_circle=row.narrower_circle,
        threshold_minor=row.threshold_minor,
        threshold=format_amount(row.threshold_minor, currency),
        total_minor=row.total_minor,
        total=format_amount(row.total_minor, currency),
    )


def amounts(row: Row[Any] | _Totals, currency: str) -> dict[str, Any]:
    """Return the fields of `answers.Amounts`."""
    return {
        "pledged_minor": row.pledged_minor,
        "pledged": format_amount(row.pledged_minor, currency),
        "collected_minor": row.collected_minor,
        "collected": format_amount(row.collected_minor, currency),
    }


def find_campaign(connection: Connection, campaign_id: str) -> Row[Any]:
    """Return a campaign's terms and totals. Raises CampaignUnknownError."""
    row = connection.execute(_CAMPAIGN, {"campaign_id": campaign_id}).one_or_none()
    if row is None:
        marked = select(campaign_totals.c.partition_number, campaign_totals.c.gap_offset)
        found = connection.execute(marked.where(campaign_totals.c.campaign_id == campaign_id)).one_or_none()
        raise _unknown(campaign_id, found)
    return row


def _unknown(campaign_id: str, marked: Row[*tuple[Any, ...]] | _Totals | None) -> CampaignUnknownError:
    """Return what to say of a campaign without terms, of which the database has nothing or only that it has a gap."""
    if marked is None:
        return CampaignUnknownError(f"no campaign {campaign_id!r} is stored")
    return CampaignUnknownError(
        f"the terms of campaign {campaign_id!r} are missing: it has a gap at {_gap_at(marked)} that is not repaired yet"
    )


def _gap_at(row: Row[*tuple[Any, ...]] | _Totals) -> str | None:
    """Return the position from which on a campaign's updates are missing, if any are."""
    return None if row.gap_offset is None else str(Position(row.partition_number, row.gap_offset))


def _page(
    connection: Connection, table: Table, number: str, campaign_id: str, *, after: Cursor, limit: int
) -> tuple[list[Row[Any]], bool]:
    """Return up to `limit` rows after that place, and whether there are more."""
    place = tuple_(table.c.log_offset, table.c[number])
    query = (
        select(table)
        .where(table.c.campaign_id == campaign_id, place > (after.offset, after.number))
        .order_by(table.c.log_offset, table.c[number])
        .limit(limit + 1)
    )
    rows = list(connection.execute(query))
    return rows[:limit], len(rows) > limit


def standing(row: Row[Any] | _Totals) -> dict[str, Any]:
    """Return the fields of `answers.Standing`."""
    return {
        "campaign_id": row.campaign_id,
        "as_of": str(Position(row.partition_number, row.position_offset)),
        "complete": bool(row.complete),
        "gap_at": _gap_at(row),
    }


def totals_of(row: Row[Any] | _Totals) -> answers.Totals:
    """Return a campaign's totals as the API shows them."""
    return answers.Totals(
        currency=row.currency,
        goal_minor=row.goal_minor,
        goal=format_amount(row.goal_minor, row.currency),
        over_returned_minor=row.over_returned_minor,
        over_returned=format_amount(row.over_returned_minor, row.currency),
        late_minor=row.late_minor,
        late=format_amount(row.late_minor, row.currency),
        percent=row.percent,
        backers=row.backers,
        **amounts(row, row.currency),
    )


def _circles(stored: Iterable[Row[Any] | _Circle], currency: str) -> list[answers.Circle]:
    """Return all circles in their order, those without a row with zeros, so that the list always has the same form."""
    stored_of = {row.circle: (row.pledged_minor, row.collected_minor, row.backers) for row in stored}
    return [_circle(name, *stored_of.get(name, (0, 0, 0)), currency) for name in CIRCLES]


def _circle(name: AnyCircle, pledged_minor: int, collected_minor: int, backers: int, currency: str) -> answers.Circle:
    return answers.Circle(
        circle=name,
        pledged_minor=pledged_minor,
        pledged=format_amount(pledged_minor, currency),
        collected_minor=collected_minor,
        collected=format_amount(collected_minor, currency),
        backers=backers,
    )
