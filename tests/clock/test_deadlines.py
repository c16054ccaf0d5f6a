"""Which campaigns the database shows to be due."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, insert

from producers.clock import deadlines as module
from producers.clock.deadlines import StoredDeadlines, deadlines_engine
from schemas.connections import DatabaseConnection
from schemas.tables import campaigns, metadata

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = deadlines_engine(DatabaseConnection(url=SecretStr(f"sqlite:///{tmp_path / 'rows.db'}")))
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def a_row(campaign_id: str, **changes: Any) -> dict[str, Any]:
    row = {
        "campaign_id": campaign_id,
        "title": "A film",
        "owner_id": "p_owner",
        "currency": "EUR",
        "goal_minor": 100,
        "goal_basis": "pledged",
        "funding_model": "keep_it_all",
        "stretch_goals": [],
        "opens_at": NOON - timedelta(days=30),
        "closes_at": NOON - timedelta(hours=2),
        "settle_hours": 1,
        "timezone": "Europe/Paris",
        "sources": ["sources/shop"],
        "revision": 0,
        "status": "open",
    }
    return row | changes


def due(engine: Engine, *rows: dict[str, Any]) -> list[str]:
    with engine.begin() as connection:
        connection.execute(insert(campaigns), list(rows))
    return [deadline.campaign_id for page in StoredDeadlines(engine).passed(NOON) for deadline in page]


def test_a_campaign_is_due_when_its_settling_time_has_passed(engine: Engine) -> None:
    """At the very moment, not before; and only while no outcome is stored."""
    assert due(
        engine,
        a_row("long-ago"),
        a_row("just-now", closes_at=NOON - timedelta(hours=1)),
        a_row("settling", closes_at=NOON - timedelta(minutes=59)),
        a_row("slow", settle_hours=3),
        a_row("at-once", closes_at=NOON, settle_hours=0),
        a_row("running", closes_at=NOON + timedelta(days=1)),
        a_row("over", status="succeeded"),
    ) == ["long-ago", "just-now", "at-once"]


@pytest.mark.parametrize(
    ("closes_at", "settles_at"),
    [
        ("2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"),
        ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"),
        ("2026-04-05T01:45:00+11:00", "2026-04-05T02:15:00+10:30"),
    ],
)
def test_an_hour_of_settling_is_an_hour_over_a_change_of_summer_time(
    engine: Engine, closes_at: str, settles_at: str
) -> None:
    """In Paris and on Lord Howe Island: due at the very moment, and not a microsecond before."""
    with engine.begin() as connection:
        connection.execute(insert(campaigns), [a_row("film", closes_at=datetime.fromisoformat(closes_at))])
    moment = datetime.fromisoformat(settles_at)
    assert list(StoredDeadlines(engine).passed(moment - timedelta(microseconds=1))) == []
    [[deadline]] = StoredDeadlines(engine).passed(moment)
    assert deadline.closes_at == datetime.fromisoformat(closes_at)


def test_pages_leave_nobody_out(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Campaigns with one and the same deadline, more than fit on a page, all appear once, in order."""
    monkeypatch.setattr(module, "PAGE_SIZE", 3)
    names = [f"c-{number}" for number in range(8)]
    assert due(engine, *(a_row(name) for name in names)) == names


def test_a_deadline_keeps_its_time_zone(engine: Engine) -> None:
    """SQLite has no time zones; what comes back is aware, so that the event can carry it."""
    with engine.begin() as connection:
        connection.execute(insert(campaigns), [a_row("film")])
    [[deadline]] = StoredDeadlines(engine).passed(NOON)
    assert deadline.closes_at == NOON - timedelta(hours=2)
    assert deadline.closes_at.tzinfo is not None
