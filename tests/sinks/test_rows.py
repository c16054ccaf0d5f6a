"""Rows are tuples in the order of their table's columns: each value stands under its own name."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Engine, Table

from schemas import tables
from schemas.events import Reward, StretchGoal
from schemas.updates import (
    CircleTotals,
    Entry,
    Milestone,
    Pledge,
    Position,
    RewardTotals,
    Share,
    ShareVisits,
    Terms,
    Totals,
    Update,
)
from sinks import rows
from sinks.bulk import COPIED_ROWS_MIN, Values, execute, stage_append, stage_upsert
from tests.sinks.stories import rows as rows_in

MOMENT: Final = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
EIGHT_WEST: Final = timezone(timedelta(hours=-8))
ELSEWHERE: Final = MOMENT.astimezone(EIGHT_WEST)
NAIVE: Final = MOMENT.replace(tzinfo=None)
DAY: Final = date(2026, 3, 2)

TERMS: Final = Terms(
    title="the title",
    owner_id="the owner",
    goal_minor=11,
    goal_basis="collected",
    funding_model="keep_it_all",
    stretch_goals=[StretchGoal(stretch_goal_id="stretch", title="further", amount_minor=12)],
    opens_at=MOMENT,
    closes_at=MOMENT + timedelta(days=1),
    settle_hours=13,
    timezone="Europe/Paris",
    sources=["sources/shop"],
    revision=14,
    status="succeeded",
    rewards=[Reward(reward_id="the reward", quantity=15)],
)
TOTALS: Final = Totals(
    currency="EUR",
    goal_minor=21,
    pledged_minor=22,
    collected_minor=23,
    over_returned_minor=24,
    late_minor=25,
    percent=26,
    backers=27,
    circles=[CircleTotals(circle="public", pledged_minor=28, collected_minor=29, backers=30)],
    unattributed={"no_token": 31},
    unknown_reward_claims=32,
)
REWARD: Final = RewardTotals(reward_id="the reward", claimed=33, claims_left=34, exhausted_claims=35)
ENTRY: Final = Entry(
    offset=41,
    number=42,
    event_id="the event",
    event_type="the type",
    occurred_at=ELSEWHERE,
    pledge_id="the pledge",
    circle="friends",
    day=DAY,
    pledged_minor=43,
    collected_minor=44,
    reward_exhausted=True,
)
PLEDGE: Final = Pledge(
    pledge_id="the pledge",
    circle="public",
    pledged_minor=51,
    collected_minor=52,
    over_returned_minor=53,
    late=True,
    day=DAY,
    made_at=MOMENT,
    backer_id="the backer",
    share_token="the token",
    unattributed="own_share",
    reward_id="the reward",
)
SHARE: Final = Share(
    share_token="the token",
    network="the network",
    posted_at=MOMENT,
    day=DAY,
    parent_token="the parent",
    circle="friends",
)
VISITS: Final = ShareVisits(share_token="the token", origin="whatsapp", visits=71, bots=72, prefetches=73)
MILESTONE: Final = Milestone(
    type="cercles.goal.reached",
    offset=61,
    number=62,
    event_id="the event",
    occurred_at=MOMENT,
    threshold_minor=63,
    total_minor=64,
    step=65,
    occurrence=66,
    stretch_goal_id="the stretch goal",
    circle="public",
    narrower_circle="friends_of_friends",
)
UPDATE: Final = Update(
    campaign_id="the campaign",
    partition=1,
    fold_version="the version",
    before=Position(2, 3),
    after=Position(4, 5),
    complete=True,
    totals=TOTALS,
    entries=[ENTRY],
    pledges=[PLEDGE],
    milestones=[MILESTONE],
    rewards=[REWARD],
    terms=TERMS,
)
ROWS: Final[list[tuple[Table, Values, dict[str, Any]]]] = [
    (
        tables.campaigns,
        rows.campaign(UPDATE),
        {name: getattr(TERMS, name) for name in TERMS.__struct_fields__}
        | {
            "campaign_id": "the campaign",
            "currency": "EUR",
            "stretch_goals": [{"stretch_goal_id": "stretch", "title": "further", "amount_minor": 12}],
            "rewards": [{"reward_id": "the reward", "quantity": 15}],
        },
    ),
    (
        tables.campaign_totals,
        rows.campaign_totals(UPDATE, 6),
        {name: getattr(TOTALS, name) for name in TOTALS.__struct_fields__ if name != "circles"}
        | {
            "campaign_id": "the campaign",
            "partition_number": 1,
            "position_offset": 4,
            "position_number": 5,
            "fold_version": "the version",
            "complete": True,
            "gap_offset": 6,
        },
    ),
    (
        tables.circle_totals,
        rows.circle_totals(UPDATE)[0],
        {
            "campaign_id": "the campaign",
            "circle": "public",
            "pledged_minor": 28,
            "collected_minor": 29,
            "backers": 30,
        },
    ),
    (
        tables.reward_totals,
        rows.reward_totals("the campaign", REWARD),
        {name: getattr(REWARD, name) for name in REWARD.__struct_fields__} | {"campaign_id": "the campaign"},
    ),
    (
        tables.pledges,
        rows.pledge("the campaign", PLEDGE),
        {name: getattr(PLEDGE, name) for name in PLEDGE.__struct_fields__} | {"campaign_id": "the campaign"},
    ),
    (
        tables.shares,
        rows.share("the campaign", SHARE),
        {name: getattr(SHARE, name) for name in SHARE.__struct_fields__} | {"campaign_id": "the campaign"},
    ),
    (
        tables.share_visits,
        rows.visits("the campaign", VISITS),
        {name: getattr(VISITS, name) for name in VISITS.__struct_fields__} | {"campaign_id": "the campaign"},
    ),
    (
        tables.ledger_entries,
        rows.entry(UPDATE, ENTRY),
        {name: getattr(ENTRY, name) for name in ENTRY.__struct_fields__ if name not in {"offset", "number"}}
        | {"campaign_id": "the campaign", "partition_number": 1, "log_offset": 41, "entry_number": 42},
    ),
    (
        tables.milestones,
        rows.milestone(UPDATE, MILESTONE),
        {name: getattr(MILESTONE, name) for name in MILESTONE.__struct_fields__ if name not in {"offset", "number"}}
        | {"campaign_id": "the campaign", "partition_number": 1, "log_offset": 61, "milestone_number": 62},
    ),
]
EACH: Final = pytest.mark.parametrize(("table", "row", "told"), ROWS, ids=[table.name for table, *_ in ROWS])


@EACH
def test_every_value_stands_under_its_columns_name(table: Table, row: Values, told: dict[str, Any]) -> None:
    """None is missing, and none has changed places with another."""
    assert dict(zip(table.columns.keys(), row, strict=True)) == told


@EACH
def test_what_is_written_is_read_again(engine: Engine, table: Table, row: Values, told: dict[str, Any]) -> None:
    """By the way of few rows and by that of many: times in UTC, days, truth values, lists and nothing at all."""
    for copies in (1, COPIED_ROWS_MIN):
        with engine.begin() as connection:
            written = [row] if copies == 1 else [row, *_others(table, row, copies)]
            execute(connection, stage_upsert(connection, table, written))
        assert told in rows_in(engine, table.name)
    assert len(rows_in(engine, table.name)) == 1 + COPIED_ROWS_MIN


@EACH
def test_appended_rows_are_read_again(engine: Engine, table: Table, row: Values, told: dict[str, Any]) -> None:
    """By COPY on PostgreSQL; empty columns stay empty."""
    empty = tuple(None if column.nullable else value for column, value in zip(table.columns, row, strict=True))
    (another,) = _others(table, empty, 1)
    with engine.begin() as connection:
        execute(connection, stage_append(connection, table, [row, another]))
    written = rows_in(engine, table.name)
    assert told in written
    assert dict(zip(table.columns.keys(), another, strict=True)) in written


@given(st.datetimes(NAIVE.replace(year=2), NAIVE.replace(year=9998), timezones=st.sampled_from([UTC, EIGHT_WEST])))
@example(MOMENT)
@example(MOMENT.replace(microsecond=0))
@example(MOMENT.replace(microsecond=1))
def test_sqlite_is_given_moments_as_sqlalchemy_writes_them(moment: datetime) -> None:
    """So that text sorts as time does, and the readers find what the sink has written."""
    with closing(sqlite3.connect(":memory:")) as connection:
        ((written,),) = connection.execute("SELECT ?", (moment,))
    assert written == moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _others(table: Table, row: Values, number: int) -> list[Values]:
    """Return rows that differ from this one, and from each other, in the last column of their key."""
    key = [column.name for column in table.primary_key][-1]
    index = table.columns.keys().index(key)
    made = []
    for count in range(1, number + 1):
        value = f"another-{count}" if isinstance(row[index], str) else row[index] + count
        made.append((*row[:index], value, *row[index + 1 :]))
    return made
