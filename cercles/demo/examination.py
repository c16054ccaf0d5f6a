"""Holds everything that can be asked about the campaign against what the story says must come out.

Each way of asking gives facts by the same names, so that two numbers which should be equal are seen not to be.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, FromClause, func, select

from cercles.demo.story import Story
from readers.answers import Campaign, Days, EventStatus, Milestone
from schemas.tables import DAY_TOTALS, circle_totals, dead_letters, ledger_entries, milestones, pledges

Kind = Literal[
    "totals", "percent", "circles", "backers", "milestones", "goals", "dead letters", "events", "applied events"
]
Value = int | tuple[object, ...]
Facts = Mapping[Kind, Mapping[str, Value]]
"""Facts by kind and name. Who answers a kind answers all of it: what is missing there is 0."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that one way of asking answers otherwise than the story."""

    where: str
    fact: str
    expected: Value
    found: Value

    def __str__(self) -> str:
        return f"{self.where}: {self.fact} is {self.found}, the story says {self.expected}"


def expected_facts(story: Story) -> Facts:
    """Return what the story says must come out."""
    expected = story.expected
    types = Counter(one.type for one in expected.milestones)
    circles: dict[str, Value] = {}
    for circle, totals in expected.circles.items():
        circles |= _amounts(circle, story.minor(totals.pledged), story.minor(totals.collected))
    return {
        "totals": _amounts("campaign", story.minor(expected.pledged), story.minor(expected.collected)),
        "percent": {"campaign": expected.percent},
        "circles": circles,
        "backers": {
            "campaign": expected.backers,
            **{circle: totals.backers for circle, totals in expected.circles.items()},
        },
        "milestones": {
            "in order": tuple(
                (one.type, one.step, one.occurrence, story.minor(one.total)) for one in expected.milestones
            )
        },
        "goals": {
            "reached": types["cercles.goal.reached"],
            "lost": types["cercles.goal.lost"],
            "overfunded": min(1, types["cercles.goal.overfunded"]),
        },
        "dead letters": expected.dead_letters,
        "events": {
            "sent": expected.events.sent,
            "applied": expected.events.applied,
            "unchanged": expected.events.unchanged,
            "dead letters": expected.events.dead_letters,
        },
        "applied events": {"campaign": expected.events.applied},
    }


def differences(expected: Facts, where: str, found: Facts) -> Iterator[Difference]:
    """Yield each fact, of the kinds that were found, that is not as expected."""
    for kind, facts in found.items():
        for name in sorted(expected[kind].keys() | facts.keys()):
            wanted, value = expected[kind].get(name, 0), facts.get(name, 0)
            if wanted != value:
                yield Difference(where, f"{kind}, {name}", wanted, value)


def campaign_facts(campaign: Campaign, said: Sequence[Milestone]) -> Facts:
    """Return what the reader's page of the campaign and its milestones say."""
    totals = campaign.totals
    circles: dict[str, Value] = {}
    for one in campaign.circles:
        circles |= _amounts(one.circle, one.pledged_minor, one.collected_minor)
    return {
        "totals": _amounts("campaign", totals.pledged_minor, totals.collected_minor),
        "percent": {"campaign": totals.percent},
        "circles": circles,
        "backers": {"campaign": totals.backers, **{one.circle: one.backers for one in campaign.circles}},
        "milestones": {"in order": tuple((one.type, one.step, one.occurrence, one.total_minor) for one in said)},
    }


def day_facts(days: Days) -> Facts:
    """Return what the reader's days add up to."""
    pledged_minor = sum(day.pledged_minor for day in days.days)
    return {"totals": _amounts("campaign", pledged_minor, sum(day.collected_minor for day in days.days))}


def event_facts(sent: int, counts: Mapping[EventStatus, int], reasons: Mapping[str, int]) -> Facts:
    """Return what became of the events that were sent."""
    return {
        "events": {
            "sent": sent,
            "applied": counts.get("applied", 0),
            "unchanged": counts.get("no_change", 0),
            "dead letters": counts.get("refused", 0),
        },
        "dead letters": reasons,
    }


def row_facts(connection: Connection, campaign_id: str) -> dict[str, Facts]:
    """Return what each table says, summed up by the database."""
    entries, said = ledger_entries.c, milestones.c
    places = select(entries.partition_number, entries.log_offset).where(entries.campaign_id == campaign_id).distinct()
    applied = connection.scalar(select(func.count()).select_from(places.subquery()))
    reasons = connection.execute(select(dead_letters.c.reason, func.count()).group_by(dead_letters.c.reason))
    in_order = connection.execute(
        select(said.type, said.step, said.occurrence, said.total_minor)
        .where(said.campaign_id == campaign_id)
        .order_by(said.log_offset, said.milestone_number)
    )
    return {
        "rows of ledger_entries": {
            "totals": _sums(connection, ledger_entries, campaign_id),
            "circles": _by_circle(connection, ledger_entries, campaign_id),
            "applied events": {"campaign": applied or 0},
        },
        "rows of pledges": {
            "totals": _sums(connection, pledges, campaign_id),
            "circles": _by_circle(connection, pledges, campaign_id),
        },
        "rows of circle_totals": {"circles": _by_circle(connection, circle_totals, campaign_id)},
        "rows of day_totals": {"totals": _sums(connection, DAY_TOTALS, campaign_id)},
        "rows of milestones": {"milestones": {"in order": tuple(tuple(row) for row in in_order)}},
        "rows of dead_letters": {"dead letters": {reason: count for reason, count in reasons}},  # noqa: C416 (rows)
    }


def metric_facts(text: str, campaign_id: str) -> Facts:
    """Return what the exporter's metrics say, in Prometheus' text format."""
    circles: dict[str, Value] = {}
    goals: dict[str, Value] = {}
    reasons: dict[str, Value] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels, value = sample.labels, int(sample.value)
            if sample.name in _CIRCLE_METRICS and labels["campaign_id"] == campaign_id:
                circles[f"{labels['circle']} {_CIRCLE_METRICS[sample.name]}"] = value
            elif sample.name in _GOAL_METRICS:
                goals[_GOAL_METRICS[sample.name]] = value
            elif sample.name == "cercles_dead_letters":
                reasons[labels["reason"]] = value
    return {"circles": circles, "goals": goals, "dead letters": reasons}


_GOAL_METRICS: Final = {
    "cercles_goals_reached_total": "reached",
    "cercles_goals_lost_total": "lost",
    "cercles_goals_overfunded_total": "overfunded",
}
_CIRCLE_METRICS: Final = {
    "cercles_campaign_pledged_minor": "pledged_minor",
    "cercles_campaign_collected_minor": "collected_minor",
}


def _amounts(name: str, pledged_minor: int, collected_minor: int) -> dict[str, Value]:
    return {f"{name} pledged_minor": pledged_minor, f"{name} collected_minor": collected_minor}


def _sums(connection: Connection, table: FromClause, campaign_id: str) -> dict[str, Value]:
    columns = table.c
    query = select(func.sum(columns.pledged_minor), func.sum(columns.collected_minor))
    pledged_minor, collected_minor = connection.execute(query.where(columns.campaign_id == campaign_id)).one()
    return _amounts("campaign", int(pledged_minor or 0), int(collected_minor or 0))


def _by_circle(connection: Connection, table: FromClause, campaign_id: str) -> dict[str, Value]:
    columns = table.c
    query = (
        select(columns.circle, func.sum(columns.pledged_minor), func.sum(columns.collected_minor))
        .where(columns.campaign_id == campaign_id, columns.circle.is_not(None))
        .group_by(columns.circle)
    )
    facts: dict[str, Value] = {}
    for circle, pledged_minor, collected_minor in connection.execute(query):
        facts |= _amounts(circle, int(pledged_minor), int(collected_minor))
    return facts
