"""How far the log is stored: the condition that ends a wait and settles what became of an event."""

from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, select

from readers.positions import Position
from schemas.tables import sink_positions
from schemas.topics import DEAD_LETTERS, UPDATES

# Made once: making a statement takes longer than running it.
_POSITIONS: Final = select(
    sink_positions.c.topic,
    sink_positions.c.partition_number,
    sink_positions.c.next_offset,
    sink_positions.c.log_next_offset,
    sink_positions.c.dead_letters_next_offset,
).where(sink_positions.c.topic.in_((UPDATES.name, DEAD_LETTERS.name)))


class Progress(Struct, frozen=True):
    """How far one partition of the log is folded and its updates are stored.

    `next_offset` is the offset of the first event of which that is not so. `settled`: the dead letters of that stretch
    are stored too, so that of every event below it is known what became of it.
    """

    next_offset: int
    settled: bool


def read_progress(connection: Connection) -> dict[int, Progress]:
    """Return the progress of every partition that a sink has stored something of."""
    rows = connection.execute(_POSITIONS).all()
    letters_stored = {row.partition_number: row.next_offset for row in rows if row.topic == DEAD_LETTERS.name}
    return {
        row.partition_number: Progress(
            next_offset=row.log_next_offset,
            settled=letters_stored.get(row.partition_number, 0) >= row.dead_letters_next_offset,
        )
        for row in rows
        if row.topic == UPDATES.name
    }


def has_passed(progress: dict[int, Progress], position: Position) -> bool:
    """Return whether the event at that position, refused or not, has left in the database all it ever will."""
    stretch = progress.get(position.partition)
    return stretch is not None and stretch.settled and position.offset < stretch.next_offset
