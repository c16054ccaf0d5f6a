"""Holds the database against the log at the end of a soak: every entry and milestone, and every campaign's totals.

Entries and milestones are compared one by one with those of a fold of the log, in the order of the log, so that memory
stays small; totals with those of the naive fold, of every campaign. The tests' naive ledger, which shares nothing with
either, checks a few campaigns once more, with their days and pledges.
"""

import random
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from sqlalchemy import Connection, Engine, Table, func, select

from benchmarks.soak.naive import NaiveTotals, Sums
from benchmarks.soak.verdict import Audited
from schemas import tables
from schemas.events import Decoding, LogEvent
from schemas.fields import AnyCircle
from schemas.topics import LOG
from stream_processors.ledger.fold import apply
from stream_processors.ledger.outcome import Outcome
from stream_processors.ledger.state import PartitionState
from tests.ledger.naive import NaiveLedger
from tests.pipeline.expectation import check_campaign

CLOSE_LOOKS: Final = 2
"""Campaigns, by chance, for the tests' naive ledger: each takes it some seconds for thousands of events."""

_ROWS_AT_ONCE: Final = 5_000
_COMPLAINTS_MAX: Final = 10

Row = tuple[Any, ...]
"""A row of a table that is compared, its order among those of its partition first: offset and number."""


@dataclass(slots=True)
class Difference:
    """What two ordered streams of rows have apart."""

    same: int = 0
    missing: int = 0
    unwanted: int = 0

    def compare(self, expected: Iterable[Row], stored: Iterable[Row]) -> None:
        """Count rows that are in one only; a row with other contents is missing, and another one unwanted."""
        wanted, found = iter(expected), iter(stored)
        left, right = next(wanted, None), next(found, None)
        while left is not None or right is not None:
            if left == right:
                self.same += 1
                left, right = next(wanted, None), next(found, None)
            elif right is None or (left is not None and left[:2] <= right[:2]):
                self.missing += 1
                left = next(wanted, None)
            else:
                self.unwanted += 1
                right = next(found, None)


@dataclass(slots=True)
class _Folded:
    """What the log says, gathered on the way through it."""

    close: frozenset[str]
    totals: dict[str, NaiveTotals] = field(default_factory=dict)
    naive: NaiveLedger = field(default_factory=NaiveLedger)
    milestones: list[Row] = field(default_factory=list)
    events: int = 0
    refused: int = 0

    def hear(self, event: LogEvent, offset: int, outcome: Outcome) -> None:
        campaign_id = event.data.campaign_id
        self.events += 1
        self.refused += outcome.refusal is not None
        self.totals.setdefault(campaign_id, NaiveTotals()).hear(event)
        if campaign_id in self.close:
            self.naive.hear(event, offset)
        self.milestones += [
            (one.offset, one.number, campaign_id, one.type, one.total_minor) for one in outcome.milestones
        ]


def audit(bootstrap: str, engine: Engine, partitions: int, campaign_ids: list[str], accepted: int) -> Audited:
    """Compare everything; `accepted` is how many events were written. The database must have caught up."""
    folded = _Folded(frozenset(random.Random(len(campaign_ids)).sample(campaign_ids, CLOSE_LOOKS)))
    difference = Difference()
    with engine.connect() as connection:
        for partition in range(partitions):
            folded.milestones.clear()
            entries = _entries(_records(bootstrap, partition), folded)
            difference.compare(entries, _stored_entries(connection, partition))
            difference.compare(folded.milestones, _stored_milestones(connection, partition))
    wrong = _wrong_campaigns(engine, folded.totals)
    complaints = list(_looked_at_closely(engine, folded))
    if folded.refused:
        complaints.append(f"{folded.refused} events were refused")
    return Audited(
        log_events=folded.events,
        entries=difference.same,
        missing=difference.missing,
        unwanted=difference.unwanted,
        wrong_campaigns=len(wrong),
        campaigns=len(folded.totals),
        lost_events=max(0, accepted - folded.events),
        complaints=[*(f"{one} is wrong" for one in wrong), *complaints][:_COMPLAINTS_MAX],
    )


def _records(bootstrap: str, partition: int) -> Iterator[tuple[int, bytes]]:
    """Yield offset and value of a partition's records up to its present end."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)) as consumer:
        source = TopicPartition(LOG.name, partition)
        consumer.assign([source])
        consumer.seek_to_beginning(source)
        end = consumer.end_offsets([source])[source]
        while consumer.position(source) < end:
            for record in consumer.poll(timeout_ms=500, max_records=_ROWS_AT_ONCE).get(source, ()):
                yield record.offset, record.value


def _entries(records: Iterable[tuple[int, bytes]], folded: _Folded) -> Iterator[Row]:
    """Yield the entries that a fold makes of a partition, and gather the rest."""
    state = PartitionState()
    for offset, value in records:
        event = Decoding.log.decode(value)
        outcome = apply(state, event, offset)
        folded.hear(event, offset, outcome)
        for one in outcome.entries:
            campaign_id = event.data.campaign_id
            amounts = one.pledged_minor, one.collected_minor
            yield one.offset, one.number, campaign_id, one.event_id, one.pledge_id, one.circle, *amounts


def _stored_entries(connection: Connection, partition: int) -> Iterator[Row]:
    names = ("campaign_id", "event_id", "pledge_id", "circle", "pledged_minor", "collected_minor")
    return _stored(connection, partition, tables.ledger_entries, "log_offset", "entry_number", *names)


def _stored_milestones(connection: Connection, partition: int) -> Iterator[Row]:
    names = ("campaign_id", "type", "total_minor")
    return _stored(connection, partition, tables.milestones, "log_offset", "milestone_number", *names)


def _stored(connection: Connection, partition: int, table: Table, *names: str) -> Iterator[Row]:
    """Yield these columns of the partition's rows, in the order of the first two."""
    query = select(*(table.c[name] for name in names)).where(table.c.partition_number == partition)
    ordered = query.order_by(table.c[names[0]], table.c[names[1]])
    streaming = connection.execution_options(stream_results=True, max_row_buffer=_ROWS_AT_ONCE)
    for row in streaming.execute(ordered):
        yield tuple(row)


def _wrong_campaigns(engine: Engine, wanted: dict[str, NaiveTotals]) -> list[str]:
    """Return the campaigns of which totals, circles or the sums of their entries are not the naive fold's."""
    stored: dict[str, dict[AnyCircle | None, Sums]] = {}
    whole, circle = tables.campaign_totals.c, tables.circle_totals.c
    with engine.connect() as connection:
        for campaign_id, *sums in connection.execute(
            select(whole.campaign_id, whole.pledged_minor, whole.collected_minor, whole.backers)
        ):
            stored.setdefault(campaign_id, {})[None] = Sums(*sums)
        for campaign_id, name, *sums in connection.execute(
            select(circle.campaign_id, circle.circle, circle.pledged_minor, circle.collected_minor, circle.backers)
        ):
            stored.setdefault(campaign_id, {})[name] = Sums(*sums)
        entries = dict(_sums_of_entries(connection))
    totals = {campaign_id: naive.totals() for campaign_id, naive in wanted.items()}
    return sorted(
        campaign_id
        for campaign_id in stored.keys() | totals.keys()
        if stored.get(campaign_id) != totals.get(campaign_id)
        or entries.get(campaign_id) != totals[campaign_id][None][:2]
    )


def _sums_of_entries(connection: Connection) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each campaign with what its entries add up to: pledged and collected."""
    column = tables.ledger_entries.c
    sums = func.sum(column.pledged_minor), func.sum(column.collected_minor)
    for campaign_id, pledged, collected in connection.execute(
        select(column.campaign_id, *sums).group_by(column.campaign_id)
    ):
        yield campaign_id, (int(pledged), int(collected))


def _looked_at_closely(engine: Engine, folded: _Folded) -> Iterator[str]:
    for campaign_id, naive in folded.naive.campaigns.items():
        try:
            check_campaign(engine, campaign_id, naive)
        except AssertionError as error:
            yield f"{campaign_id} differs from the tests' naive ledger: {' '.join(str(error).split())[:200]}"
