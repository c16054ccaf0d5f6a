"""From rows to answers about campaigns. Every function reads from the one snapshot that its connection holds open."""

from typing import Any, Final

from sqlalchemy import Connection, Row, Select, Table, bindparam, select, tuple_

from readers import answers
from readers.positions import Cursor, Position
from readers.progress import read_progress
from schemas.fields import CIRCLES
from schemas.money import format_amount
from schemas.tables import DAY_TOTALS, campaign_totals, campaigns, circle_totals, ledger_entries, milestones

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
_CIRCLES: Final = select(circle_totals).where(circle_totals.c.campaign_id == bindparam("campaign_id"))


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
                **_standing(row),
                title=row.title,
                status=row.status,
                opens_at=row.opens_at,
                closes_at=row.closes_at,
                totals=_totals(row),
            )
            for row in page
        ],
        next_cursor=page[-1].campaign_id if len(rows) > limit else None,
    )


def read_campaign(connection: Connection, campaign_id: str) -> answers.Campaign:
    """Return one campaign. Raises CampaignUnknownError."""
    row = _campaign(connection, campaign_id)
    return answers.Campaign(
        **_standing(row),
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
        totals=_totals(row),
        circles=_circles(connection, row),
        unattributed=row.unattributed,
    )


def read_circles(connection: Connection, campaign_id: str) -> answers.Circles:
    """Return a campaign's circles. Raises CampaignUnknownError."""
    row = _campaign(connection, campaign_id)
    return answers.Circles(**_standing(row), totals=_totals(row), circles=_circles(connection, row))


def read_days(connection: Connection, campaign_id: str) -> answers.Days:
    """Return a campaign's days, all of them: no event is older than 2009, so there are some thousands at the most.

    Raises CampaignUnknownError.
    """
    row = _campaign(connection, campaign_id)
    days = connection.execute(
        select(DAY_TOTALS).where(DAY_TOTALS.c.campaign_id == campaign_id).order_by(DAY_TOTALS.c.day)
    )
    return answers.Days(
        **_standing(row),
        timezone=row.timezone,
        totals=_totals(row),
        days=[answers.Day(day=day.day, **amounts(day, row.currency)) for day in days],
    )


def read_milestones(connection: Connection, campaign_id: str, *, after: Cursor, limit: int) -> answers.Milestones:
    """Return a campaign's milestones after that place, at most `limit`. Raises CampaignUnknownError."""
    campaign = _campaign(connection, campaign_id)
    rows, more = _page(connection, milestones, "milestone_number", campaign_id, after=after, limit=limit)
    return answers.Milestones(
        **_standing(campaign),
        currency=campaign.currency,
        milestones=[
            answers.Milestone(
                type=row.type,
                position=str(Position(row.partition_number, row.log_offset)),
                event_id=row.event_id,
                occurred_at=row.occurred_at,
                step=row.step,
                occurrence=row.occurrence,
                stretch_goal_id=row.stretch_goal_id,
                threshold_minor=row.threshold_minor,
                threshold=format_amount(row.threshold_minor, campaign.currency),
                total_minor=row.total_minor,
                total=format_amount(row.total_minor, campaign.currency),
            )
            for row in rows
        ],
        next_cursor=str(Cursor(rows[-1].log_offset, rows[-1].milestone_number)) if more else None,
    )


def read_entries(connection: Connection, campaign_id: str, *, after: Cursor, limit: int) -> answers.Entries:
    """Return a campaign's ledger entries after that place, at most `limit`. Raises CampaignUnknownError."""
    campaign = _campaign(connection, campaign_id)
    rows, more = _page(connection, ledger_entries, "entry_number", campaign_id, after=after, limit=limit)
    return answers.Entries(
        **_standing(campaign),
        totals=_totals(campaign),
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
        **amounts(row, currency),
    )


def amounts(row: Row[Any], currency: str) -> dict[str, Any]:
    """Return the fields of `answers.Amounts`."""
    return {
        "pledged_minor": row.pledged_minor,
        "pledged": format_amount(row.pledged_minor, currency),
        "collected_minor": row.collected_minor,
        "collected": format_amount(row.collected_minor, currency),
    }


def _campaign(connection: Connection, campaign_id: str) -> Row[Any]:
    row = connection.execute(_CAMPAIGN, {"campaign_id": campaign_id}).one_or_none()
    if row is not None:
        return row
    gap = connection.execute(
        select(campaign_totals.c.partition_number, campaign_totals.c.gap_offset).where(
            campaign_totals.c.campaign_id == campaign_id
        )
    ).one_or_none()
    if gap is None:
        raise CampaignUnknownError(f"no campaign {campaign_id!r} is stored")
    raise CampaignUnknownError(
        f"the terms of campaign {campaign_id!r} are missing: it has a gap at {Position(*gap)} that is not repaired yet"
    )


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


def _standing(row: Row[Any]) -> dict[str, Any]:
    gap = row.gap_offset
    return {
        "campaign_id": row.campaign_id,
        "as_of": str(Position(row.partition_number, row.position_offset)),
        "complete": row.complete,
        "gap_at": None if gap is None else str(Position(row.partition_number, gap)),
    }


def _totals(row: Row[Any]) -> answers.Totals:
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


def _circles(connection: Connection, campaign: Row[Any]) -> list[answers.Circle]:
    """Return all circles in their order, those without a row with zeros, so that the list always has the same form."""
    rows = connection.execute(_CIRCLES, {"campaign_id": campaign.campaign_id})
    by_name = {row.circle: row for row in rows}
    nothing = format_amount(0, campaign.currency)
    return [
        answers.Circle(circle=name, backers=by_name[name].backers, **amounts(by_name[name], campaign.currency))
        if name in by_name
        else answers.Circle(
            circle=name, pledged_minor=0, pledged=nothing, collected_minor=0, collected=nothing, backers=0
        )
        for name in CIRCLES
    ]
