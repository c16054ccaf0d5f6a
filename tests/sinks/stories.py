"""Campaigns made up for tests, and the updates that a worker would say of them, cut wherever one likes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine, delete, select

from schemas import tables
from schemas.dead_letters import DeadLetter, to_record
from schemas.fields import CIRCLES, AnyCircle
from schemas.topics import DEAD_LETTERS, UPDATES
from schemas.updates import (
    BEFORE_EVERYTHING,
    CircleTotals,
    Entry,
    Milestone,
    Pledge,
    Position,
    Progress,
    Terms,
    Totals,
    Update,
    encoder,
)
from sinks import positions
from sinks.apply import Outcome, apply
from sinks.positions import TopicPartition
from sinks.records import Batch

START: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOG_ID: Final = "11111111-1111-1111-1111-111111111111"
TOPIC_IDS: Final = {UPDATES.name: "updates-id", DEAD_LETTERS.name: "dead-letters-id"}


class Fact(NamedTuple):
    """What happens to one pledge with one event: differences, in one circle."""

    pledge: int
    circle: int
    pledged_minor: int
    collected_minor: int
    milestone: bool = False


class Story:
    """A campaign's lines in the order of the log: entries and milestones, numbered together within their event."""

    def __init__(
        self, campaign_id: str, facts: Iterable[Fact], *, partition: int = 0, first_offset: int = 0, step: int = 1
    ) -> None:
        self.campaign_id = campaign_id
        self.partition = partition
        self.lines: list[Entry | Milestone] = [self._entry(first_offset, None)]
        self._pledge_of: list[str | None] = [None]
        offset = first_offset
        for fact in facts:
            offset += step
            self.lines.append(self._entry(offset, fact))
            self._pledge_of.append(f"pledge-{fact.pledge}")
            if fact.milestone:
                self.lines.append(self._milestone(offset))
                self._pledge_of.append(None)

    def _entry(self, offset: int, fact: Fact | None) -> Entry:
        return Entry(
            offset=offset,
            number=0,
            event_id=f"event-{offset}",
            event_type="cercles.campaign.launched" if fact is None else "cercles.pledge.captured",
            occurred_at=START + timedelta(seconds=offset),
            pledge_id=None if fact is None else f"pledge-{fact.pledge}",
            circle=None if fact is None else CIRCLES[fact.circle],
            day=None if fact is None else date(2026, 3, 1 + fact.pledge % 3),
            pledged_minor=0 if fact is None else fact.pledged_minor,
            collected_minor=0 if fact is None else fact.collected_minor,
        )

    def _milestone(self, offset: int) -> Milestone:
        return Milestone(
            type="cercles.goal.reached",
            offset=offset,
            number=1,
            event_id=f"event-{offset}",
            occurred_at=START + timedelta(seconds=offset),
            threshold_minor=1,
            total_minor=1,
            occurrence=1,
        )

    def position(self, line: int) -> Position:
        """Return the position once so many lines are applied."""
        if line == 0:
            return BEFORE_EVERYTHING
        return Position(self.lines[line - 1].offset, self.lines[line - 1].number)

    def entries(self, start: int, end: int) -> list[Entry]:
        return [line for line in self.lines[start:end] if isinstance(line, Entry)]

    def milestones(self, start: int, end: int) -> list[Milestone]:
        return [line for line in self.lines[start:end] if isinstance(line, Milestone)]

    def circles(self, end: int) -> dict[AnyCircle, tuple[int, int]]:
        """Return pledged and collected of the circles that anything has happened in."""
        sums: dict[AnyCircle, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for entry in self.entries(0, end):
            if entry.circle is not None:
                pledged, collected = sums[entry.circle]
                sums[entry.circle] = (pledged + entry.pledged_minor, collected + entry.collected_minor)
        return dict(sums)

    def pledge(self, pledge_id: str, end: int) -> Pledge:
        lines = [entry for entry in self.entries(0, end) if entry.pledge_id == pledge_id]
        last = lines[-1]
        return Pledge(
            pledge_id=pledge_id,
            circle=last.circle or "unattributed",
            pledged_minor=sum(line.pledged_minor for line in lines),
            collected_minor=sum(line.collected_minor for line in lines),
            day=last.day,
            made_at=last.occurred_at,
            backer_id="backer-01",
        )

    def pledges(self, start: int, end: int) -> list[Pledge]:
        changed = dict.fromkeys(pledge_id for pledge_id in self._pledge_of[start:end] if pledge_id is not None)
        return [self.pledge(pledge_id, end) for pledge_id in changed]

    def totals(self, end: int) -> Totals:
        entries = self.entries(0, end)
        return Totals(
            currency="EUR",
            goal_minor=1_500_000,
            pledged_minor=sum(entry.pledged_minor for entry in entries),
            collected_minor=sum(entry.collected_minor for entry in entries),
            over_returned_minor=0,
            late_minor=0,
            percent=0,
            backers=len(self.pledges(0, end)),
            circles=[
                CircleTotals(circle=circle, pledged_minor=pledged, collected_minor=collected, backers=1)
                for circle, (pledged, collected) in self.circles(end).items()
            ],
            unattributed={"no_token": end},
        )

    def terms(self) -> Terms:
        return Terms(
            title="Les Anges Anonymes",
            owner_id="owner-01",
            goal_minor=1_500_000,
            goal_basis="pledged",
            funding_model="all_or_nothing",
            stretch_goals=[],
            opens_at=START,
            closes_at=START + timedelta(days=30),
            settle_hours=1,
            timezone="Europe/Paris",
            sources=["sources/bank"],
            revision=0,
            status="open",
        )

    def update(self, start: int, end: int, *, complete: bool = True) -> Update:
        """Return what a worker says whose batch, or whose part of an update, holds the lines from start to end."""
        return Update(
            campaign_id=self.campaign_id,
            partition=self.partition,
            fold_version="test",
            before=self.position(start),
            after=self.position(end),
            complete=complete,
            totals=self.totals(end),
            entries=self.entries(start, end),
            pledges=self.pledges(start, end),
            milestones=self.milestones(start, end),
            terms=self.terms() if start == 0 else None,
        )


def story(campaign_id: str = "les-anges", *, facts: int = 6, partition: int = 0, first_offset: int = 0) -> Story:
    """Return a story of pledges in all circles, with a milestone every third one."""
    return Story(
        campaign_id,
        [Fact(number % 4, number % 4, 100 * (number + 1), 10 * number, number % 3 == 2) for number in range(facts)],
        partition=partition,
        first_offset=first_offset,
        step=2,
    )


class FakeRecord(NamedTuple):
    """A record as kafka-python hands it out."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = 1_772_366_400_000


class FakePartition:
    """One partition of a topic, in memory."""

    def __init__(self, topic: str = UPDATES.name, partition: int = 0) -> None:
        self.place = TopicPartition(topic, partition)
        self.records: list[FakeRecord] = []

    def say(self, *messages: Update | Progress) -> None:
        for message in messages:
            self.say_bytes(encoder.encode(message))

    def say_bytes(self, value: bytes | None) -> None:
        self.records.append(FakeRecord(len(self.records), value))

    def bury(self, letter: DeadLetter) -> None:
        key, value, headers = to_record(letter)
        self.records.append(FakeRecord(len(self.records), value, key, headers))

    def position(self, engine: Engine) -> int:
        return positions.read(engine, [self.place], TOPIC_IDS)[self.place]

    def batch(self, engine: Engine, records_max: int = 1_000) -> Batch:
        position = self.position(engine)
        return Batch(*_names(self.place), position, self.records[position : position + records_max])

    def drain(self, engine: Engine, records_max: int = 1_000) -> list[Outcome]:
        """Apply everything that stands here and is not applied yet."""
        outcomes = []
        while self.position(engine) < len(self.records):
            outcomes.append(apply(engine, self.batch(engine, records_max)))
        return outcomes


def _names(place: TopicPartition) -> tuple[str, int]:
    return place.topic, place.partition


def progress(next_offset: int, *, dead_letters: int = 0, partition: int = 0, log_id: str = LOG_ID) -> Progress:
    return Progress(
        partition=partition,
        next_offset=next_offset,
        dead_letters_next_offset=dead_letters,
        fold_version="test",
        log_id=log_id,
    )


def rows(engine: Engine, table: str) -> list[dict[str, Any]]:
    """Return a table's rows, in the order of their keys."""
    found = tables.metadata.tables[table]
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(select(found).order_by(*found.primary_key))]


def everything(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Return all rows that tell of campaigns."""
    names = (
        "campaigns",
        "campaign_totals",
        "circle_totals",
        "reward_totals",
        "pledges",
        "shares",
        "share_visits",
        "ledger_entries",
        "milestones",
    )
    return {name: rows(engine, name) for name in names}


def empty(engine: Engine) -> None:
    """Delete all rows."""
    with engine.begin() as connection:
        for table in tables.metadata.tables.values():
            connection.execute(delete(table))


def assert_rows_tell(engine: Engine, told: Story, lines: int) -> None:
    """Compare a campaign's rows with its story, once so many lines of it are applied."""
    mine = {
        name: [row for row in found if row["campaign_id"] == told.campaign_id]
        for name, found in everything(engine).items()
    }
    totals = told.totals(lines)
    (row,) = mine["campaign_totals"]
    assert Position(row["position_offset"], row["position_number"]) == told.position(lines)
    assert (row["pledged_minor"], row["collected_minor"]) == (totals.pledged_minor, totals.collected_minor)
    assert row["unattributed"] == ({"no_token": lines} if lines else {})
    assert {
        circle["circle"]: (circle["pledged_minor"], circle["collected_minor"]) for circle in mine["circle_totals"]
    } == (dict.fromkeys(CIRCLES, (0, 0)) | told.circles(lines) if lines else {})
    assert {pledge["pledge_id"]: pledge["pledged_minor"] for pledge in mine["pledges"]} == {
        pledge.pledge_id: pledge.pledged_minor for pledge in told.pledges(0, lines)
    }
    assert [
        (entry["log_offset"], entry["entry_number"], entry["pledged_minor"]) for entry in mine["ledger_entries"]
    ] == [(entry.offset, entry.number, entry.pledged_minor) for entry in told.entries(0, lines)]
    assert [(said["log_offset"], said["milestone_number"]) for said in mine["milestones"]] == [
        (said.offset, said.number) for said in told.milestones(0, lines)
    ]
    assert [campaign["title"] for campaign in mine["campaigns"]] == (["Les Anges Anonymes"] if lines else [])
