"""The oracle: what was accepted, held against what the log, the database, the HTTP API and the metrics say of it."""

import hashlib
import random
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from sqlalchemy import Engine

from schemas.topics import LOG, PARTITIONS_EMBEDDED
from schemas.updates import Milestone
from tests.faults.payments import Fact, fact_of
from tests.faults.receipts import Receipt
from tests.faults.stored import Stored, stored_milestones, unequal_sums
from tests.ledger.naive_campaign import NaiveCampaign
from tests.ledger.naive_milestones import milestones
from tests.pipeline.expectation import Expectation, check_campaign

CLOSE_LOOKS_MAX: Final = 12
"""Campaigns of a stretch, by chance, of which the naive milestones are worked out and the HTTP API is asked: both take
their time. Every entry, milestone, dead letter and total of every campaign is compared in any case."""

COMPLAINTS_MAX: Final = 20
"""Complaints that are spelled out; the others are counted."""

Place = tuple[int, int]
"""Partition and offset of a record of the log."""


@dataclass
class Verdict:
    """What became of everything that was accepted: accepted = applied + dead + lost, and nothing twice."""

    accepted: int = 0
    applied: int = 0
    dead: int = 0
    lost: int = 0
    duplicated: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.duplicated or self.complaints)

    def complain(self, what: str) -> None:
        if len(self.complaints) < COMPLAINTS_MAX:
            self.complaints.append(what)
        elif len(self.complaints) == COMPLAINTS_MAX:
            self.complaints.append("… and more")


@dataclass(frozen=True)
class Stretch:
    """What a stretch of the log should have led to."""

    expected: Expectation
    """Its rows, and the folds of the whole log up to its end."""
    campaigns: dict[str, NaiveCampaign]
    """The campaigns that it tells of, by id."""
    partitions: dict[str, int]
    said: dict[str, list[Milestone]]

    @classmethod
    def of(cls, expected: Expectation, campaign_ids: Collection[str]) -> "Stretch":
        """Gather what is asked of these campaigns, or those of them that were launched."""
        found = {
            campaign_id: (partition, naive)
            for partition, ledger in expected.naive.items()
            for campaign_id, naive in ledger.campaigns.items()
            if campaign_id in campaign_ids
        }
        return cls(
            expected,
            campaigns={campaign_id: naive for campaign_id, (_, naive) in found.items()},
            partitions={campaign_id: partition for campaign_id, (partition, _) in found.items()},
            said={campaign_id: milestones(naive) for campaign_id, (_, naive) in found.items()},
        )


View = Callable[[Stretch], Iterable[str]]
"""Another way to see the campaigns: it yields what differs."""


class Oracle:
    """Follows the log, and judges stretch by stretch: everything accepted since it was asked last.

    It folds the log itself, with the ledger and with the naive one, in a process of its own: what is wrong with the
    workers that run is not wrong here. Campaigns must not go on from one stretch to the next.
    """

    def __init__(self, bootstrap: str, engine: Engine, views: Iterable[View] = (), seed: int = 0) -> None:
        self._bootstrap = bootstrap
        self._engine = engine
        self._views = tuple(views)
        self._chance = random.Random(seed)
        self._folded = Expectation()
        self._ends = dict.fromkeys(range(PARTITIONS_EMBEDDED), 0)

    def judge(self, receipts: Iterable[Receipt], owed: Collection[Fact] = ()) -> Verdict:
        """Return what became of the accepted events of this stretch, and of the facts `owed` to it by the resolver.

        The database must have had the time it needs.
        """
        verdict = Verdict()
        starts = dict(self._ends)
        expected = Expectation(states=self._folded.states, naive=self._folded.naive)
        known: dict[Place, tuple[str | None, str]] = {}
        campaign_ids: set[str] = set()
        resolved: set[Fact | None] = set()
        for partition, offset, value in read_log(self._bootstrap, starts):
            try:
                event = expected.hear(partition, offset, value)
            except AssertionError as error:
                verdict.complain(f"the two folds differ at {partition}:{offset}: {error}")
                continue
            if event is not None:
                campaign_ids.add(event.data.campaign_id)
                resolved.add(fact_of(event))
            known[partition, offset] = (None if event is None else event.id, hashlib.sha256(value or b"").hexdigest())
            self._ends[partition] = offset + 1
        stored = Stored.since(self._engine, starts)
        self._count(verdict, receipts, known, expected, stored)
        _count_owed(verdict, owed, resolved)
        _compare(verdict, expected, stored)
        self._check_totals(verdict, expected, campaign_ids)
        self._look_closely(verdict, Stretch.of(expected, self._some(campaign_ids)))
        return verdict

    def judge_everything(self) -> Verdict:
        """Fold the whole log anew and compare all that there is, as if nothing had been checked before."""
        verdict = Verdict()
        expected = Expectation.of(read_log(self._bootstrap, dict.fromkeys(range(PARTITIONS_EMBEDDED), 0)))
        try:
            expected.check(self._engine)
        except AssertionError as error:
            verdict.complain(f"the whole log and the whole database differ: {error}")
        self._folded = expected
        campaign_ids = {campaign_id for ledger in expected.naive.values() for campaign_id in ledger.campaigns}
        self._look_closely(verdict, Stretch.of(expected, self._some(campaign_ids)))
        return verdict

    def _count(
        self,
        verdict: Verdict,
        receipts: Iterable[Receipt],
        known: dict[Place, tuple[str | None, str]],
        expected: Expectation,
        stored: Stored,
    ) -> None:
        refused = {(partition, offset) for _, partition, offset, _ in expected.dead_letters}
        wanted = _by_place(expected.entries)
        found = _by_place(stored.entries)
        dead = {(partition, offset) for _, partition, offset, _ in stored.dead_letters}
        promised: set[Place] = set()
        for receipt in receipts:
            place = receipt.partition, receipt.offset
            if place in promised:
                verdict.complain(f"two events were told that they stand at {place}")
                continue
            promised.add(place)
            verdict.accepted += 1
            event_id, sha256 = known.get(place, (None, ""))
            on_the_log = event_id == receipt.event_id and receipt.sha256 in {None, sha256} and place in known
            if on_the_log and place in refused and place in dead:
                verdict.dead += 1
            elif on_the_log and place not in refused and self._is_applied(place, wanted, found, stored):
                verdict.applied += 1
            else:
                verdict.lost += 1
                verdict.complain(f"accepted and lost: {receipt.event_id or 'garbage'} at {place}")
        verdict.duplicated = sum(len(rows - wanted.get(place, set())) > 0 for place, rows in found.items())

    def _is_applied(
        self, place: Place, wanted: dict[Place, set[Any]], found: dict[Place, set[Any]], stored: Any
    ) -> bool:
        if place in wanted:
            return wanted[place] <= found.get(place, set())
        return bool(stored.log_ends.get(place[0], 0) > place[1])  # it told nothing new, and that has come through

    def _some(self, campaign_ids: Collection[str]) -> list[str]:
        return self._chance.sample(sorted(campaign_ids), min(CLOSE_LOOKS_MAX, len(campaign_ids)))

    def _check_totals(self, verdict: Verdict, expected: Expectation, campaign_ids: Collection[str]) -> None:
        for ledger in expected.naive.values():
            for campaign_id in ledger.campaigns.keys() & campaign_ids:
                try:
                    check_campaign(self._engine, campaign_id, ledger.campaigns[campaign_id])
                except Exception as error:  # noqa: BLE001 - a missing row is a complaint like any other
                    verdict.complain(f"{campaign_id} differs from the naive fold: {_words(error)}")
        for campaign_id in unequal_sums(self._engine):
            verdict.complain(f"{campaign_id}: campaign, circles, days and entries do not add up to the same")

    def _look_closely(self, verdict: Verdict, stretch: Stretch) -> None:
        for campaign_id in stretch.campaigns:
            said = [_key(one) for one in stretch.said[campaign_id]]
            stored = stored_milestones(self._engine, campaign_id)
            if stored != said:
                verdict.complain(f"{campaign_id} should have said {said}, and said {stored}")
        for view in self._views:
            for complaint in view(stretch):
                verdict.complain(complaint)


def _count_owed(verdict: Verdict, owed: Collection[Fact], resolved: Collection[Fact | None]) -> None:
    """Count the facts that name only their payment: on the log they are judged like everything that stands there."""
    for fact in owed:
        verdict.accepted += 1
        if fact in resolved:
            verdict.applied += 1
        else:
            verdict.lost += 1
            verdict.complain(f"accepted and not resolved: {fact}")


def read_log(bootstrap: str, starts: dict[int, int]) -> Iterator[tuple[int, int, bytes | None]]:
    """Yield partition, offset and value of the log's records from there to its present end."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)) as consumer:
        partitions = {TopicPartition(LOG.name, number): start for number, start in starts.items()}
        consumer.assign(list(partitions))
        for partition, start in partitions.items():
            consumer.seek(partition, start)
        ends = consumer.end_offsets(list(partitions))
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for batch in consumer.poll(timeout_ms=500).values():
                for record in batch:
                    yield record.partition, record.offset, record.value


def _key(one: Milestone) -> tuple[Any, ...]:
    return (
        one.type,
        one.offset,
        one.event_id,
        one.step,
        one.occurrence,
        one.stretch_goal_id,
        one.circle,
        one.total_minor,
    )


def _compare(verdict: Verdict, expected: Expectation, stored: Stored) -> None:
    """Hold everything of the stretch against the fold: also what nobody has a receipt for."""
    for name in ("entries", "milestones", "dead_letters"):
        rows, wanted = getattr(stored, name), getattr(expected, name)
        missing, unwanted = wanted - set(rows), set(rows) - wanted
        words = name.replace("_", " ")
        if missing:
            verdict.complain(f"{len(missing)} {words} are missing, such as {min(missing, key=str)}")
        if unwanted:
            verdict.complain(f"{len(unwanted)} {words} should not be there, such as {min(unwanted, key=str)}")
        if len(rows) != len(set(rows)):
            verdict.complain(f"{len(rows) - len(set(rows))} {words} are there twice")
    for campaign_id in stored.gaps:
        verdict.complain(f"{campaign_id} is marked: an update was missed")


def _by_place(entries: Iterable[tuple[Any, ...]]) -> dict[Place, set[Any]]:
    found: dict[Place, set[Any]] = {}
    for entry in entries:
        found.setdefault((entry[0], entry[1]), set()).add(entry)
    return found


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
