"""What became of one event of the log: the answer that an integrator holds against each 202."""

from typing import Any

from sqlalchemy import Connection, Row, select

from readers import answers
from readers.positions import Cursor, Position
from readers.progress import has_passed, read_progress
from readers.queries import entry
from readers.settings import PAGE_SIZE_MAX
from schemas.tables import campaign_totals, dead_letters, ledger_entries
from schemas.topics import LOG


class EventElsewhereError(LookupError):
    """The event at that position belongs to another campaign."""


def read_event(connection: Connection, campaign_id: str, position: Position) -> answers.Event:
    """Return what became of the event at that position, asked about under that campaign.

    A campaign that is not stored is no error: its launch may be pending or refused, and both are answers. An event
    without effect leaves nothing that names its campaign, so `no_change` is answered under any.

    Raises EventElsewhereError when the event is known to be another campaign's.
    """
    campaign = connection.execute(
        select(
            campaign_totals.c.currency,
            campaign_totals.c.partition_number,
            campaign_totals.c.position_offset,
            campaign_totals.c.gap_offset,
        ).where(campaign_totals.c.campaign_id == campaign_id)
    ).one_or_none()
    progress = read_progress(connection)
    known = [progress[position.partition].next_offset - 1] if position.partition in progress else []
    if campaign is not None and campaign.partition_number == position.partition:
        known.append(campaign.position_offset)

    found = _applied(connection, campaign_id, position, campaign) or _refused(connection, campaign_id, position)
    if found is not None:
        status, rest = found
        return _answer(campaign_id, position, [*known, position.offset], status, rest)
    if campaign is not None and _is_in_gap(campaign, position):
        missed = (
            f"the campaign has a gap at {Position(position.partition, campaign.gap_offset)} that is not repaired yet"
        )
        return _answer(campaign_id, position, known, "pending", {"detail": missed})
    return _answer(campaign_id, position, known, "no_change" if has_passed(progress, position) else "pending", {})


def _is_in_gap(campaign: Row[*tuple[Any, ...]], position: Position) -> bool:
    """Whether updates about that position may have been skipped: then missing entries mean nothing."""
    return (
        campaign.gap_offset is not None
        and campaign.partition_number == position.partition
        and position.offset > campaign.position_offset
    )


def _applied(
    connection: Connection, campaign_id: str, position: Position, campaign: Row[*tuple[Any, ...]] | None
) -> tuple[answers.EventStatus, dict[str, Any]] | None:
    rows = connection.execute(
        select(ledger_entries)
        .where(ledger_entries.c.partition_number == position.partition, ledger_entries.c.log_offset == position.offset)
        .order_by(ledger_entries.c.entry_number)
        .limit(PAGE_SIZE_MAX + 1)
    ).all()
    if not rows:
        return None
    if campaign is None or rows[0].campaign_id != campaign_id:
        raise EventElsewhereError(f"the event at {position} belongs to another campaign")
    shown = rows[:PAGE_SIZE_MAX]
    more = len(rows) > PAGE_SIZE_MAX
    return "applied", {
        "entries": [entry(row, campaign.currency) for row in shown],
        "next_cursor": str(Cursor(position.offset, shown[-1].entry_number)) if more else None,
        "event_id": rows[0].event_id,
    }


def _refused(
    connection: Connection, campaign_id: str, position: Position
) -> tuple[answers.EventStatus, dict[str, Any]] | None:
    letter = connection.execute(
        select(
            dead_letters.c.campaign_id,
            dead_letters.c.event_id,
            dead_letters.c.key,
            dead_letters.c.reason,
            dead_letters.c.detail,
        ).where(
            dead_letters.c.topic == LOG.name,
            dead_letters.c.partition_number == position.partition,
            dead_letters.c.record_offset == position.offset,
        )
    ).one_or_none()
    if letter is None:
        return None
    owner = letter.campaign_id
    if owner is None and letter.key is not None:
        # What could not be decoded names its campaign by its key only, and without a key by nothing.
        owner = letter.key.decode(errors="replace")
    if owner not in (None, campaign_id):
        raise EventElsewhereError(f"the event at {position} belongs to another campaign")
    return "refused", {"event_id": letter.event_id, "reason": letter.reason, "detail": letter.detail}


def _answer(
    campaign_id: str, position: Position, known: list[int], status: answers.EventStatus, rest: dict[str, Any]
) -> answers.Event:
    last = max(known, default=-1)
    return answers.Event(
        campaign_id=campaign_id,
        position=str(position),
        as_of=None if last < 0 else str(Position(position.partition, last)),
        status=status,
        **rest,
    )
