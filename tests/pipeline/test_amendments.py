"""New terms, from the admin's door through the real log and fold to the rows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from schemas.tables import campaign_totals, campaigns
from tests.pipeline.expectation import Expectation
from tests.pipeline.test_kill import log_lines, wait_until_applied
from tests.pipeline.whole import Pipeline, pipeline, refused, said

FILM = "film"
HOUR = timedelta(hours=1)
POSTER = {"stretch_goal_id": "poster", "title": "Poster", "amount_minor": 900}
MUSIC = {"stretch_goal_id": "music", "title": "Music", "amount_minor": 1_400}
BOOK = {"stretch_goal_id": "book", "title": "Book", "amount_minor": 2_000}


def tell(running: Pipeline, opened_at: datetime) -> None:
    """Tell of a campaign whose terms are amended again and again; its deadline, in an hour at first, is extended."""
    closes_at = opened_at + HOUR
    running.launch(
        FILM,
        goal_minor=1_000,
        milestone_steps=[],
        overfunding_step=1_000,
        stretch_goals=[BOOK],
        closes_at=closes_at.isoformat(),
    )
    running.pledge(FILM, 1, amount_minor=1_000)
    first = running.amend(FILM, 1, goal_minor=2_000)
    running.amend(FILM, 2, goal_minor=900, stretch_goals=[POSTER, MUSIC])
    running.pledge(FILM, 2, amount_minor=300, made_at=(closes_at - timedelta(microseconds=1)).isoformat())
    running.pledge(FILM, 3, amount_minor=100, made_at=closes_at.isoformat())
    running.pledge(FILM, 4, amount_minor=700, made_at=(closes_at + 2 * HOUR).isoformat())
    running.amend(FILM, 3, closes_at=(closes_at + HOUR).isoformat())
    assert running.amend(FILM, 1, goal_minor=2_000) == first, "the same revision again is the same event"
    running.amend(FILM, 1, goal_minor=3_000)
    running.amend(FILM, 4, closes_at=closes_at.isoformat())
    running.amend(FILM, 5, title="Les Anges Anonymes, le film")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_amended_terms_go_all_the_way(topics: str, migrated_url: str, engine: Engine, tmp_path: Path) -> None:
    """Milestones follow each amendment, deadlines move pledges, a repeat changes nothing, a conflict is refused."""
    opened_at = datetime.now(UTC)
    with pipeline(topics, migrated_url, tmp_path) as running:
        tell(running, opened_at)
        wait_until_applied(topics, engine, seconds_max=60)
    assert said(engine, FILM) == [
        ("goal.reached", 1),
        ("goal.lost", 1),
        ("goal.reached", 2),
        ("stretch_goal.reached", "poster"),
        ("goal.overfunded", 100),
        ("stretch_goal.reached", "music"),
    ]
    assert refused(engine, FILM) == ["conflicting_duplicate"]
    with engine.connect() as connection:
        terms = connection.execute(select(campaigns).where(campaigns.c.campaign_id == FILM)).one()
        totals = connection.execute(select(campaign_totals).where(campaign_totals.c.campaign_id == FILM)).one()
    assert (terms.title, terms.goal_minor, terms.revision) == ("Les Anges Anonymes, le film", 900, 5)
    assert (terms.closes_at, terms.stretch_goals) == (opened_at + HOUR, [POSTER, MUSIC])
    assert (totals.goal_minor, totals.pledged_minor, totals.late_minor) == (900, 1_300, 800)
    Expectation.of(log_lines(topics)).check(engine)
