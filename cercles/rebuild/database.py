"""Fills an empty database from the log, so that a sink can go on from there, while another database serves.

The ends of the other two topics are read first, then the end of the log: so what a sink will skip, since it stands
below its position, is in the rows. What it reads above that overlaps with the rows, and is known by positions.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, Engine, Table, delete, func, insert, select

from cercles.command_errors import AskedWronglyError, NotDoneError
from cercles.rebuild.folding import Folding, Piece, decoded
from cercles.topic_reader import TopicReader, partitioner
from schemas.tables import campaign_totals, dead_letter_resolutions, dead_letters, ledger_entries, sink_positions
from schemas.topics import DEAD_LETTERS, LOG, UPDATES
from sinks import dead_letters as letters
from sinks.apply import write_updates
from sinks.database import insert_new
from sinks.records import Batch
from stream_processors.ledger.batch import FOLD_VERSION

RESOLUTIONS_COPIED_MAX: Final = 1_000
"""Decisions about dead letters that are copied at a time."""

Show = Callable[[int, int, int], None]


class NotEmptyError(AskedWronglyError):
    """The database is not one that can be filled."""


class FillFailedError(NotDoneError):
    """The fold does not agree with the rows that it made itself."""


class Filled(Struct, kw_only=True):
    """What the database now has. `position`: by partition, the offset below which the log is in it."""

    fold_version: str = FOLD_VERSION
    events: int = 0
    campaigns: int = 0
    entries: int = 0
    dead_letters: int = 0
    resolutions: int = 0
    positions: dict[str, int] = {}


class DatabaseFill:
    """Fills `engine`'s database. Can be interrupted and run again: what stands there already is known."""

    def __init__(self, engine: Engine, reader: TopicReader, show: Show) -> None:
        self._engine = engine
        self._reader = reader
        self._show = show
        self._outcome = Filled()

    def run(self, old: Engine | None) -> Filled:
        """Fill it, and set the sink's positions last. `old`: the database whose decisions about dead letters go along.

        Raises NotEmptyError, FillFailedError, StretchMissingError, Kafka's errors and the database's.
        """
        with self._engine.begin() as connection:
            _check_fillable(connection)
        log_id, partitions = self._reader.describe(LOG)
        ids = {topic.name: self._reader.describe(topic)[0] for topic in (UPDATES, DEAD_LETTERS)}
        ends = {
            (topic.name, partition): self._reader.range(topic, partition)[1]
            for topic in (UPDATES, DEAD_LETTERS)
            for partition in range(partitions)
        }
        partition_of = partitioner(partitions)
        log_ends = {partition: self._fill(Folding(partition, partition_of)) for partition in range(partitions)}
        for partition in range(partitions):
            self._fill_placeless(partition, ends[DEAD_LETTERS.name, partition])
        with self._engine.begin() as connection:
            _check_fillable(connection)
            if old is not None:
                self._copy_resolutions(connection, old)
            connection.execute(delete(sink_positions))
            connection.execute(
                insert(sink_positions),
                [
                    {
                        "topic": topic,
                        "partition_number": partition,
                        "next_offset": end,
                        "log_next_offset": log_ends[partition] if topic == UPDATES.name else 0,
                        # What the fold refused is here already, whoever reads: nothing must be waited for.
                        "dead_letters_next_offset": 0,
                        "topic_id": ids[topic],
                        "log_id": log_id if topic == UPDATES.name else None,
                    }
                    for (topic, partition), end in ends.items()
                ],
            )
            self._count(connection)
        self._outcome.positions = {str(partition): end for partition, end in log_ends.items()}
        return self._outcome

    def _fill(self, folding: Folding) -> int:
        """Fold a partition to its end, and write what it says; return that end."""
        end = self._reader.range(LOG, folding.partition)[1]
        for records, position in self._reader.read(LOG, folding.partition, 0, end):
            self._outcome.events += len(records)
            self._write(folding.fold(records, position))
            self._show(folding.partition, position, end)
        return end

    def _write(self, piece: Piece) -> None:
        with self._engine.begin() as connection:
            plan = write_updates(connection, [decoded(value) for value in piece.updates])
            if plan.gaps:
                raise FillFailedError(
                    f"the rows of campaign {plan.gaps[0].campaign_id} do not continue: something else writes to this "
                    "database, or it was made by other rules. Drop it, make a new one, and begin again"
                )
            insert_new(connection, dead_letters, letters.UNIQUE, piece.letters)

    def _fill_placeless(self, partition: int, end: int) -> None:
        """Take over the dead letters that are of no event of the campaigns' log: only their topic has them."""
        for records, _ in self._reader.read(DEAD_LETTERS, partition, 0, end):
            rows = letters.rows(Batch(DEAD_LETTERS.name, partition, 0, records))
            with self._engine.begin() as connection:
                placeless = [row for row in rows if row["topic"] != LOG.name]
                insert_new(connection, dead_letters, letters.UNIQUE, placeless)

    def _copy_resolutions(self, connection: Connection, old: Engine) -> None:
        columns = [column for column in dead_letter_resolutions.c if column.name != "resolution_id"]
        chosen = select(*columns).order_by(dead_letter_resolutions.c.resolution_id)
        with old.connect() as source, source.begin():
            result = source.execute(chosen, execution_options={"yield_per": RESOLUTIONS_COPIED_MAX})
            for rows in result.mappings().partitions():
                connection.execute(insert(dead_letter_resolutions), [dict(row) for row in rows])
                self._outcome.resolutions += len(rows)

    def _count(self, connection: Connection) -> None:
        def rows_of(table: Table) -> int:
            return connection.scalar(select(func.count()).select_from(table)) or 0

        self._outcome.campaigns = rows_of(campaign_totals)
        self._outcome.entries = rows_of(ledger_entries)
        self._outcome.dead_letters = rows_of(dead_letters)


def _check_fillable(connection: Connection) -> None:
    """Raise NotEmptyError unless the database is empty, or has only what an interrupted filling left."""
    # A sink that found nothing to read has left positions at 0.
    if connection.scalar(select(func.count()).select_from(sink_positions).where(sink_positions.c.next_offset > 0)):
        raise NotEmptyError(
            "a sink has worked on this database, or it was filled before: only an empty one can be filled. Make a new "
            "one, bring its tables up to date (`cercles db upgrade`), and name that by --to"
        )
    others = connection.scalars(
        select(campaign_totals.c.fold_version).where(campaign_totals.c.fold_version != FOLD_VERSION).limit(1)
    ).first()
    if others is not None:
        raise NotEmptyError(
            f"a filling of this database was begun by fold version {others}, and this is {FOLD_VERSION}: make a new "
            "database, bring its tables up to date (`cercles db upgrade`), and name that by --to"
        )
