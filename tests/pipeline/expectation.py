"""What the database must hold, worked out from the log alone, by a fold and again by the naive one."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Engine, func, select

from schemas import tables
from schemas.events import Decoding, LogEvent
from schemas.fields import CIRCLES
from schemas.topics import LOG
from stream_processors.ledger.fold import apply
from stream_processors.ledger.state import PartitionState
from tests.ledger.naive import NaiveLedger

LogLine = tuple[int, int, bytes | None]
"""Partition, offset and value of a record of the log."""

EntryRow = tuple[int, int, int, str, str, str | None, str | None, int, int, bool]


@dataclass
class Expectation:
    """The rows that a log leads to."""

    entries: set[EntryRow] = field(default_factory=set)
    milestones: set[tuple[int, int, int, str, str]] = field(default_factory=set)
    dead_letters: set[tuple[str, int, int, str]] = field(default_factory=set)
    states: dict[int, PartitionState] = field(default_factory=lambda: defaultdict(PartitionState))
    naive: dict[int, NaiveLedger] = field(default_factory=lambda: defaultdict(NaiveLedger))

    @classmethod
    def of(cls, log: Iterable[LogLine]) -> "Expectation":
        """Fold the whole log: entries and milestones by the fold, totals by the naive one."""
        expected = cls()
        for partition, offset, value in log:
            expected.hear(partition, offset, value)
        return expected

    def hear(self, partition: int, offset: int, value: bytes | None) -> LogEvent | None:
        """Fold the next record of a partition; return the event in it. Raises AssertionError when the folds differ."""
        event = _decode(value)
        if event is None:
            self.dead_letters.add((LOG.name, partition, offset, "invalid_event"))
        else:
            self._add(self.states[partition], partition, offset, event)
        return event

    def _add(self, state: PartitionState, partition: int, offset: int, event: LogEvent) -> None:
        outcome = apply(state, event, offset)
        reason = self.naive[partition].hear(event, offset)
        assert reason == (None if outcome.refusal is None else outcome.refusal.reason)
        campaign_id = event.data.campaign_id
        if reason is not None:
            self.dead_letters.add((LOG.name, partition, offset, reason))
        for entry in outcome.entries:
            self.entries.add(
                (
                    partition,
                    entry.offset,
                    entry.number,
                    campaign_id,
                    entry.event_id,
                    entry.pledge_id,
                    entry.circle,
                    entry.pledged_minor,
                    entry.collected_minor,
                    entry.reward_exhausted,
                )
            )
        for milestone in outcome.milestones:
            self.milestones.add((partition, milestone.offset, milestone.number, campaign_id, milestone.type))

    def check(self, engine: Engine) -> None:
        """Compare with the database: every entry and milestone, each once; totals, circles, days and pledges."""
        with engine.connect() as connection:
            entry, milestone, dead = tables.ledger_entries.c, tables.milestones.c, tables.dead_letters.c
            entries = connection.execute(
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
                )
            ).all()
            assert len(entries) == len(self.entries)
            assert {tuple(row) for row in entries} == self.entries
            milestones = connection.execute(
                select(
                    milestone.partition_number,
                    milestone.log_offset,
                    milestone.milestone_number,
                    milestone.campaign_id,
                    milestone.type,
                )
            ).all()
            assert len(milestones) == len(self.milestones)
            assert {tuple(row) for row in milestones} == self.milestones
            letters = connection.execute(
                select(dead.topic, dead.partition_number, dead.record_offset, dead.reason)
            ).all()
            assert len(letters) == len(self.dead_letters)
            assert {tuple(row) for row in letters} == self.dead_letters
            assert connection.scalar(select(func.count()).where(tables.campaign_totals.c.gap_offset.is_not(None))) == 0
        for ledger in self.naive.values():
            for campaign_id, campaign in ledger.campaigns.items():
                check_campaign(engine, campaign_id, campaign)


def check_campaign(engine: Engine, campaign_id: str, naive: Any) -> None:
    """Compare a campaign's totals, circles, days and pledges in the database with the naive fold's."""
    wanted = naive.totals()
    with engine.connect() as connection:
        totals = connection.execute(
            select(tables.campaign_totals).where(tables.campaign_totals.c.campaign_id == campaign_id)
        ).one()
        for name in ("pledged_minor", "collected_minor", "over_returned_minor", "late_minor", "percent", "backers"):
            assert getattr(totals, name) == getattr(wanted, name), (campaign_id, name)
        assert totals.unattributed == wanted.unattributed
        assert totals.unknown_reward_claims == wanted.unknown_reward_claims
        rewards = connection.execute(
            select(tables.reward_totals).where(tables.reward_totals.c.campaign_id == campaign_id)
        ).all()
        assert {tuple(row[1:]) for row in rewards} == {msgspec.structs.astuple(one) for one in naive.rewards()}
        circle = tables.circle_totals.c
        rows = connection.execute(
            select(circle.circle, circle.pledged_minor, circle.collected_minor, circle.backers).where(
                circle.campaign_id == campaign_id
            )
        ).all()
        assert sorted(map(tuple, rows), key=lambda row: CIRCLES.index(row[0])) == [
            msgspec.structs.astuple(one) for one in wanted.circles
        ]
        day = tables.DAY_TOTALS.c
        days = connection.execute(
            select(day.day, day.pledged_minor, day.collected_minor)
            .where(day.campaign_id == campaign_id, (day.pledged_minor != 0) | (day.collected_minor != 0))
            .order_by(day.day)
        ).all()
        assert [tuple(row) for row in days] == [msgspec.structs.astuple(one) for one in naive.days()]
        pledge = tables.pledges.c
        pledges = connection.execute(
            select(pledge.pledge_id, pledge.circle, pledge.pledged_minor, pledge.collected_minor, pledge.late).where(
                pledge.campaign_id == campaign_id
            )
        ).all()
        assert {tuple(row) for row in pledges} == {
            (one.pledge_id, one.circle, one.pledged_minor, one.collected_minor, one.late) for one in naive.pledges()
        }


def _decode(value: bytes | None) -> LogEvent | None:
    try:
        return Decoding.log.decode(value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
