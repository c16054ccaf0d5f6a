"""What the database has, read in one snapshot: each function is one bounded question."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Table, func, select

from schemas.tables import (
    DAY_TOTALS,
    campaign_totals,
    campaigns,
    circle_totals,
    dead_letters,
    ledger_entries,
    milestones,
    pledges,
    reward_totals,
    share_visits,
    shares,
    sink_positions,
)
from schemas.topics import DEAD_LETTERS, UPDATES

CAMPAIGNS_READ_MAX: Final = 500
"""Campaigns that one statement asks about."""

PLEDGES_READ_MAX: Final = 5_000
"""Pledges that are in memory at a time."""

_OWNED: Final[tuple[Table, ...]] = (
    campaigns,
    circle_totals,
    reward_totals,
    pledges,
    shares,
    share_visits,
    ledger_entries,
    milestones,
)


Row = dict[str, Any]


class Events(Struct, frozen=True):
    """The events of a partition from `start` up to, not including, `end`; of one campaign or of all."""

    partition: int
    start: int
    end: int
    campaign_id: str | None = None


class Standing(Struct, frozen=True):
    """How far the database has come in one partition."""

    log_next_offset: int
    log_id: str | None
    letters_settled: bool
    """Whether the dead letters of the stretch below `log_next_offset` are all there."""
    letters_next_offset: int


def standing(connection: Connection, partition: int) -> Standing:
    """Return how far a partition is told; nothing yet where no sink has been."""
    columns = sink_positions.c
    rows = {
        row.topic: row
        for row in connection.execute(select(sink_positions).where(columns.partition_number == partition))
    }
    updates, letters = rows.get(UPDATES.name), rows.get(DEAD_LETTERS.name)
    letters_next = 0 if letters is None else letters.next_offset
    if updates is None:
        return Standing(0, None, letters_settled=True, letters_next_offset=letters_next)
    return Standing(
        updates.log_next_offset,
        updates.log_id,
        letters_settled=letters_next >= updates.dead_letters_next_offset,
        letters_next_offset=letters_next,
    )


def totals(connection: Connection, partition: int, campaign_id: str | None) -> dict[str, Row]:
    """Return the rows of `campaign_totals` of a partition, or of one campaign."""
    chosen = select(campaign_totals).where(campaign_totals.c.partition_number == partition)
    if campaign_id is not None:
        chosen = chosen.where(campaign_totals.c.campaign_id == campaign_id)
    return {row["campaign_id"]: dict(row) for row in connection.execute(chosen).mappings()}


def lines(connection: Connection, table: Table, number: str, events: Events) -> dict[tuple[int, int], Row]:
    """Return entries or milestones, by the event's offset and their number, which stands in that column."""
    columns = table.c
    chosen = select(table).where(
        columns.partition_number == events.partition,
        columns.log_offset >= events.start,
        columns.log_offset < events.end,
    )
    if events.campaign_id is not None:
        chosen = chosen.where(columns.campaign_id == events.campaign_id)
    return {(row["log_offset"], row[number]): dict(row) for row in connection.execute(chosen).mappings()}


def lines_beyond(connection: Connection, table: Table, partition: int, end: int, campaign_id: str | None) -> int:
    """Return how many entries or milestones belong to events at or above `end`."""
    chosen = (
        select(func.count()).select_from(table).where(table.c.partition_number == partition, table.c.log_offset >= end)
    )
    if campaign_id is not None:
        chosen = chosen.where(table.c.campaign_id == campaign_id)
    return connection.scalar(chosen) or 0


def letters(connection: Connection, topic: str, events: Events) -> dict[int, Row]:
    """Return the dead letters of records from `start` up to `end`, by offset."""
    columns = dead_letters.c
    conditions: list[ColumnElement[bool]] = [
        columns.topic == topic,
        columns.partition_number == events.partition,
        columns.record_offset >= events.start,
        columns.record_offset < events.end,
    ]
    if events.campaign_id is not None:
        conditions.append(columns.key == events.campaign_id.encode())
    wanted = (columns.record_offset, columns.reason, columns.key, columns.value, columns.campaign_id)
    return {
        row["record_offset"]: dict(row) for row in connection.execute(select(*wanted).where(*conditions)).mappings()
    }


def of_campaigns(connection: Connection, table: Table, campaign_ids: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a table that belong to these campaigns, some at a time."""
    chosen = select(table).where(table.c.campaign_id.in_(campaign_ids))
    for row in connection.execute(chosen, execution_options={"yield_per": PLEDGES_READ_MAX}).mappings():
        yield dict(row)


def days(connection: Connection, campaign_ids: Sequence[str]) -> dict[tuple[str, Any], Row]:
    """Return the rows of the view `day_totals` that are not zero, by campaign and day."""
    columns = DAY_TOTALS.c
    chosen = select(DAY_TOTALS).where(
        columns.campaign_id.in_(campaign_ids), (columns.pledged_minor != 0) | (columns.collected_minor != 0)
    )
    return {(row["campaign_id"], row["day"]): dict(row) for row in connection.execute(chosen).mappings()}


def partitions_with_rows(connection: Connection) -> set[int]:
    """Return the partitions that any campaign's totals name."""
    return set(connection.scalars(select(campaign_totals.c.partition_number).distinct()))


def orphans(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield table and campaign id of rows whose campaign has no totals."""
    for table in _OWNED:
        column = table.c.campaign_id
        known = select(campaign_totals.c.campaign_id).where(campaign_totals.c.campaign_id == column)
        for campaign_id in connection.scalars(select(column).where(~known.exists()).distinct()):
            yield table.name, campaign_id


def pieces(campaign_ids: Iterable[str]) -> Iterator[list[str]]:
    """Cut campaign ids into lists of at most `CAMPAIGNS_READ_MAX`."""
    piece: list[str] = []
    for campaign_id in campaign_ids:
        piece.append(campaign_id)
        if len(piece) == CAMPAIGNS_READ_MAX:
            yield piece
            piece = []
    if piece:
        yield piece
