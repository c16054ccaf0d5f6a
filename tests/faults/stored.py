"""What the database has, as the oracle asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, func, select

from schemas import tables
from schemas.topics import DEAD_LETTERS, UPDATES


@dataclass(frozen=True)
class Stored:
    """What the database has of a stretch of the log."""

    entries: list[tuple[Any, ...]]
    milestones: list[tuple[Any, ...]]
    dead_letters: list[tuple[Any, ...]]
    log_ends: dict[int, int]
    gaps: list[str]

    @classmethod
    def since(cls, engine: Engine, starts: dict[int, int]) -> "Stored":
        """Read it all in one transaction. Raises the database's errors."""
        entry, milestone, dead = tables.ledger_entries.c, tables.milestones.c, tables.dead_letters.c
        position, totals = tables.sink_positions.c, tables.campaign_totals.c
        entries: list[Row[*tuple[Any, ...]]] = []
        said: list[Row[*tuple[Any, ...]]] = []
        letters: list[Row[*tuple[Any, ...]]] = []
        with engine.connect() as connection:
            for partition, start in starts.items():
                entries += connection.execute(
                    select(
                        entry.partition_number,
                        entry.log_offset,
                        entry.entry_number,
                        entry.campaign_id,
                        entry.event_id,
                        entry.pledge_id,
                        entry.circle,
                        entry.pledged_minor,
                        entry.collected_minor,
                        entry.reward_exhausted,
                    ).where(entry.partition_number == partition, entry.log_offset >= start)
                ).all()
                said += connection.execute(
                    select(
                        milestone.partition_number,
                        milestone.log_offset,
                        milestone.milestone_number,
                        milestone.campaign_id,
                        milestone.type,
                    ).where(milestone.partition_number == partition, milestone.log_offset >= start)
                ).all()
                letters += connection.execute(
                    select(dead.topic, dead.partition_number, dead.record_offset, dead.reason).where(
                        dead.partition_number == partition, dead.record_offset >= start
                    )
                ).all()
            ends = connection.execute(
                select(position.partition_number, position.log_next_offset).where(position.topic == UPDATES.name)
            ).all()
            gaps = connection.scalars(select(totals.campaign_id).where(totals.gap_offset.is_not(None))).all()
        return cls(
            entries=[tuple(row) for row in entries],
            milestones=[tuple(row) for row in said],
            dead_letters=[tuple(row) for row in letters],
            log_ends={row[0]: row[1] for row in ends},
            gaps=list(gaps),
        )


def unequal_sums(engine: Engine) -> list[str]:
    """Return the campaigns whose circles, days or entries do not add up to their totals, in the database itself."""
    totals = tables.campaign_totals.c
    columns: list[ColumnElement[Any]] = [totals.campaign_id, totals.pledged_minor, totals.collected_minor]
    parts = [tables.circle_totals, tables.DAY_TOTALS, tables.ledger_entries]
    for part in parts:
        for name in ("pledged_minor", "collected_minor"):
            total = select(func.coalesce(func.sum(part.c[name]), 0)).where(part.c.campaign_id == totals.campaign_id)
            columns.append(total.scalar_subquery())
    with engine.connect() as connection:
        rows = connection.execute(select(*columns)).all()
    return [row[0] for row in rows if not tuple(row[1:3]) == tuple(row[3:5]) == tuple(row[5:7]) == tuple(row[7:9])]


def stored_milestones(engine: Engine, campaign_id: str) -> list[tuple[Any, ...]]:
    """Return what the database says was said of a campaign, in order, in the words of `_key`."""
    column = tables.milestones.c
    with engine.connect() as connection:
        rows = connection.execute(
            select(
                column.type,
                column.log_offset,
                column.event_id,
                column.step,
                column.occurrence,
                column.stretch_goal_id,
                column.circle,
                column.total_minor,
            )
            .where(column.campaign_id == campaign_id)
            .order_by(column.log_offset, column.milestone_number)
        ).all()
    return [tuple(row) for row in rows]


def has_applied(engine: Engine, ends: Mapping[int, int]) -> bool:
    """Whether the database has the log below these offsets, and the dead letters of that stretch.

    Raises the database's errors.
    """
    column = tables.sink_positions.c
    with engine.connect() as connection:
        rows = connection.execute(
            select(
                column.topic,
                column.partition_number,
                column.next_offset,
                column.log_next_offset,
                column.dead_letters_next_offset,
            )
        ).all()
    applied = {row.partition_number: row for row in rows if row.topic == UPDATES.name}
    letters = {row.partition_number: row.next_offset for row in rows if row.topic == DEAD_LETTERS.name}
    return all(
        partition in applied
        and applied[partition].log_next_offset >= end
        and letters.get(partition, 0) >= applied[partition].dead_letters_next_offset
        for partition, end in ends.items()
        if end
    )
