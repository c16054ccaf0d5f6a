"""`cercles rebuild --campaign`: whatever is wrong with a campaign's rows is mended, and nothing is said twice."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, delete, select, update

from cercles.publishing import publisher
from cercles.rebuild.campaign import CampaignRebuild, Rebuilt, UnknownCampaignError
from cercles.rebuild.folding import CampaignStory
from producers.blocking import BlockingPublisher
from schemas import tables
from schemas.topics import UPDATES
from schemas.updates import Position, Update, decoder
from tests.proof.stage import Stage, audited, many_stories
from tests.worker.pipeline import Story

CAMPAIGN = "campaign-2"


@pytest.fixture
def publishing(stage: Stage) -> Iterator[BlockingPublisher]:
    """A publisher of updates."""
    with publisher(stage.connection, UPDATES) as opened:
        yield opened


def rebuilt(stage: Stage, engine: Engine | None, publishing: BlockingPublisher | None) -> Rebuilt:
    with CampaignStory() as story:
        rebuilding = CampaignRebuild(stage.reader, CAMPAIGN, story, lambda *_: None)
        if engine is not None:
            rebuilding.replace_rows(engine)
        if publishing is not None:
            rebuilding.say_again(publishing)
        return rebuilding.outcome


def heard(stage: Stage) -> Story:
    """What a subscriber makes of all updates, by positions alone."""
    story = Story()
    for partition in range(4):
        for record in stage.read(UPDATES, partition):
            said = decoder.decode(record.value)
            if isinstance(said, Update):
                story.hear(said)
    return story


def test_rows_after_a_gap_are_replaced(stage: Stage, engine: Engine, migrated_url: str) -> None:
    """The mark goes, the database equals the log, and the sink goes on from there."""
    stage.append(many_stories(4, 30))
    stage.work(losing=[CAMPAIGN])
    stage.sink(engine)
    assert [one.kind for one in audited(stage, migrated_url).differences] == ["gap"]
    rebuilt(stage, engine, None)
    assert audited(stage, migrated_url).differences == []
    stage.append(many_stories(4, 40, seed=2))
    stage.work()
    stage.sink(engine)
    assert audited(stage, migrated_url).differences == []


def test_updates_said_again_heal_a_gap_without_touching_rows(
    stage: Stage, engine: Engine, migrated_url: str, publishing: BlockingPublisher
) -> None:
    """Another database with the same gap applies what stands above its position; a subscriber hears each line once."""
    stage.append(many_stories(4, 30))
    stage.work(losing=[CAMPAIGN])
    stage.sink(engine)
    assert heard(stage).gaps
    for _ in range(2):
        outcome = rebuilt(stage, None, publishing)
    stage.sink(engine)
    assert audited(stage, migrated_url).differences == []
    story = heard(stage)
    assert story.said_again > 0
    assert story.positions[CAMPAIGN] == outcome.position
    assert len(story.milestones) == len(set(story.milestones))
    assert story.entries_minor[CAMPAIGN] == story.totals_minor[CAMPAIGN]


def test_wrong_rows_are_replaced(told: Stage, engine: Engine, migrated_url: str) -> None:
    """Edited, deleted and left-over rows of every table: what re-emission alone could not heal."""
    with engine.begin() as connection:
        for table in (tables.campaign_totals, tables.pledges):
            connection.execute(
                update(table).where(table.c.campaign_id == CAMPAIGN).values(pledged_minor=table.c.pledged_minor + 7)
            )
        for table in (tables.milestones, tables.circle_totals, tables.shares, tables.share_visits, tables.campaigns):
            connection.execute(delete(table).where(table.c.campaign_id == CAMPAIGN))
    # Its next update does not agree with the rows: a gap of the other kind.
    told.append(many_stories(8, 30, seed=5))
    told.work()
    told.sink(engine)
    kinds = {(one.kind, one.campaign_id) for one in audited(told, migrated_url).differences}
    assert {("gap", CAMPAIGN), ("differs", CAMPAIGN), ("missing", CAMPAIGN)} <= kinds
    assert {campaign_id for _, campaign_id in kinds} == {CAMPAIGN}
    rebuilt(told, engine, None)
    assert audited(told, migrated_url).differences == []


def test_rows_may_go_ahead_of_the_workers(told: Stage, engine: Engine, migrated_url: str) -> None:
    """The log's end is in the rows though no worker has folded it yet; its updates are known when they come."""
    told.append(many_stories(8, 30, seed=6))
    outcome = rebuilt(told, engine, None)
    assert audited(told, migrated_url).differences == []
    told.work()
    told.sink(engine)
    assert audited(told, migrated_url).differences == []
    totals = tables.campaign_totals
    with engine.connect() as connection:
        row = connection.execute(select(totals).where(totals.c.campaign_id == CAMPAIGN)).one()
    assert Position(row.position_offset, row.position_number) == outcome.position
    assert row.gap_offset is None


def test_what_is_said_meanwhile_is_caught_up_with(
    stage: Stage, engine: Engine, migrated_url: str, publishing: BlockingPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Updates that a follower with a gap skips while others are said again are said again too."""
    stage.append(many_stories(4, 30))
    stage.work(losing=[CAMPAIGN])
    publish = publishing.publish_and_wait
    rounds: list[int] = []

    def meanwhile(records: list[object]) -> list[object]:
        if len(rounds) < 2:
            rounds.append(len(records))
            stage.append(many_stories(4, 31 + len(rounds), seed=7 + len(rounds)))
            stage.work()
        return publish(records)  # type: ignore[arg-type, return-value]

    monkeypatch.setattr(publishing, "publish_and_wait", meanwhile)
    rebuilt(stage, None, publishing)
    stage.sink(engine)
    assert len(rounds) == 2
    assert audited(stage, migrated_url).differences == []


def test_a_campaign_that_the_log_does_not_know_is_refused(stage: Stage, engine: Engine) -> None:
    """Nothing is deleted for a misspelt id."""
    stage.append(many_stories(1, 3))
    with pytest.raises(UnknownCampaignError, match="no launch of a campaign campaign-2"):
        rebuilt(stage, engine, None)
