"""Dead letters as the database has them, each with what was decided about it."""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, insert, or_, select
from sqlalchemy.sql.selectable import Join

from schemas.dead_letters import Headers
from schemas.tables import dead_letter_resolutions as resolutions
from schemas.tables import dead_letters
from schemas.topics import LOG, PAYMENTS

State = Literal["open", "replayed", "dropped"]
STATES: Final[tuple[State, ...]] = ("open", "replayed", "dropped")
LETTERS_READ_MAX: Final = 200
"""Dead letters, with their values, that are in memory at a time."""


class LogPlace(Struct, frozen=True):
    """Where a record stands on the log."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Letter(Struct, frozen=True, kw_only=True):
    """A dead letter, whole. `topic`, `partition` and `offset` are the refused record's, else its own."""

    dead_letter_id: int
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    campaign_id: str | None
    event_id: str | None
    key: bytes | None
    value: bytes | None
    value_sha256: str | None
    headers: Headers
    refused_at: datetime
    state: State
    resolved_at: datetime | None
    why: str | None
    replayed_at: LogPlace | None
    """Where it stands on the log since it was replayed."""

    @property
    def campaign(self) -> str | None:
        """The campaign that it names, if only by its key."""
        if self.campaign_id is not None or self.key is None:
            return self.campaign_id
        return self.key.decode(errors="replace")

    @property
    def from_log(self) -> bool:
        """Whether it is an event of a log, the campaigns' or the payments'; else it never stood there."""
        return self.topic in (LOG.name, PAYMENTS.name)


class Choice(Struct, frozen=True, kw_only=True):
    """Which dead letters: all conditions hold together, and what is None is not asked."""

    state: State | None = None
    ids: Sequence[int] | None = None
    reason: str | None = None
    campaign_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    id_max: int | None = None
    """The highest id: letters that come while others are replayed are not among those."""


def count(connection: Connection, choice: Choice) -> int:
    """Return how many there are."""
    chosen = select(func.count()).select_from(_with_decision()).where(*_conditions(choice))
    return connection.scalar(chosen) or 0


def highest_id(connection: Connection) -> int:
    """Return the id of the letter that came last, 0 when there is none."""
    return connection.scalar(select(func.max(dead_letters.c.dead_letter_id))) or 0


def newest(connection: Connection, choice: Choice, limit: int) -> list[Letter]:
    """Return the newest, newest first."""
    order = (dead_letters.c.refused_at.desc(), dead_letters.c.dead_letter_id.desc())
    return [_letter(row) for row in connection.execute(_chosen(choice).order_by(*order).limit(limit))]


def in_order(connection: Connection, choice: Choice) -> Iterator[list[Letter]]:
    """Yield them in the order of the topics, so that a campaign's stand as they stood; some at a time.

    The transaction may end between two lists.
    """
    columns = dead_letters.c
    place = (columns.topic, columns.partition_number, columns.record_offset)
    last: Letter | None = None
    while True:
        chosen = _chosen(choice).order_by(*place).limit(LETTERS_READ_MAX)
        if last is not None:
            chosen = chosen.where(_after(place, (last.topic, last.partition, last.offset)))
        letters = [_letter(row) for row in connection.execute(chosen)]
        if not letters:
            return
        last = letters[-1]
        yield letters


def resolve(connection: Connection, letters: Sequence[Letter], state: State, **more: Sequence[Any] | None) -> None:
    """Take down a decision about each of the letters. `more`: other columns, with a value for each letter."""
    now = datetime.now(UTC)
    rows = [
        {
            "topic": letter.topic,
            "partition_number": letter.partition,
            "record_offset": letter.offset,
            "resolution": state,
            "why": None,
            "log_partition": None,
            "log_offset": None,
            "resolved_at": now,
        }
        | {name: values[number] for name, values in more.items() if values is not None}
        for number, letter in enumerate(letters)
    ]
    if rows:
        connection.execute(insert(resolutions), rows)


def _after(columns: Sequence[Any], place: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a row's place comes after that one."""
    (topic, partition, offset), (its_topic, its_partition, its_offset) = columns, place
    return or_(
        topic > its_topic,
        and_(topic == its_topic, partition > its_partition),
        and_(topic == its_topic, partition == its_partition, offset > its_offset),
    )


def _with_decision() -> Join:
    """Each letter with the last decision about it, if there is one."""
    later = resolutions.alias("later")
    same_later = select(later.c.resolution_id).where(
        later.c.topic == resolutions.c.topic,
        later.c.partition_number == resolutions.c.partition_number,
        later.c.record_offset == resolutions.c.record_offset,
        later.c.resolution_id > resolutions.c.resolution_id,
    )
    return dead_letters.outerjoin(
        resolutions,
        and_(
            resolutions.c.topic == dead_letters.c.topic,
            resolutions.c.partition_number == dead_letters.c.partition_number,
            resolutions.c.record_offset == dead_letters.c.record_offset,
            ~same_later.exists(),
        ),
    )


def _chosen(choice: Choice) -> Select[*tuple[Any, ...]]:
    decided = resolutions.c
    return (
        select(
            dead_letters,
            decided.resolution,
            decided.why,
            decided.log_partition,
            decided.log_offset,
            decided.resolved_at,
        )
        .select_from(_with_decision())
        .where(*_conditions(choice))
    )


def _conditions(choice: Choice) -> list[ColumnElement[bool]]:
    columns, decided = dead_letters.c, resolutions.c
    conditions: list[ColumnElement[bool]] = []
    if choice.state == "open":
        conditions.append(decided.resolution.is_(None))
    elif choice.state is not None:
        conditions.append(decided.resolution == choice.state)
    if choice.ids is not None:
        conditions.append(columns.dead_letter_id.in_(choice.ids))
    if choice.id_max is not None:
        conditions.append(columns.dead_letter_id <= choice.id_max)
    if choice.reason is not None:
        conditions.append(columns.reason == choice.reason)
    if choice.campaign_id is not None:
        by_key = and_(columns.campaign_id.is_(None), columns.key == choice.campaign_id.encode())
        conditions.append(or_(columns.campaign_id == choice.campaign_id, by_key))
    if choice.since is not None:
        conditions.append(columns.refused_at >= choice.since)
    if choice.until is not None:
        conditions.append(columns.refused_at < choice.until)
    return conditions


def _letter(row: Row[*tuple[Any, ...]]) -> Letter:
    return Letter(
        dead_letter_id=row.dead_letter_id,
        topic=row.topic,
        partition=row.partition_number,
        offset=row.record_offset,
        reason=row.reason,
        detail=row.detail,
        campaign_id=row.campaign_id,
        event_id=row.event_id,
        key=None if row.key is None else bytes(row.key),
        value=None if row.value is None else bytes(row.value),
        value_sha256=row.value_sha256,
        headers=tuple((name, b"" if content is None else b64decode(content)) for name, content in row.headers),
        refused_at=row.refused_at,
        state=row.resolution or "open",
        resolved_at=row.resolved_at,
        why=row.why,
        replayed_at=None if row.log_offset is None else LogPlace(row.log_partition, row.log_offset),
    )
