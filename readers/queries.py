"""From rows to answers about campaigns. Every function reads from the one snapshot that its connection holds open."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, String, Table, any_, bindparam, select, tuple_
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
_CIRCLE_COLUMNS: Final = (
    circle_totals.c.circle,
    circle_totals.c.pledged_minor.label("circle_pledged_minor"),
    circle_totals.c.collected_minor.label("circle_collected_minor"),
    circle_totals.c.backers.label("circle_backers"),
)
_CIRCLES: Final = select(*_CIRCLE_COLUMNS).where(circle_totals.c.campaign_id == bindparam("campaign_id"))

_REWARD_TERMS: Final = select(campaigns.c.rewards).where(campaigns.c.campaign_id == bindparam("campaign_id"))
_REWARDS: Final = select(reward_totals).where(reward_totals.c.campaign_id == bindparam("campaign_id"))

# All that an answer about circles takes, and none of what costs time to read: texts, moments, JSON. The terms are
# joined because a campaign without them is not shown.
_TOTALS_AND_CIRCLES: Final[Select[Any]] = (
    select(
        campaign_totals.c.campaign_id,
        campaign_totals.c.partition_number,
        campaign_totals.c.position_offset,
        campaign_totals.c.complete,
        campaign_totals.c.gap_offset,
        campaign_totals.c.currency,
        campaign_totals.c.goal_minor,
        campaign_totals.c.pledged_minor,
        campaign_totals.c.collected_minor,
        campaign_totals.c.over_returned_minor,
        campaign_totals.c.late_minor,
        campaign_totals.c.percent,
        campaign_totals.c.backers,
        *_CIRCLE_COLUMNS,
    )
    .join_from(campaign_totals, campaigns, campaign_totals.c.campaign_id == campaigns.c.campaign_id)
    .outerjoin(circle_totals, campaign_totals.c.campaign_id == circle_totals.c.campaign_id)
)
_CIRCLES_OF_MANY: Final = {
    # As one value, however many there are: the statement stays the same, and prepared.
    "postgresql": _TOTALS_AND_CIRCLES.where(
        campaign_totals.c.campaign_id == any_(bindparam("campaign_ids", type_=postgresql.ARRAY(String)))
    ),
    "sqlite": _TOTALS_AND_CIRCLES.where(campaign_totals.c.campaign_id.in_(bindparam("campaign_ids", expanding=True))),
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


def circles_of(campaign_id: str) -> QuestionAbout[list[Row[Any]], answers.Circles]:
    """Return the question for a campaign's circles. Its answer raises CampaignUnknownError."""
    return QuestionAbout(_find_circles, _tell_circles, campaign_id)


def _find_circles(connection: Connection, campaign_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Return a row for each circle of each campaign, beside the campaign's totals: one at least."""
    found: dict[str, list[Row[Any]]] = {}
    statement = _CIRCLES_OF_MANY[connection.dialect.name]
    for row in connection.execute(statement, {"campaign_ids": campaign_ids}):
        found.setdefault(row.campaign_id, []).append(row)
    return found


def _tell_circles(connection: Connection, campaign_id: str, rows: list[Row[Any]] | None) -> answers.Circles:
    if rows is None:
        raise _unknown(connection, campaign_id)
    campaign = rows[0]
    return answers.Circles(**standing(campaign), totals=totals_of(campaign), circles=_circles(rows, campaign.currency))


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


def amounts(row: Row[Any], currency: str) -> dict[str, Any]:
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
        raise _unknown(connection, campaign_id)
    return row


def _unknown(connection: Connection, campaign_id: str) -> CampaignUnknownError:
    """Return what to say of a campaign without terms."""
    gap = connection.execute(
        select(campaign_totals.c.partition_number, campaign_totals.c.gap_offset).where(
            campaign_totals.c.campaign_id == campaign_id
        )
    ).one_or_none()
    if gap is None:
        return CampaignUnknownError(f"no campaign {campaign_id!r} is stored")
    return CampaignUnknownError(
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


def standing(row: Row[Any]) -> dict[str, Any]:
    """Return the fields of `answers.Standing`."""
    gap = row.gap_offset
    return {
        "campaign_id": row.campaign_id,
        "as_of": str(Position(row.partition_number, row.position_offset)),
        "complete": row.complete,
        "gap_at": None if gap is None else str(Position(row.partition_number, gap)),
    }


def totals_of(row: Row[Any]) -> answers.Totals:
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


def _circles(rows: Iterable[Row[Any]], currency: str) -> list[answers.Circle]:
    """Return all circles in their order, those without a row with zeros, so that the list always has the same form."""
    stored = {row.circle: (row.circle_pledged_minor, row.circle_collected_minor, row.circle_backers) for row in rows}
    return [_circle(name, *stored.get(name, (0, 0, 0)), currency) for name in CIRCLES]


def _circle(name: AnyCircle, pledged_minor: int, collected_minor: int, backers: int, currency: str) -> answers.Circle:
    return answers.Circle(
        circle=name,
        pledged_minor=pledged_minor,
        pledged=format_amount(pledged_minor, currency),
        collected_minor=collected_minor,
        collected=format_amount(collected_minor, currency),
        backers=backers,
    )
