"""The demo's examination: every way of asking is held against the story, and a difference is named."""

from cercles.demo.examination import (
    Facts,
    campaign_facts,
    day_facts,
    differences,
    event_facts,
    expected_facts,
    metric_facts,
)
from cercles.demo.story import load
from readers.answers import Day, Days
from tests.command.scenes import MILESTONES, NOW, a_campaign

EXPECTED = expected_facts(load())

METRICS = """\
# HELP cercles_goals_reached_total Goals
# TYPE cercles_goals_reached_total counter
cercles_goals_reached_total 2.0
# TYPE cercles_goals_lost_total counter
cercles_goals_lost_total 1.0
# TYPE cercles_goals_overfunded_total counter
cercles_goals_overfunded_total 1.0
# TYPE cercles_campaign_pledged_minor gauge
cercles_campaign_pledged_minor{campaign_id="les-anges-anonymes",circle="friends",currency="EUR"} 596500.0
cercles_campaign_pledged_minor{campaign_id="another",circle="friends",currency="EUR"} 1.0
# TYPE cercles_dead_letters gauge
cercles_dead_letters{reason="currency_mismatch"} 1.0
"""


def words(where: str, found: Facts) -> list[str]:
    return [str(one) for one in differences(EXPECTED, where, found)]


def test_a_number_that_differs_is_named_with_both_values() -> None:
    """And with where it was asked."""
    [found] = words("reader", {"totals": {"campaign pledged_minor": 1_722_999, "campaign collected_minor": 1_446_000}})
    assert found == "reader: totals, campaign pledged_minor is 1722999, the story says 1723000"


def test_a_number_that_is_missing_differs_too() -> None:
    """Who answers a kind of fact answers all of it."""
    found = words("events", {"dead letters": {"currency_mismatch": 1, "source_not_allowed": 1}})
    assert found == ["events: dead letters, conflicting_duplicate is 0, the story says 1"]


def test_a_number_that_nobody_expected_differs_too() -> None:
    """A dead letter for a reason that the story does not have is one too many."""
    reasons = {"currency_mismatch": 1, "source_not_allowed": 1, "conflicting_duplicate": 1, "misrouted": 1}
    assert words("events", {"dead letters": reasons}) == ["events: dead letters, misrouted is 1, the story says 0"]


def test_the_story_does_not_differ_from_itself() -> None:
    """All kinds, all names."""
    assert words("story", EXPECTED) == []


def test_the_readers_answers_are_facts() -> None:
    """Totals, percent and milestones of the page; what the days add up to."""
    facts = campaign_facts(a_campaign(), MILESTONES)
    assert facts["percent"] == EXPECTED["percent"]
    assert facts["milestones"] == EXPECTED["milestones"]
    assert facts["totals"]["campaign pledged_minor"] == 1_723_000
    day = Day(day=NOW.date(), pledged_minor=5, pledged="", collected_minor=2, collected="")
    campaign = a_campaign()
    days = Days(
        campaign_id="c",
        as_of="0:1",
        complete=True,
        gap_at=None,
        timezone="UTC",
        totals=campaign.totals,
        days=[day, day],
    )
    assert day_facts(days)["totals"] == {"campaign pledged_minor": 10, "campaign collected_minor": 4}


def test_events_add_up() -> None:
    """What was sent, and what became of it."""
    counts = {"applied": 265, "no_change": 2, "refused": 3}
    facts = event_facts(270, counts, {"currency_mismatch": 1, "source_not_allowed": 1, "conflicting_duplicate": 1})  # type: ignore[arg-type]  # literal keys
    assert words("events", facts) == []


def test_the_exporters_metrics_are_facts() -> None:
    """Of this campaign alone."""
    facts = metric_facts(METRICS, "les-anges-anonymes")
    assert facts["goals"] == {"reached": 2, "lost": 1, "overfunded": 1}
    assert facts["circles"] == {"friends pledged_minor": 596_500}
    assert facts["dead letters"] == {"currency_mismatch": 1}
