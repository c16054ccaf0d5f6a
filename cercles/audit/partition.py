"""The audit of one partition, in one snapshot of the database."""

import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from msgspec import Struct
from sqlalchemy import Connection, Engine

from cercles.audit import stored
from cercles.audit.campaigns import CampaignsAudit, position_of
from cercles.audit.lines import LinesAudit
from cercles.audit.refold import Refold
from cercles.audit.report import Difference, Findings, Kind
from cercles.command_errors import NotDoneError
from cercles.topic_reader import TopicReader
from schemas.topics import LOG
from schemas.updates import BEFORE_EVERYTHING
from stream_processors.ledger.state import PartitionState

SNAPSHOTS_MAX: Final = 20
"""Most snapshots that are taken to find one whose dead letters are all there."""

SNAPSHOT_WAIT_SECONDS: Final = 0.25


class OtherLogError(NotDoneError):
    """The database belongs to another log."""


class Stretch(Struct, frozen=True, kw_only=True):
    """What of a partition is to be compared: from the event at `since` on, of one campaign or of all."""

    partition: int
    since: int = 0
    campaign_id: str | None = None


class ProgressShown(Protocol):
    """Where an audit shows how far it is."""

    def __call__(self, partition: int, done: int, total: int) -> None: ...


class PartitionAudit:
    """Audits partitions, one at a time: memory holds one partition's state."""

    def __init__(
        self, engine: Engine, reader: TopicReader, log_id: str, partition_of: Callable[[bytes], int], findings: Findings
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._log_id = log_id
        self._partition_of = partition_of
        self._findings = findings

    def run(self, stretch: Stretch, show: ProgressShown) -> PartitionState:
        """Compare a partition, and return the state that it was held against.

        Raises OtherLogError when the database belongs to another log, StretchMissingError when the log does not hold
        what the database tells of, Kafka's errors and the database's.
        """
        for _ in range(SNAPSHOTS_MAX - 1):
            with self._engine.connect() as connection, connection.begin():
                standing = stored.standing(connection, stretch.partition)
                if standing.letters_settled:
                    return self._compare(connection, stretch, standing, show)
            time.sleep(SNAPSHOT_WAIT_SECONDS)
        with self._engine.connect() as connection, connection.begin():
            return self._compare(connection, stretch, stored.standing(connection, stretch.partition), show)

    def _compare(
        self, connection: Connection, stretch: Stretch, standing: stored.Standing, show: ProgressShown
    ) -> PartitionState:
        partition, campaign_id = stretch.partition, stretch.campaign_id
        self._check_log(partition, standing)
        rows = stored.totals(connection, partition, campaign_id)
        targets = {one: position_of(row) for one, row in rows.items()}
        refold = Refold(partition, self._partition_of, targets, standing.log_next_offset, campaign_id)
        lines = LinesAudit(connection, self._findings, partition, targets, only=campaign_id, since=stretch.since)
        campaigns = CampaignsAudit(
            connection, self._findings, refold.state, rows, sums=None if stretch.since else lines.sums
        )
        gaps = [one for one, row in rows.items() if row["gap_offset"] is not None]
        stops = {targets[one].offset + 1: one for one in gaps}
        end = refold.end
        for records, position in self._reader.read(LOG, partition, 0, end):
            for said in refold.fold(records, position, [*stops, stretch.since]):
                lines.compare(said, standing.log_next_offset, letters_settled=standing.letters_settled)
                self._findings.counts.events += said.events
                if said.end in stops:
                    campaigns.compare([stops[said.end]])
            show(partition, position, end)
        lines.beyond(end)
        campaigns.compare(one for one in rows if targets[one].offset >= stretch.since)
        self._untold(rows, lines, gaps, partition)
        self._absent(refold.state, rows, partition, stretch)
        self._findings.report.positions[str(partition)] = end
        self._findings.report.waiting_events += max(0, self._reader.range(LOG, partition)[1] - end)
        return refold.state

    def _check_log(self, partition: int, standing: stored.Standing) -> None:
        if standing.log_id not in (None, self._log_id):
            raise OtherLogError(
                f"the database's rows of partition {partition} tell of the log with id {standing.log_id}, but the "
                f"broker's {LOG.name} has id {self._log_id}: one of CERCLES_DATABASE_URL and "
                "CERCLES_KAFKA_BOOTSTRAP_SERVERS names the wrong one, or the log was deleted and made again"
            )

    def _untold(self, rows: dict[str, stored.Row], lines: LinesAudit, gaps: Iterable[str], partition: int) -> None:
        """Name the campaigns whose rows end before the log does."""
        marked = set(gaps)
        for campaign_id, untold in lines.untold.items():
            at = rows.get(campaign_id)
            stands = BEFORE_EVERYTHING if at is None else position_of(at)
            missing = f"{untold.lines} entries and milestones from {untold.first.offset}:{untold.first.number} on"
            if campaign_id in marked:
                what = f"marked by a sink; repair it by `cercles rebuild --campaign {campaign_id}`; it lacks {missing}"
                marked.discard(campaign_id)
                self._add("gap", what, campaign_id, f"{partition}:{rows[campaign_id]['gap_offset']}")
            elif at is None:
                self._add("missing", f"the whole campaign: {missing}", campaign_id, None)
            else:
                what = f"stands at {stands.offset}:{stands.number} and lacks {missing}"
                self._add("behind", what, campaign_id, f"{partition}:{untold.first.offset}")
        for campaign_id in sorted(marked):
            what = f"marked by a sink; repair it by `cercles rebuild --campaign {campaign_id}`"
            self._add("gap", what, campaign_id, f"{partition}:{rows[campaign_id]['gap_offset']}")

    def _absent(self, state: PartitionState, rows: dict[str, stored.Row], partition: int, stretch: Stretch) -> None:
        """Name the campaigns of before `since`, whose lines were not compared, that have no rows."""
        if not stretch.since:
            return
        for campaign_id, campaign in state.campaigns.items():
            if campaign_id not in rows and 0 <= campaign.position.offset < stretch.since:
                self._add("missing", "the whole campaign", campaign_id, f"{partition}:{campaign.position.offset}")

    def _add(self, kind: Kind, what: str, campaign_id: str, position: str | None) -> None:
        self._findings.add(Difference(kind=kind, what=what, campaign_id=campaign_id, position=position))
