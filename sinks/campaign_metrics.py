"""The campaigns' metrics, each from one query. Every label set is bounded."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, get_args

from prometheus_client.core import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from schemas.fields import Circle
from schemas.tables import (
    campaign_totals,
    campaigns,
    circle_totals,
    dead_letter_resolutions,
    dead_letters,
    ledger_entries,
    milestones,
)
from schemas.tables import sink_positions as positions
from schemas.topics import UPDATES
from schemas.updates import MilestoneType
from sinks.metrics import OTHER, REASONS_MAX

MILESTONE_TYPES: Final[tuple[MilestoneType, ...]] = get_args(MilestoneType)
WIDER_CIRCLES: Final[tuple[Circle, ...]] = get_args(Circle)[1:]
"""Those that can open early: every circle but the narrowest."""

_STANDING_LABELS: Final = ("campaign_id", "currency")
OVERFUNDED_FIRST_STEP: Final = 100
"""The step of the first unit above the goal: it is said once for each overfunded campaign."""


def families(connection: Connection, *, top_campaigns: int) -> list[Metric]:
    """Return every metric as of the connection's transaction. Raises the database's errors."""
    return [
        *_milestones(connection),
        *_amounts(connection, top_campaigns),
        *_standing(connection, top_campaigns),
        _campaigns(connection),
        _gaps(connection),
        _dead_letters(connection),
        *_open_dead_letters(connection),
        *_positions(connection),
        _newest(connection),
    ]


def _milestones(connection: Connection) -> Iterable[Metric]:
    columns = milestones.c
    first = case((columns.step == OVERFUNDED_FIRST_STEP, 1), else_=0)
    said = {
        kind: (number, firsts)
        for kind, number, firsts in connection.execute(
            select(columns.type, func.count(), func.sum(first)).group_by(columns.type)
        )
    }
    overfunded = said.get("cercles.goal.overfunded", (0, 0))[1]
    yield CounterMetricFamily(
        "cercles_goals_reached",
        "Times that a campaign reached its goal; one that loses and reaches it again counts again",
        value=said.get("cercles.goal.reached", (0, 0))[0],
    )
    yield CounterMetricFamily(
        "cercles_goals_lost",
        "Times that a campaign lost its goal by a refund, a dispute or a higher goal",
        value=said.get("cercles.goal.lost", (0, 0))[0],
    )
    yield CounterMetricFamily(
        "cercles_goals_overfunded",
        "Campaigns that passed their goal: overfunding of step 100, which is said once for each; further steps are in "
        "cercles_milestones_total",
        value=int(overfunded),
    )
    every = CounterMetricFamily("cercles_milestones", "Milestones said, by type", labels=("type",))
    for kind in MILESTONE_TYPES:
        every.add_metric((kind,), said.get(kind, (0, 0))[0])
    yield every
    yield _opened_early(connection)


def _opened_early(connection: Connection) -> Metric:
    columns = milestones.c
    found = connection.execute(
        select(columns.circle, func.count().label("number"))
        .where(columns.type == "cercles.circle.opened_early")
        .group_by(columns.circle)
    )
    number_of = {row.circle: row.number for row in found}
    family = CounterMetricFamily(
        "cercles_circles_opened_early",
        "Times that a circle opened before the next narrower one of its campaign had carried its part",
        labels=("circle",),
    )
    for circle in WIDER_CIRCLES:
        family.add_metric((circle,), number_of.get(circle, 0))
    return family


def _amounts(connection: Connection, top_campaigns: int) -> Iterable[Metric]:
    totals, circles = campaign_totals.c, circle_totals.c
    top = _top(top_campaigns).cte("top")
    label = func.coalesce(top.c.campaign_id, OTHER).label("label")
    found = connection.execute(
        select(label, circles.circle, totals.currency, *_sums(circles.pledged_minor, circles.collected_minor))
        .select_from(
            campaign_totals.join(circle_totals, circles.campaign_id == totals.campaign_id).outerjoin(
                top, top.c.campaign_id == totals.campaign_id
            )
        )
        .group_by(label, circles.circle, totals.currency)
    ).all()
    words = (
        f"of a campaign in one circle, in minor units of the currency; the {top_campaigns} campaigns with the highest "
        "pledged amounts by name, the others of each currency together as `other`"
    )
    labels = ("campaign_id", "circle", "currency")
    pledged = GaugeMetricFamily("cercles_campaign_pledged_minor", f"Pledged total {words}", labels=labels)
    collected = GaugeMetricFamily("cercles_campaign_collected_minor", f"Collected total {words}", labels=labels)
    for campaign_id, circle, currency, pledged_minor, collected_minor in found:
        pledged.add_metric((campaign_id, circle, currency), int(pledged_minor))
        collected.add_metric((campaign_id, circle, currency), int(collected_minor))
    return pledged, collected


def _top(campaigns_max: int) -> Select[Any]:
    totals = campaign_totals.c
    return (
        select(totals.campaign_id)
        .where(totals.campaign_id != OTHER)  # a campaign with that id would double the series of the rest
        .order_by(totals.pledged_minor.desc(), totals.campaign_id)
        .limit(campaigns_max)
    )


def _standing(connection: Connection, top_campaigns: int) -> Iterable[Metric]:
    """What stands beside the amounts of the campaigns that are shown by name."""
    totals = campaign_totals.c
    shown = {
        "goal_minor": (totals.goal_minor, "Goal, in minor units of the currency"),
        "percent": (totals.percent, "Percent of the goal, for people: floored below 100, rounded above"),
        "backers": (totals.backers, "Distinct backers"),
        "late_minor": (totals.late_minor, "Pledged after the deadline, outside every total, in minor units"),
        "over_returned_minor": (
            totals.over_returned_minor,
            "Refunded or lost beyond what was captured, in minor units: look at the payments when it is not 0",
        ),
    }
    named = set(connection.scalars(_top(top_campaigns)))
    found = connection.execute(
        select(totals.campaign_id, totals.currency, *(column for column, _ in shown.values())).where(
            totals.campaign_id.in_(named)
        )
    ).all()
    families = [
        GaugeMetricFamily(f"cercles_campaign_{name}", f"{words}; the campaigns shown by name", labels=_STANDING_LABELS)
        for name, (_, words) in shown.items()
    ]
    for campaign_id, currency, *values in found:
        for family, value in zip(families, values, strict=True):
            family.add_metric((campaign_id, currency), value)
    return families


def _sums(*columns: ColumnElement[int]) -> list[ColumnElement[Any]]:
    return [func.sum(column) for column in columns]


def _campaigns(connection: Connection) -> Metric:
    columns = campaigns.c
    family = GaugeMetricFamily(
        "cercles_campaigns", "Campaigns, by currency and by their outcome so far", labels=("currency", "status")
    )
    for currency, status, number in connection.execute(
        select(columns.currency, columns.status, func.count()).group_by(columns.currency, columns.status)
    ):
        family.add_metric((currency, status), number)
    return family


def _gaps(connection: Connection) -> Metric:
    number = connection.scalar(
        select(func.count()).select_from(campaign_totals).where(campaign_totals.c.gap_offset.is_not(None))
    )
    return GaugeMetricFamily(
        "cercles_campaigns_with_gap",
        "Campaigns whose rows stay as they are until they are re-emitted from the log, since an update was missed",
        value=number or 0,
    )


def _dead_letters(connection: Connection) -> Metric:
    number = func.count().label("number")
    found = connection.execute(
        select(dead_letters.c.reason, number)
        .group_by(dead_letters.c.reason)
        .order_by(number.desc(), dead_letters.c.reason)
    ).all()
    family = GaugeMetricFamily("cercles_dead_letters", "Dead letters that stand in the database", labels=("reason",))
    for label, count in _by_bounded_reason((reason, count) for reason, count in found).items():
        family.add_metric((label,), count)
    return family


def _open_dead_letters(connection: Connection, now: Callable[[], float] = time.time) -> Iterable[Metric]:
    """Those that nobody has replayed or dropped (`cercles dead-letters`)."""
    letters, decided = dead_letters.c, dead_letter_resolutions.c
    decision = select(decided.resolution_id).where(
        decided.topic == letters.topic,
        decided.partition_number == letters.partition_number,
        decided.record_offset == letters.record_offset,
    )
    number, oldest = func.count().label("number"), func.min(letters.refused_at)
    found = connection.execute(
        select(letters.reason, number, oldest)
        .where(~decision.exists())
        .group_by(letters.reason)
        .order_by(number.desc(), letters.reason)
    ).all()
    family = GaugeMetricFamily(
        "cercles_dead_letters_open", "Dead letters that nobody has replayed or dropped", labels=("reason",)
    )
    for label, count in _by_bounded_reason((reason, count) for reason, count, _ in found).items():
        family.add_metric((label,), count)
    moments: list[datetime] = [moment for _, _, moment in found]
    age = GaugeMetricFamily(
        "cercles_dead_letters_oldest_open_age_seconds",
        "Seconds since the oldest dead letter that nobody has replayed or dropped was refused; 0 without any",
        value=max(now() - min(moments).timestamp(), 0.0) if moments else 0.0,
    )
    return family, age


def _by_bounded_reason(found: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the counts by reason: the first REASONS_MAX by name, the rest together."""
    counted: dict[str, int] = {}
    for place, (reason, count) in enumerate(found):
        label = reason if place < REASONS_MAX else OTHER
        counted[label] = counted.get(label, 0) + count
    return counted


def _positions(connection: Connection) -> Iterable[Metric]:
    columns = positions.c
    read = GaugeMetricFamily("cercles_sink_position", "Offset that the sink reads next", labels=("topic", "partition"))
    log = GaugeMetricFamily(
        "cercles_log_position", "Offset of the log below which every event shows in the database", labels=("partition",)
    )
    for topic, partition, next_offset, log_next_offset in connection.execute(
        select(columns.topic, columns.partition_number, columns.next_offset, columns.log_next_offset).order_by(
            columns.topic, columns.partition_number
        )
    ):
        read.add_metric((topic, str(partition)), next_offset)
        if topic == UPDATES.name:
            log.add_metric((str(partition),), log_next_offset)
    return read, log


def _newest(connection: Connection, now: Callable[[], float] = time.time) -> Metric:
    """Each partition's last entry is found by the primary key: nothing else of a table that grows for ever is read."""
    entries, columns = ledger_entries.c, positions.c
    last = (
        select(entries.occurred_at)
        .where(entries.partition_number == columns.partition_number)
        .order_by(entries.log_offset.desc(), entries.entry_number.desc())
        .limit(1)
        .scalar_subquery()
    )
    moments: list[datetime] = [
        moment for moment in connection.scalars(select(last).where(columns.topic == UPDATES.name)) if moment is not None
    ]
    age = GaugeMetricFamily(
        "cercles_newest_entry_age_seconds",
        "Seconds since the newest event that changed a campaign, by the event's own time; no sample before the first",
    )
    if moments:
        age.add_metric((), max(now() - max(moments).timestamp(), 0.0))
    return age
