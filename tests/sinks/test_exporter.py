"""Metrics equal the database, at every scrape."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import Engine, insert, text

from schemas import tables
from schemas.connections import DatabaseConnection
from schemas.dead_letters import DeadLetter
from schemas.topics import DEAD_LETTERS
from schemas.updates import Milestone
from sinks.exporter import ExporterProcess
from sinks.settings import ExporterSettings
from tests.sinks.stories import Fact, FakePartition, Story, progress, story

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@contextmanager
def _exporting(url: str, *, top_campaigns: int = 50) -> Iterator[ExporterProcess]:
    process = ExporterProcess(
        ExporterSettings(
            database=DatabaseConnection(url=SecretStr(url)), host="127.0.0.1", port=0, top_campaigns=top_campaigns
        )
    )
    stop = threading.Event()
    thread = threading.Thread(target=process.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield process
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def _scrape(process: ExporterProcess) -> Samples:
    with urlopen(process.address(10), timeout=30) as answer:  # noqa: S310 - our own address
        assert answer.status == 200
        words = answer.read().decode()
    samples: Samples = {}
    for family in text_string_to_metric_families(words):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                key = (sample.name, tuple(sorted(sample.labels.items())))
                assert key not in samples, f"{key} twice"
                samples[key] = sample.value
    return samples


def _value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, tuple(sorted(labels.items()))))


def _sum(samples: Samples, name: str, **labels: str) -> float:
    return sum(
        value for (found, names), value in samples.items() if found == name and labels.items() <= dict(names).items()
    )


def _tables_of(engine: Engine, *stories: Story) -> None:
    topic = FakePartition()
    topic.say(*[told.update(0, len(told.lines)) for told in stories], progress(70))
    topic.drain(engine)


def test_amounts_milestones_and_positions_are_the_databases(migrated_url: str, engine: Engine) -> None:
    """Every number of a scrape is the sum that SQL gives."""
    told = story(facts=12)
    _tables_of(engine, told)
    graveyard = FakePartition(DEAD_LETTERS.name)
    for _ in range(2):
        graveyard.bury(DeadLetter(reason="misrouted", detail="", key=None, value=None))
    graveyard.drain(engine)
    with _exporting(migrated_url) as process:
        samples = _scrape(process)
        assert process.not_ready() is None
    assert _value(samples, "cercles_exporter_up") == 1
    for circle, (pledged, collected) in told.circles(len(told.lines)).items():
        labels = {"campaign_id": "les-anges", "circle": circle, "currency": "EUR"}
        assert _value(samples, "cercles_campaign_pledged_minor", **labels) == pledged
        assert _value(samples, "cercles_campaign_collected_minor", **labels) == collected
    reached = len(told.milestones(0, len(told.lines)))
    assert _value(samples, "cercles_goals_reached_total") == reached
    assert _value(samples, "cercles_milestones_total", type="cercles.goal.reached") == reached
    assert _value(samples, "cercles_milestones_total", type="cercles.goal.lost") == 0
    assert _value(samples, "cercles_goals_lost_total") == 0
    assert _value(samples, "cercles_campaigns", currency="EUR", status="open") == 1
    assert _value(samples, "cercles_campaigns_with_gap") == 0
    assert _value(samples, "cercles_dead_letters", reason="misrouted") == 2
    assert _value(samples, "cercles_sink_position", topic="cercles.campaign-updates", partition="0") == 2
    assert _value(samples, "cercles_log_position", partition="0") == 70
    assert (_value(samples, "cercles_newest_entry_age_seconds") or -1) >= 0


def test_overfunded_counts_campaigns_not_steps(migrated_url: str, engine: Engine) -> None:
    """Step 100 is the first unit above the goal; 105 and 110 are the same campaign going on."""
    first = story().milestones(0, 99)[0]
    steps = [(100, 1), (105, 2), (110, 3)]
    with engine.begin() as connection:
        connection.execute(insert(tables.milestones), [_overfunded(first, step, number) for step, number in steps])
    with _exporting(migrated_url) as process:
        samples = _scrape(process)
    assert _value(samples, "cercles_goals_overfunded_total") == 1
    assert _value(samples, "cercles_milestones_total", type="cercles.goal.overfunded") == 3


def test_circles_that_opened_early_are_counted_by_circle(migrated_url: str, engine: Engine) -> None:
    """Each that can open early has its series from the first scrape on."""
    first = story().milestones(0, 99)[0]
    signals = [
        _overfunded(first, 30, number) | {"type": "cercles.circle.opened_early", "circle": "public"}
        for number in (1, 2)
    ]
    with engine.begin() as connection:
        connection.execute(insert(tables.milestones), signals)
    with _exporting(migrated_url) as process:
        samples = _scrape(process)
    counted = {names: value for (name, names), value in samples.items() if name == "cercles_circles_opened_early_total"}
    assert counted == {(("circle", "friends_of_friends"),): 0, (("circle", "public"),): 2}
    assert _value(samples, "cercles_milestones_total", type="cercles.circle.opened_early") == 2


def _overfunded(milestone: Milestone, step: int, number: int) -> dict[str, object]:
    return {
        "partition_number": 0,
        "log_offset": milestone.offset,
        "milestone_number": number,
        "campaign_id": "les-anges",
        "type": "cercles.goal.overfunded",
        "step": step,
        "threshold_minor": 1,
        "total_minor": 1,
        "event_id": milestone.event_id,
        "occurred_at": milestone.occurred_at,
    }


def test_a_thousand_campaigns_have_a_bounded_number_of_series(migrated_url: str, engine: Engine) -> None:
    """The greatest by name, the others of each currency summed, and all together what SQL says."""
    _tables_of(
        engine,
        *[
            Story(f"film-{number:04}", [Fact(0, number % 4, 100 + number, number)], first_offset=number * 10)
            for number in range(1_000)
        ],
    )
    with engine.begin() as connection:
        connection.execute(text("UPDATE campaign_totals SET currency = 'JPY' WHERE pledged_minor % 2 = 0"))
    with _exporting(migrated_url, top_campaigns=3) as process:
        samples = _scrape(process)
    named = {dict(labels).get("campaign_id") for _, labels in samples} - {None}
    assert named == {"film-0997", "film-0998", "film-0999", "other"}
    assert len(samples) < 100
    with engine.connect() as connection:
        sums = connection.execute(
            text("SELECT currency, SUM(pledged_minor), SUM(collected_minor) FROM campaign_totals GROUP BY currency")
        ).all()
    for currency, pledged, collected in sums:
        assert _sum(samples, "cercles_campaign_pledged_minor", currency=currency) == pledged
        assert _sum(samples, "cercles_campaign_collected_minor", currency=currency) == collected


def test_a_campaign_named_other_does_not_double_a_series(migrated_url: str, engine: Engine) -> None:
    """Prometheus refuses a scrape with the same series twice: that campaign is among the rest."""
    others = Story("other", [Fact(0, 0, 9_000, 0)])
    _tables_of(engine, others, Story("film", [Fact(0, 0, 500, 0)], first_offset=10))
    with _exporting(migrated_url, top_campaigns=1) as process:
        samples = _scrape(process)
    labels = {"circle": "friends", "currency": "EUR"}
    assert _value(samples, "cercles_campaign_pledged_minor", campaign_id="other", **labels) == 9_000
    assert _value(samples, "cercles_campaign_pledged_minor", campaign_id="film", **labels) == 500


def test_reasons_of_dead_letters_are_bounded(migrated_url: str, engine: Engine) -> None:
    """Headers may say anything: beyond fifty reasons the rest is `other`, and nothing goes missing."""
    graveyard = FakePartition(DEAD_LETTERS.name)
    for number in range(70):
        graveyard.bury(DeadLetter(reason=f"reason_{number}", detail="", key=None, value=None))
    graveyard.drain(engine)
    with _exporting(migrated_url) as process:
        samples = _scrape(process)
    assert len([name for name, _ in samples if name == "cercles_dead_letters"]) == 51
    assert _sum(samples, "cercles_dead_letters") == 70


def test_gaps_are_counted(migrated_url: str, engine: Engine) -> None:
    """An alert hangs on it: a marked campaign shows until it is re-emitted."""
    topic = FakePartition()
    topic.say(story().update(2, 4))
    topic.drain(engine)
    with _exporting(migrated_url) as process:
        assert _value(_scrape(process), "cercles_campaigns_with_gap") == 1
        topic.say(story().update(0, 4))
        topic.drain(engine)
        assert _value(_scrape(process), "cercles_campaigns_with_gap") == 0


def test_without_the_database_nothing_old_is_shown(migrated_url: str, engine: Engine) -> None:
    """A scrape says that it failed, with no campaign's series; when the tables are back, so are the numbers."""
    _tables_of(engine, story())
    with _exporting(migrated_url) as process:
        assert _value(_scrape(process), "cercles_goals_reached_total") == 2
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE milestones RENAME TO hidden"))
        samples = _scrape(process)
        assert _value(samples, "cercles_exporter_up") == 0
        assert {name for name, _ in samples} == {"cercles_exporter_up", "cercles_exporter_scrape_duration_seconds"}
        assert "can't be read" in (process.not_ready() or "")
        assert process.registry.get_sample_value("cercles_exporter_scrapes_total", {"result": "failed"}) == 1
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE hidden RENAME TO milestones"))
        assert _value(_scrape(process), "cercles_goals_reached_total") == 2
        assert process.not_ready() is None


def test_an_empty_database_has_zeros_not_holes(migrated_url: str) -> None:
    """A rule about a counter's growth needs the counter from the beginning."""
    with _exporting(migrated_url) as process:
        samples = _scrape(process)
    for name in ("cercles_goals_reached_total", "cercles_goals_lost_total", "cercles_goals_overfunded_total"):
        assert _value(samples, name) == 0
    assert _value(samples, "cercles_newest_entry_age_seconds") is None


def test_after_the_stop_nothing_listens(migrated_url: str) -> None:
    """The address is free again."""
    with _exporting(migrated_url) as process:
        address = process.address(10)
    with pytest.raises(URLError):
        urlopen(address, timeout=5)  # noqa: S310 - our own address


def test_the_exporter_cannot_write(migrated_url: str) -> None:
    """It reads with a connection that refuses everything else, on both databases."""
    process = ExporterProcess(ExporterSettings(database=DatabaseConnection(url=SecretStr(migrated_url)), port=0))
    reading = process._engine
    with pytest.raises(Exception, match=r"readonly|read-only"), reading.begin() as connection:
        connection.execute(text("DELETE FROM milestones"))
    reading.dispose()
