"""`cercles rebuild --to`: a new database from the log, that a sink goes on with."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, func, select

from cercles.audit import campaigns, run
from cercles.rebuild import database
from cercles.rebuild.database import DatabaseFill, NotEmptyError
from schemas import tables
from schemas.connections import DatabaseConnection
from schemas.dead_letters import DeadLetter, to_record
from schemas.events import PledgeCaptured, PledgeCapturedData
from schemas.topics import DEAD_LETTERS, UPDATES
from sinks import apply, migrate, positions
from sinks.database import writing_engine
from sinks.positions import TopicPartition
from sinks.settings import SinkSettings
from stream_processors.ledger import batch, facts, fold
from stream_processors.ledger.pledges import Pledge
from stream_processors.ledger.state import Campaign
from tests.faults.stored import unequal_sums
from tests.proof.stage import Stage, audited, many_stories
from tests.proof.traffic import Traffic, sink_is_at_the_end
from tests.sinks.running import running, until
from tests.sinks.stories import everything


def put_webhook_aside(stage: Stage) -> None:
    """What a gateway could not map."""
    _, value, headers = to_record(DeadLetter(reason="unmappable_payment", detail="no amount", key=None, value=b"{}"))
    stage.put_aside(1, value or b"", headers)


def test_a_filled_database_is_what_the_log_says(stage: Stage, engine: Engine, migrated_url: str) -> None:
    """Entries, dead letters of events and of webhooks; also while workers have not folded everything."""
    stage.append(many_stories(6, 20))
    put_webhook_aside(stage)
    stage.work()
    stage.append(many_stories(6, 25, seed=4))
    outcome = DatabaseFill(engine, stage.reader, lambda *_: None).run(None)
    report = audited(stage, migrated_url)
    assert report.differences == []
    assert report.counts.events == outcome.events
    assert outcome.campaigns == 6
    with engine.connect() as connection:
        reasons = set(connection.scalars(select(tables.dead_letters.c.reason)))
    assert "unmappable_payment" in reasons


def test_a_sink_goes_on_where_the_filling_ended(stage: Stage, engine: Engine, migrated_url: str) -> None:
    """What workers say afterwards overlaps with the rows, and changes nothing that is there."""
    stage.append(many_stories(6, 20))
    stage.work()
    stage.append(many_stories(6, 25, seed=4))
    DatabaseFill(engine, stage.reader, lambda *_: None).run(None)
    stage.append(many_stories(6, 30, seed=5))
    stage.work()
    stage.sink(engine)
    assert audited(stage, migrated_url).differences == []


def test_a_new_database_that_a_sink_could_not_begin_with_is_filled(
    stage: Stage, engine: Engine, migrated_url: str
) -> None:
    """It has positions, all of them 0: the sink said to fill it, since the updates' beginning was gone."""
    stage.append(many_stories(2, 5))
    stage.work()
    places = [TopicPartition(topic, 0) for topic in (UPDATES.name, DEAD_LETTERS.name)]
    positions.read(engine, places, {topic.name: stage.reader.describe(topic)[0] for topic in (UPDATES, DEAD_LETTERS)})
    DatabaseFill(engine, stage.reader, lambda *_: None).run(None)
    stage.sink(engine)
    assert audited(stage, migrated_url).differences == []


def test_a_filling_that_was_interrupted_goes_on(
    stage: Stage, engine: Engine, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has written is known when it is run again."""
    stage.append(many_stories(6, 20))
    written: list[object] = []
    write = apply.write_updates

    def until_killed(*arguments: object) -> object:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(arguments)
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("cercles.rebuild.database.write_updates", until_killed)
    with pytest.raises(KeyboardInterrupt):
        DatabaseFill(engine, stage.reader, lambda *_: None).run(None)
    monkeypatch.setattr("cercles.rebuild.database.write_updates", write)
    DatabaseFill(engine, stage.reader, lambda *_: None).run(None)
    assert audited(stage, migrated_url).differences == []


def test_a_database_that_a_sink_uses_is_not_filled(told: Stage, engine: Engine) -> None:
    """Nor one that was begun by other rules."""
    with pytest.raises(NotEmptyError, match="only an empty one"):
        DatabaseFill(engine, told.reader, lambda *_: None).run(None)
    with engine.begin() as connection:
        connection.execute(tables.sink_positions.delete())
        connection.execute(tables.campaign_totals.update().values(fold_version="0"))
    with pytest.raises(NotEmptyError, match="fold version 0"):
        DatabaseFill(engine, told.reader, lambda *_: None).run(None)


def test_new_rules_fill_a_new_database_while_the_old_one_serves(
    told: Stage, topics: str, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/runbook-proof.md says: the new one is what the new rules say, and the old one mixes nothing."""
    before = everything(engine)

    def capture(campaign: Campaign, data: PledgeCapturedData, time: datetime) -> Pledge | None:
        """The other rules: a capture counts twice."""
        return facts.capture(campaign, msgspec.structs.replace(data, amount_minor=2 * data.amount_minor), time)

    monkeypatch.setattr(fold, "_FACTS", fold._FACTS | {PledgeCaptured: capture})
    monkeypatch.setattr(fold, "fold_first_captures", lambda _campaign, _told, first, _end, _changes: first)
    version = f"{batch.FOLD_VERSION}+other"
    for module in (batch, database, run, campaigns):
        monkeypatch.setattr(module, "FOLD_VERSION", version)
    url = f"sqlite:///{tmp_path / 'new.db'}"
    migrate.upgrade(url)
    new = writing_engine(url)
    with Stage(topics) as newer:
        newer.append(many_stories(8, 30, seed=4))
        newer.work()
        DatabaseFill(new, newer.reader, lambda *_: None).run(None)
        newer.append(many_stories(8, 40, seed=5))
        newer.work()
        newer.sink(new)
        assert audited(newer, url).differences == []
        told.sink(engine)
    new.dispose()
    after = everything(engine)
    changed = {row["campaign_id"] for row in after["campaign_totals"] if row["gap_offset"] is not None}
    assert changed, "the two versions say the same: nothing was tried"
    for table in ("campaign_totals", "ledger_entries"):
        old_rows, new_rows = (
            [{**row, "gap_offset": None} for row in rows[table] if row["campaign_id"] in changed]
            for rows in (before, after)
        )
        assert old_rows == new_rows
    assert unequal_sums(engine) == []


@pytest.mark.timeout(120)
def test_a_real_sink_takes_over_under_load(traffic: Traffic, topics: str, engine: Engine, migrated_url: str) -> None:
    """The database is filled, and a sink started on it, while events come all the time: it ends equal to the log."""
    until(lambda: traffic.rounds >= 2)
    with Stage(topics) as mine:
        DatabaseFill(engine, mine.reader, lambda *_: None).run(None)
        settings = SinkSettings(
            kafka=mine.connection,
            database=DatabaseConnection(url=SecretStr(migrated_url)),
            group_id="the-new-one",
            poll_seconds=0.1,
        )
        rounds = traffic.rounds
        with running(settings):
            until(lambda: traffic.rounds >= rounds + 3)
            traffic.stop()
            until(lambda: sink_is_at_the_end(mine, engine))
        report = audited(mine, migrated_url)
        assert report.differences == []
        assert report.counts.campaigns == 6


def test_decisions_about_dead_letters_go_along(
    told: Stage, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """They stand in no topic, so the old database is where they come from."""
    url = f"sqlite:///{tmp_path_factory.mktemp('new') / 'new.db'}"
    migrate.upgrade(url)
    decision = {
        "topic": "t",
        "partition_number": 0,
        "record_offset": 1,
        "resolution": "dropped",
        "why": "a test",
        "resolved_at": datetime(2026, 5, 1, tzinfo=UTC),
    }
    with engine.begin() as connection:
        connection.execute(tables.dead_letter_resolutions.insert(), decision)
    new = writing_engine(url)
    outcome = DatabaseFill(new, told.reader, lambda *_: None).run(engine)
    assert outcome.resolutions == 1
    with new.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.dead_letter_resolutions)) == 1
    new.dispose()
