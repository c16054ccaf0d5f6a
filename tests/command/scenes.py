"""Answers of a reader, made up for tests of what is drawn from them."""

from datetime import UTC, datetime, timedelta

from readers.answers import Campaign, Circle, Milestone, Terms, Totals
from schemas.fields import AnyCircle
from schemas.money import format_amount
from schemas.updates import MilestoneType

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_circle(name: AnyCircle, pledged_minor: int, backers: int) -> Circle:
    return Circle(
        circle=name,
        pledged_minor=pledged_minor,
        pledged=format_amount(pledged_minor, "EUR"),
        collected_minor=0,
        collected="0.00",
        backers=backers,
    )


def a_campaign(pledged_minor: int = 1_723_000, percent: int = 115, goal_minor: int = 1_500_000) -> Campaign:
    return Campaign(
        campaign_id="les-anges-anonymes",
        as_of="0:1000",
        complete=True,
        gap_at=None,
        status="open",
        terms=Terms(
            title="Les Anges Anonymes",
            goal_basis="pledged",
            funding_model="keep_it_all",
            stretch_goals=[],
            opens_at=NOW - timedelta(days=24),
            closes_at=NOW + timedelta(days=6, hours=1),
            settle_hours=1,
            timezone="Europe/Paris",
            revision=0,
        ),
        totals=Totals(
            currency="EUR",
            goal_minor=goal_minor,
            goal=format_amount(goal_minor, "EUR"),
            pledged_minor=pledged_minor,
            pledged=format_amount(pledged_minor, "EUR"),
            collected_minor=pledged_minor // 2,
            collected=format_amount(pledged_minor // 2, "EUR"),
            over_returned_minor=0,
            over_returned="0.00",
            late_minor=0,
            late="0.00",
            percent=percent,
            backers=183,
        ),
        circles=[
            a_circle("friends", pledged_minor * 35 // 100, 31),
            a_circle("friends_of_friends", pledged_minor * 36 // 100, 64),
            a_circle("public", pledged_minor * 27 // 100, 83),
            a_circle("unattributed", 0, 0),
        ],
        unattributed={},
    )


def a_milestone(
    kind: MilestoneType, total_minor: int, *, step: int | None = None, occurrence: int | None = None, offset: int = 1
) -> Milestone:
    return Milestone(
        type=kind,
        position=f"0:{offset}",
        event_id="e",
        occurred_at=NOW,
        step=step,
        occurrence=occurrence,
        stretch_goal_id=None,
        circle=None,
        narrower_circle=None,
        threshold_minor=total_minor,
        threshold="",
        total_minor=total_minor,
        total="",
    )


MILESTONES = (
    a_milestone("cercles.milestone.passed", 375_000, step=25),
    a_milestone("cercles.milestone.passed", 751_500, step=50),
    a_milestone("cercles.milestone.passed", 1_125_000, step=75),
    a_milestone("cercles.goal.reached", 1_500_000, occurrence=1, offset=2),
    a_milestone("cercles.goal.lost", 1_480_000, occurrence=1, offset=3),
    a_milestone("cercles.goal.reached", 1_500_500, occurrence=2, offset=4),
    a_milestone("cercles.goal.overfunded", 1_500_500, step=100, offset=4),
    a_milestone("cercles.goal.overfunded", 1_576_500, step=105, offset=5),
    a_milestone("cercles.goal.overfunded", 1_651_000, step=110, offset=6),
)
