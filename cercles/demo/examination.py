"""Holds everything that can be asked about the campaign against what the story says must come out.

Each way of asking gives facts by the same names, so that two numbers which should be equal are seen not to be.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, FromClause, func, select

from cercles.demo.story import Story
from readers.answers import Campaign, Days, EventStatus, Milestone
from schemas.fields import AnyCircle
from schemas.tables import DAY_TOTALS, circle_totals, dead_letters, ledger_entries, milestones, pledges

Fact = int | tuple[object, ...]
Facts = Mapping[str, Fact]

_MILESTONES: Final = "milestones"


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that one way of asking answers otherwise than the story."""

    where: str
    fact: str
    expected: Fact
    found: Fact | None

    def __str__(self) -> str:
        return f"{self.where}: {self.fact} is {self.found}, the story says {self.expected}"


def expected_facts(story: Story) -> dict[str, Fact]:
    """Return what the story says must come out."""
    expected = story.expected
    facts: dict[str, Fact] = {
        "pledged_minor": story.minor(expected.pledged),
        "collected_minor": story.minor(expected.collected),
        "percent": expected.percent,
        "backers": expected.backers,
        "events sent": expected.events.sent,
        "events applied": expected.events.applied,
        "events unchanged": expected.events.unchanged,
        "events dead_letters": expected.events.dead_letters,
        _MILESTONES: tuple((one.type, one.step, one.occurrence, story.minor(one.total)) for one in expected.milestones),
    }
    for circle, totals in expected.circles.items():
        facts |= _circle(circle, story.minor(totals.pledged), story.minor(totals.collected), totals.backers)
    for reason, count in expected.dead_letters.items():
        facts[f"dead letters {reason}"] = count
    types = Counter(one.type for one in expected.milestones)
    return facts | {
        "goals reached": types["cercles.goal.reached"],
        "goals lost": types["cercles.goal.lost"],
        "goals overfunded": min(1, types["cercles.goal.overfunded"]),
    }


def differences(expected: Facts, where: str, found: Facts) -> Iterator[Difference]:
    """Yield each fact that was found to be another than expected, or that nobody expected."""
    for fact, value in found.items():
        if fact not in expected or expected[fact] != value:
            yield Difference(where, fact, expected.get(fact, 0), value)


def campaign_facts(campaign: Campaign, said: list[Milestone]) -> dict[str, Fact]:
    """Return what the reader's page of the campaign and its milestones say."""
    totals = campaign.totals
    facts: dict[str, Fact] = {
        "pledged_minor": totals.pledged_minor,
        "collected_minor": totals.collected_minor,
        "percent": totals.percent,
        "backers": totals.backers,
        _MILESTONES: tuple((one.type, one.step, one.occurrence, one.total_minor) for one in said),
    }
    for one in campaign.circles:
        facts |= _circle(one.circle, one.pledged_minor, one.collected_minor, one.backers)
    return facts


def day_facts(days: Days) -> dict[str, Fact]:
    """Return what the reader's days add up to."""
    return {
        "pledged_minor": sum(day.pledged_minor for day in days.days),
        "collected_minor": sum(day.collected_minor for day in days.days),
    }


def event_facts(sent: int, counts: Mapping[EventStatus, int], reasons: Mapping[str, int]) -> dict[str, Fact]:
    """Return what became of the events that were sent."""
    return {
        "events sent": sent,
        "events applied": counts.get("applied", 0),
        "events unchanged": counts.get("no_change", 0),
        "events dead_letters": counts.get("refused", 0),
        **{f"dead letters {reason}": count for reason, count in reasons.items()},
    }


def row_facts(connection: Connection, campaign_id: str) -> dict[str, dict[str, Fact]]:
    """Return what each table says, summed up by the database."""
    entries = ledger_entries.c
    places = select(entries.partition_number, entries.log_offset).where(entries.campaign_id == campaign_id).distinct()
    applied = connection.scalar(select(func.count()).select_from(places.subquery()))
    reasons = connection.execute(select(dead_letters.c.reason, func.count()).group_by(dead_letters.c.reason)).all()
    said = connection.execute(
        select(milestones)
        .where(milestones.c.campaign_id == campaign_id)
        .order_by(milestones.c.log_offset, milestones.c.milestone_number)
    ).all()
    return {
        "rows of ledger_entries": {
            **_sums(connection, ledger_entries, campaign_id),
            **_by_circle(connection, ledger_entries, campaign_id),
            "events applied": applied or 0,
        },
        "rows of pledges": {
            **_sums(connection, pledges, campaign_id),
            **_by_circle(connection, pledges, campaign_id),
        },
        "rows of circle_totals": {**_by_circle(connection, circle_totals, campaign_id)},
        "rows of day_totals": {**_sums(connection, DAY_TOTALS, campaign_id)},
        "rows of milestones": {
            _MILESTONES: tuple((one.type, one.step, one.occurrence, one.total_minor) for one in said)
        },
        "rows of dead_letters": {f"dead letters {reason}": count for reason, count in reasons},
    }


def metric_facts(text: str, campaign_id: str) -> dict[str, Fact]:
    """Return what the exporter's metrics say, in Prometheus' text format."""
    facts: dict[str, Fact] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = _metric_fact(sample.name, sample.labels, campaign_id)
            if name is not None:
                facts[name] = int(sample.value)
    return facts


_GOAL_METRICS: Final = {
    "cercles_goals_reached_total": "goals reached",
    "cercles_goals_lost_total": "goals lost",
    "cercles_goals_overfunded_total": "goals overfunded",
}
_CIRCLE_METRICS: Final = {
    "cercles_campaign_pledged_minor": "pledged_minor",
    "cercles_campaign_collected_minor": "collected_minor",
}


def _metric_fact(metric: str, labels: Mapping[str, str], campaign_id: str) -> str | None:
    if metric == "cercles_dead_letters":
        return f"dead letters {labels['reason']}"
    if metric in _CIRCLE_METRICS and labels["campaign_id"] == campaign_id:
        return f"{labels['circle']} {_CIRCLE_METRICS[metric]}"
    return _GOAL_METRICS.get(metric)


def _circle(circle: AnyCircle, pledged_minor: int, collected_minor: int, backers: int) -> dict[str, Fact]:
    return {
        f"{circle} pledged_minor": pledged_minor,
        f"{circle} collected_minor": collected_minor,
        f"{circle} backers": backers,
    }


def _sums(connection: Connection, table: FromClause, campaign_id: str) -> dict[str, Fact]:
    columns = table.c
    query = select(func.sum(columns.pledged_minor), func.sum(columns.collected_minor))
    pledged_minor, collected_minor = connection.execute(query.where(columns.campaign_id == campaign_id)).one()
    return {"pledged_minor": int(pledged_minor or 0), "collected_minor": int(collected_minor or 0)}


def _by_circle(connection: Connection, table: FromClause, campaign_id: str) -> dict[str, Fact]:
    columns = table.c
    query = (
        select(columns.circle, func.sum(columns.pledged_minor), func.sum(columns.collected_minor))
        .where(columns.campaign_id == campaign_id, columns.circle.is_not(None))
        .group_by(columns.circle)
    )
    facts: dict[str, Fact] = {}
    for circle, pledged_minor, collected_minor in connection.execute(query):
        facts[f"{circle} pledged_minor"] = int(pledged_minor)
        facts[f"{circle} collected_minor"] = int(collected_minor)
    return facts
