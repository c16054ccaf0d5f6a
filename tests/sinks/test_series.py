"""However many campaigns dead letters name, and whatever their reasons, sink and exporter keep their series."""

from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, insert

from schemas import tables
from schemas.topics import LOG
from sinks.exporter import CampaignCollector
from sinks.metrics import REASONS_MAX, ExporterMetrics, SinkMetrics
from tests.series import series_of, unknown_ids
from tests.sinks.stories import Fact, FakePartition, Story

REASON = "campaign_unknown"
STORED_CAMPAIGNS = 500


def test_reasons_that_nobody_knows_are_one_series_of_the_sinks() -> None:
    """Headers may say anything: 100,000 reasons are fifty by name, and `other`."""
    registry = CollectorRegistry()
    metrics = SinkMetrics(registry)
    first, *rest = unknown_ids()
    for number in range(REASONS_MAX):
        metrics.count_dead_letters(f"reason_{number}", 1)
    metrics.count_dead_letters(first, 1)
    before = series_of(registry)
    for reason in rest:
        metrics.count_dead_letters(reason, 1)
    assert series_of(registry) == before
    others = registry.get_sample_value("cercles_sink_dead_letters_total", {"reason": "other"})
    assert others == len(rest) + 1


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_campaigns_that_only_dead_letters_name_are_no_series_of_the_exporters(engine: Engine) -> None:
    """100,000 of them; and beyond those shown by name, campaigns that are there are one sum."""
    registry, top_campaigns = CollectorRegistry(), 3
    registry.register(CampaignCollector(engine, ExporterMetrics(CollectorRegistry()), top_campaigns=top_campaigns))
    topic = FakePartition()
    _store_campaigns(engine, topic, range(top_campaigns + 1))
    _bury(engine, ["first"], 0)
    before = series_of(registry)
    _bury(engine, unknown_ids(), 1)
    _store_campaigns(engine, topic, range(top_campaigns + 1, STORED_CAMPAIGNS))
    after = series_of(registry)
    named = {labels["campaign_id"] for labels in map(dict, (found for _, found in before)) if "campaign_id" in labels}
    assert len(named) == top_campaigns + 1
    assert after == before


def _bury(engine: Engine, campaign_ids: list[str], first_offset: int) -> None:
    """Store a dead letter of each campaign."""
    with engine.begin() as connection:
        connection.execute(
            insert(tables.dead_letters),
            [
                {
                    "topic": LOG.name,
                    "partition_number": 0,
                    "record_offset": offset,
                    "reason": REASON,
                    "detail": "it was not launched",
                    "campaign_id": campaign_id,
                    "event_id": campaign_id,
                    "headers": [],
                    "refused_at": datetime(2026, 3, 1, tzinfo=UTC),
                }
                for offset, campaign_id in enumerate(campaign_ids, first_offset)
            ],
        )


def _store_campaigns(engine: Engine, topic: FakePartition, numbers: range) -> None:
    """Store campaigns, each with less in it than those before it."""
    for number in numbers:
        told = Story(f"film-{number:04}", [Fact(0, 0, 10_000 - number, 0)], first_offset=number * 10)
        topic.say(told.update(0, len(told.lines)))
    topic.drain(engine)
