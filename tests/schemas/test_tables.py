"""The SQL tables: money in whole minor units, moments always aware."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Connection, Table, UniqueConstraint, create_engine, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateTable

from schemas import tables
from schemas.tables import DAY_TOTALS, DAY_TOTALS_QUERY, UtcDateTime, metadata

SQLITE = make_url("sqlite://").get_dialect()()
POSTGRESQL = make_url("postgresql+psycopg://").get_dialect()()
PARIS_IN_SUMMER = timezone(timedelta(hours=2))


@pytest.fixture
def connection() -> Iterator[Connection]:
    """An empty database with every table."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def entry(offset: int, day: date | None, pledged: int, collected: int = 0) -> dict[str, Any]:
    return {
        "partition_number": 0,
        "log_offset": offset,
        "entry_number": 0,
        "campaign_id": "les-anges-anonymes",
        "event_id": f"evt-{offset}",
        "event_type": "cercles.pledge.captured",
        "occurred_at": datetime(2026, 3, 10, 12, tzinfo=UTC),
        "day": day,
        "pledged_minor": pledged,
        "collected_minor": collected,
    }


def test_every_table_of_the_design_is_there() -> None:
    """And no other."""
    assert set(metadata.tables) == {
        "campaigns",
        "campaign_totals",
        "circle_totals",
        "reward_totals",
        "pledges",
        "shares",
        "share_visits",
        "ledger_entries",
        "milestones",
        "dead_letters",
        "dead_letter_resolutions",
        "sink_positions",
    }


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_money_and_offsets_are_64_bit_integers(table: Table) -> None:
    """Ten billion euros in cents do not fit into 32 bits."""
    wide = [column for column in table.c if column.name.endswith(("_minor", "_offset"))]
    assert all(isinstance(column.type, BigInteger) for column in wide)


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_moments_are_stored_in_utc(table: Table) -> None:
    """Every column that names a moment has the type that keeps its zone."""
    moments = [column for column in table.c if column.name.endswith("_at")]
    assert all(isinstance(column.type, UtcDateTime) for column in moments)


def test_a_dead_letter_is_unique_by_its_place() -> None:
    """Topic, partition and offset: one that is told again is the same."""
    uniques = [one for one in tables.dead_letters.constraints if isinstance(one, UniqueConstraint)]
    assert [[column.name for column in unique.columns] for unique in uniques] == [
        ["topic", "partition_number", "record_offset"]
    ]


def test_a_count_is_one_that_sqlite_counts_up() -> None:
    """Only a column of exactly INTEGER does; PostgreSQL has it in 64 bits."""
    create = CreateTable(tables.dead_letters)
    assert "dead_letter_id INTEGER NOT NULL" in str(create.compile(dialect=SQLITE))
    assert "dead_letter_id BIGSERIAL NOT NULL" in str(create.compile(dialect=POSTGRESQL))


def test_a_moment_is_aware_and_in_utc_when_read(connection: Connection) -> None:
    """Also from SQLite, which has no time zones."""
    moment = datetime(2026, 3, 29, 3, 30, 15, 123456, tzinfo=PARIS_IN_SUMMER)
    connection.execute(insert(tables.ledger_entries), entry(0, None, 5) | {"occurred_at": moment})
    read = connection.execute(select(tables.ledger_entries.c.occurred_at)).scalar_one()
    assert read == moment
    assert read.tzinfo is UTC


@given(st.datetimes(min_value=datetime(2009, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.timezones()))  # noqa: DTZ001 (hypothesis adds the zone)
def test_a_moment_survives_whatever_its_zone(moment: datetime) -> None:
    """What is stored is the moment, not its text."""
    kind, dialect = UtcDateTime(), SQLITE
    stored = kind.process_bind_param(moment, dialect)
    assert stored is not None
    for given_back in (stored, stored.replace(tzinfo=None), stored.astimezone(PARIS_IN_SUMMER)):
        read = kind.process_result_value(given_back, dialect)
        assert read == moment.astimezone(UTC)
        assert read is not None
        assert read.tzinfo is UTC


def test_no_moment_stays_none(connection: Connection) -> None:
    """In both directions."""
    row = {"campaign_id": "c", "pledge_id": "p", "circle": "unattributed", "late": False}
    connection.execute(
        insert(tables.pledges),
        row | {"pledged_minor": 0, "collected_minor": 0, "made_at": None} | {"over_returned_minor": 0},
    )
    assert connection.execute(select(tables.pledges.c.made_at)).scalar_one() is None


def test_the_view_of_days_adds_up_entries(connection: Connection) -> None:
    """By campaign and day; entries without a day are left out, and large sums stay exact."""
    days = (date(2026, 3, 10), date(2026, 3, 11))
    rows = [entry(0, None, 0), entry(1, days[0], 10**15, 7), entry(2, days[0], 1), entry(3, days[1], -5, -5)]
    connection.execute(insert(tables.ledger_entries), rows)
    connection.execute(text(f"CREATE VIEW day_totals AS {DAY_TOTALS_QUERY}"))
    totals = connection.execute(select(DAY_TOTALS).order_by(DAY_TOTALS.c.day)).all()
    assert [tuple(row) for row in totals] == [
        ("les-anges-anonymes", days[0], 10**15 + 1, 7),
        ("les-anges-anonymes", days[1], -5, -5),
    ]
