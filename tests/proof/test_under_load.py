"""Audits and rebuilds beside a sink that works."""

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, update

from cercles.publishing import publisher
from cercles.rebuild.campaign import CampaignRebuild
from cercles.rebuild.folding import CampaignStory
from schemas import tables
from schemas.connections import DatabaseConnection
from schemas.topics import UPDATES
from sinks.settings import SinkSettings
from tests.proof.stage import Stage, audited
from tests.proof.traffic import Traffic, sink_is_at_the_end
from tests.sinks.running import running, until

TURNS = 6


@pytest.mark.timeout(200)
def test_audits_and_rebuilds_beside_a_working_sink(
    traffic: Traffic, topics: str, engine: Engine, migrated_url: str
) -> None:
    """Every audit finds the database equal at its position; rows made wrong are right again, and stay it."""
    until(lambda: traffic.rounds >= 1)
    with Stage(topics) as mine, publisher(mine.connection, UPDATES) as publishing:
        settings = SinkSettings(
            kafka=mine.connection,
            database=DatabaseConnection(url=SecretStr(migrated_url)),
            group_id="under-load",
            poll_seconds=0.1,
            transaction_records_max=20,
        )
        with running(settings):
            for turn in range(TURNS):
                campaign_id = f"campaign-{turn % 6}"
                with engine.begin() as connection:
                    totals = tables.campaign_totals
                    connection.execute(
                        update(totals)
                        .where(totals.c.campaign_id == campaign_id)
                        .values(pledged_minor=totals.c.pledged_minor + 1)
                    )
                with CampaignStory() as story:
                    rebuilding = CampaignRebuild(mine.reader, campaign_id, story, lambda *_: None)
                    rebuilding.replace_rows(engine)
                    if turn % 2:
                        rebuilding.say_again(publishing)
                assert audited(mine, migrated_url).differences == []
            traffic.stop()
            until(lambda: sink_is_at_the_end(mine, engine))
        report = audited(mine, migrated_url)
        assert report.differences == []
        assert report.counts.campaigns == 6
