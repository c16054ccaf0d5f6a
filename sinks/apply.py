"""Applies batches of a topic's partitions in one transaction, exactly once."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection, Engine, String, any_, bindparam, select, update
from sqlalchemy.dialects import postgresql

from schemas import tables
from schemas.failure_points import reach
from schemas.topics import DEAD_LETTERS, UPDATES
from schemas.updates import Position, Update
from sinks import dead_letters, positions
from sinks.bulk import Statement, appending, execute, stage_append, stage_upsert
from sinks.database import insert_new
from sinks.plan import Gap, Plan, Standing
from sinks.records import Batch, decoded

CAMPAIGNS_READ_MAX = 1_000
"""Campaigns whose standing one statement reads."""

_TOTALS: Final = tables.campaign_totals.c
_STANDINGS_OF: Final = select(
    _TOTALS.campaign_id,
    _TOTALS.position_offset,
    _TOTALS.position_number,
    _TOTALS.gap_offset,
    _TOTALS.pledged_minor,
    _TOTALS.collected_minor,
)
_STANDINGS: Final = {
    # As one value, however many there are: the statement stays the same, and prepared.
    "postgresql": _STANDINGS_OF.where(
        _TOTALS.campaign_id == any_(bindparam("campaign_ids", type_=postgresql.ARRAY(String)))
    ),
    "sqlite": _STANDINGS_OF.where(_TOTALS.campaign_id.in_(bindparam("campaign_ids", expanding=True))),
}

log = structlog.get_logger(__name__)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What batches came to, once their transaction is committed."""

    updates_applied: int = 0
    updates_known: int = 0
    entries: int = 0
    milestones: int = 0
    gaps: tuple[Gap, ...] = ()
    dead_letters: dict[str, int] = {}


Commit = Callable[[], Outcome]
"""Ends a transaction, by any thread. Until it returns, nobody knows whether anything stands.

To be called once, and soon: the transaction holds its locks until then.
"""


def apply(engine: Engine, *batches: Batch) -> Outcome:
    """Write what the batches change and move their partitions' positions over them, all or nothing.

    When this returns, everything is on disk. Raises what `begin` raises.
    """
    return begin(engine, *batches)()


def begin(engine: Engine, *batches: Batch) -> Commit:
    """Do the first part of applying batches, and return what does the rest.

    They are of different partitions of one topic. When either part raises, the transaction is over, and
    `positions.read` tells where to go on: after an error on the way of COMMIT nobody else can know. Raises
    StalePositionError when another sink was faster with one of them, UnreadableUpdateError and OtherLogError, which no
    repetition cures, the database's errors (so does the rest), and ValueError for batches that do not go together, or
    one that is empty or begins below its position.
    """
    if any(not batch.records or batch.records[0].offset < batch.position for batch in batches):
        raise ValueError("a batch begins at or above its position and holds a record")
    topics, partitions = {batch.topic for batch in batches}, {batch.partition for batch in batches}
    if len(topics) != 1 or len(partitions) != len(batches):
        raise ValueError("batches of one transaction are of different partitions of one topic")
    # Two sinks may have the same partitions for a moment: they must lock them in one order.
    ordered = sorted(batches, key=lambda batch: batch.partition)
    if topics == {UPDATES.name}:
        return _begin_updates(engine, ordered)
    if topics == {DEAD_LETTERS.name}:
        return _begin_dead_letters(engine, ordered)
    raise ValueError(f"nothing is known of the topic {topics.pop()!r}")


def _begin_updates(engine: Engine, batches: Sequence[Batch]) -> Commit:
    told = [(batch, batch.told or decoded(batch.topic, batch.partition, batch.records)) for batch in batches]
    with ExitStack() as transaction:
        connection = transaction.enter_context(engine.begin())
        for batch, said in told:
            positions.advance(connection, batch, said.progress)
        reach("sink.position_moved")
        plan = _planned(connection, [update_ for _, said in told for update_ in said.updates])
        left = _write(connection, plan)
        begun = transaction.pop_all()

    def commit() -> Outcome:
        with begun:
            execute(connection, left)
            reach("sink.updates_written")
        reach("sink.committed")
        return _outcome(plan)

    return commit


def _outcome(plan: Plan) -> Outcome:
    for gap in plan.gaps:
        if gap.first:  # the others of a marked campaign are counted, or they would flood the log
            _tell(gap)
    return Outcome(
        updates_applied=plan.applied,
        updates_known=plan.known,
        entries=len(plan.entries),
        milestones=len(plan.milestones),
        gaps=tuple(plan.gaps),
    )


def write_updates(connection: Connection, updates: Sequence[Update]) -> Plan:
    """Write what updates change, in the caller's transaction; return what they came to.

    Positions of campaigns move, the sink's own do not: `apply` sees to those.
    """
    plan = _planned(connection, updates)
    execute(connection, _write(connection, plan))
    return plan


def _begin_dead_letters(engine: Engine, batches: Sequence[Batch]) -> Commit:
    rows = [row for batch in batches for row in dead_letters.rows(batch)]
    with ExitStack() as transaction:
        connection = transaction.enter_context(engine.begin())
        for batch in batches:
            positions.advance(connection, batch)
        insert_new(connection, tables.dead_letters, dead_letters.UNIQUE, rows)
        reach("sink.dead_letters_written")
        begun = transaction.pop_all()

    def commit() -> Outcome:
        begun.close()
        reach("sink.committed")
        return Outcome(dead_letters=dict(Counter(row["reason"] for row in rows)))

    return commit


def _planned(connection: Connection, updates: Sequence[Update]) -> Plan:
    """Plan what updates change. Their entries, half of all rows, go to the database meanwhile."""
    plan = Plan(_standings(connection, {update.campaign_id for update in updates}))
    with appending(connection, tables.ledger_entries, sum(len(update.entries) for update in updates)) as take:
        for update_ in updates:
            known = len(plan.entries)
            plan.add(update_)
            take(plan.entries[known:])
    return plan


def _standings(connection: Connection, campaign_ids: Iterable[str]) -> dict[str, Standing]:
    wanted = sorted(campaign_ids)
    standings: dict[str, Standing] = {}
    for start in range(0, len(wanted), CAMPAIGNS_READ_MAX):
        chunk = wanted[start : start + CAMPAIGNS_READ_MAX]
        for campaign_id, offset, number, gap_offset, pledged, collected in connection.execute(
            _STANDINGS[connection.dialect.name], {"campaign_ids": chunk}
        ):
            standings[campaign_id] = Standing(
                position=Position(offset, number),
                gap_offset=gap_offset,
                pledged_minor=pledged,
                collected_minor=collected,
            )
    return standings


def _write(connection: Connection, plan: Plan) -> list[Statement]:
    """Bring all other rows to the database, and return what puts the last of them in their place."""
    left = [
        *stage_upsert(connection, tables.campaigns, plan.campaigns()),
        *stage_upsert(connection, tables.campaign_totals, plan.campaign_totals()),
        *stage_upsert(connection, tables.circle_totals, plan.circle_totals()),
        *stage_upsert(connection, tables.pledges, plan.pledges()),
        *stage_upsert(connection, tables.shares, plan.shares()),
        *stage_upsert(connection, tables.share_visits, plan.visits()),
        *stage_upsert(connection, tables.reward_totals, plan.reward_totals()),
        *stage_append(connection, tables.milestones, plan.milestones),
    ]
    marks = plan.marks()
    if marks:
        totals = tables.campaign_totals
        connection.execute(
            update(totals).where(totals.c.campaign_id == bindparam("marked")).values(gap_offset=bindparam("gap")),
            [{"marked": campaign_id, "gap": gap_offset} for campaign_id, gap_offset in marks],
        )
    return left


def _tell(gap: Gap) -> None:
    log.error(
        "campaign_gap",
        gap=gap.kind,
        campaign_id=gap.campaign_id,
        partition=gap.partition,
        position=f"{gap.position.offset}:{gap.position.number}",
        before=f"{gap.before.offset}:{gap.before.number}",
        after=f"{gap.after.offset}:{gap.after.number}",
        repair=f"the campaign's rows stay as they are until `cercles rebuild --campaign {gap.campaign_id}`",
    )
