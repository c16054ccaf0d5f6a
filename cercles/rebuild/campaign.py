"""One campaign again: its rows replaced in one transaction, its updates said again from the beginning.

The rows first. The transaction locks the sink's position of the partition, so no sink writes meanwhile, and then reads
the log to its end: whatever the sink has seen, skipped or written of this campaign is then part of the fold, and
whatever it reads later continues from the new rows or is known by its position. So a gap of either kind is healed, and
whoever reads sees the old rows until the new ones are there.

The updates then, for everybody else who follows them: a subscriber or another database with a gap applies what stands
above its position, and all others skip what they know.
"""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, Engine, Table, delete, select, text

from cercles.command_errors import AskedWronglyError, NotDoneError
from cercles.rebuild.folding import CampaignStory, Folding, decoded, in_pieces
from cercles.topic_reader import TopicReader, partitioner
from producers.blocking import BlockingPublisher
from producers.publishing import Record
from schemas.tables import (
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
from schemas.topics import DEAD_LETTERS, LOG, UPDATES
from schemas.updates import Position, Update, decoder
from sinks import positions
from sinks.apply import write_updates
from sinks.database import insert_new
from sinks.dead_letters import UNIQUE
from sinks.positions import TopicPartition

ROUNDS_MAX: Final = 20
"""Most times that a campaign is caught up with while its updates are said again."""

_ROWS: Final[tuple[Table, ...]] = (
    campaigns,
    campaign_totals,
    circle_totals,
    reward_totals,
    pledges,
    shares,
    share_visits,
    ledger_entries,
    milestones,
)
Show = Callable[[int, int, int], None]


class UnknownCampaignError(AskedWronglyError):
    """The log does not tell of such a campaign."""


class RebuildFailedError(NotDoneError):
    """What was to be made again is not consistent; nothing was changed."""


class Rebuilt(Struct, kw_only=True):
    """What was done for a campaign."""

    campaign_id: str
    partition: int
    position: Position
    entries: int = 0
    milestones: int = 0
    updates_said: int = 0


class CampaignRebuild:
    """The story of one campaign, folded from the log when this is made.

    Raises UnknownCampaignError, StretchMissingError and Kafka's errors.
    """

    def __init__(self, reader: TopicReader, campaign_id: str, story: CampaignStory, show: Show) -> None:
        self._reader = reader
        self._story = story
        self._show = show
        self.log_id, partitions = reader.describe(LOG)
        partition_of = partitioner(partitions)
        self._place = TopicPartition(UPDATES.name, partition_of(campaign_id.encode()))
        self._folding = Folding(self._place.partition, partition_of, campaign_id)
        # Before the log's end is read: whatever stands below is then told by the log.
        self._updates_end = reader.range(UPDATES, self._place.partition)[1]
        self._fold_on()
        if not story.updates:
            raise UnknownCampaignError(
                f"the log has no launch of a campaign {campaign_id} in partition {self._place.partition}, where it "
                "would be: check the id"
            )
        self.outcome = Rebuilt(campaign_id=campaign_id, partition=self._place.partition, position=story.position)

    def replace_rows(self, engine: Engine) -> None:
        """Put the campaign's rows, as the whole log says them, in place of those that are there.

        Raises RebuildFailedError, OtherTopicError, OtherLogError of the sinks, and the database's errors; nothing was
        changed then.
        """
        ids = {topic.name: self._reader.describe(topic)[0] for topic in (UPDATES, DEAD_LETTERS)}
        positions.read(engine, [self._place], ids)  # makes the row that is locked below
        with engine.begin() as connection:
            self._lock(connection)
            self._fold_on()
            for table in _ROWS:
                connection.execute(delete(table).where(table.c.campaign_id == self.outcome.campaign_id))
            self.outcome.entries = self.outcome.milestones = 0
            for piece in in_pieces(self._story.values()):
                self._write(connection, [decoded(value) for value in piece])
            insert_new(connection, dead_letters, UNIQUE, self._story.letters)
        self.outcome.position = self._story.position

    def say_again(self, publisher: BlockingPublisher) -> None:
        """Write the campaign's updates to the topic of updates, and go on until nothing else was said in between.

        A follower with a gap has skipped what was said up to here; so the last word must reach at least as far.
        Raises BrokerAwayError, RebuildFailedError and Kafka's errors.
        """
        said = 0
        for _ in range(ROUNDS_MAX):
            end = self._publish(publisher, said)
            said = self._story.updates
            if self._furthest_said(end) <= self._story.position:
                self.outcome.updates_said = said
                self.outcome.position = self._story.position
                return
            self._fold_on()
        raise RebuildFailedError(
            f"campaign {self.outcome.campaign_id} changed faster than it could be said again, {ROUNDS_MAX} times: "
            "its rows are right; say it again when it is quieter"
        )

    def _fold_on(self) -> None:
        folding = self._folding
        end = self._reader.range(LOG, folding.partition)[1]
        for records, position in self._reader.read(LOG, folding.partition, folding.read_to, end):
            self._story.add(folding.fold(records, position))
            self._show(folding.partition, position, end)

    def _lock(self, connection: Connection) -> None:
        """Hold every sink of the partition off. SQLite's transaction has begun with the only lock there is."""
        columns = sink_positions.c
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        chosen = select(columns.log_id).where(
            columns.topic == self._place.topic, columns.partition_number == self._place.partition
        )
        log_id = connection.scalar(chosen.with_for_update())
        if log_id not in (None, self.log_id):
            raise RebuildFailedError(
                f"the database belongs to the log with id {log_id}, but the broker's {LOG.name} has id {self.log_id}: "
                "one of CERCLES_DATABASE_URL and CERCLES_KAFKA_BOOTSTRAP_SERVERS names the wrong one"
            )

    def _write(self, connection: Connection, updates: list[Update]) -> None:
        plan = write_updates(connection, updates)
        if plan.gaps or plan.known:
            raise RebuildFailedError(f"the fold of campaign {self.outcome.campaign_id} does not agree with itself")
        self.outcome.entries += len(plan.entries)
        self.outcome.milestones += len(plan.milestones)

    def _publish(self, publisher: BlockingPublisher, skip: int) -> int:
        """Say the updates but the first `skip`; return the offset after the last."""
        end = self._updates_end
        key = self.outcome.campaign_id.encode()
        for piece in in_pieces(self._story.values(skip)):
            for position in publisher.publish_and_wait([Record(UPDATES.name, key, value) for value in piece]):
                if position.partition != self._place.partition:
                    raise RebuildFailedError(f"{UPDATES.name} has not as many partitions as {LOG.name}")
                end = max(end, position.offset + 1)
        return end

    def _furthest_said(self, end: int) -> Position:
        """Return the position of the campaign that the updates between the last look and `end` reach."""
        furthest = self._story.position
        key = self.outcome.campaign_id.encode()
        for records, _ in self._reader.read(UPDATES, self._place.partition, self._updates_end, end):
            for record in records:
                if record.key == key:
                    furthest = max(furthest, _after(record))
        self._updates_end = end
        return furthest


def _after(record: Any) -> Position:
    update = decoder.decode(record.value or b"")
    if not isinstance(update, Update):
        raise RebuildFailedError(f"a record with a key at offset {record.offset} of {UPDATES.name} is no update")
    return update.after
