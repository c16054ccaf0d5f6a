"""Folds a batch of records into the records to be sent: one update for each campaign that changed.

Still pure: bytes in, bytes out. Totals are conflated, so a campaign that a thousand events of a batch changed has one
update, with a thousand entries and the totals after the last.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, starmap
from typing import Final, NoReturn

import msgspec

from schemas.dead_letters import DeadLetter, Origin
from schemas.events import Decoding, LogEvent
from schemas.updates import RECORD_BYTES_MAX, Update, encoder
from schemas.zones import TZDATA_VERSION
from stream_processors.decoding import NotAnEventError, decode_event
from stream_processors.ledger.changes import Changes, Unsaid
from stream_processors.ledger.fold import find_campaign, fold_event, fold_run
from stream_processors.ledger.moments import check_moment
from stream_processors.ledger.outcome import Refusal
from stream_processors.ledger.state import Campaign, PartitionState
from stream_processors.ledger.told import LogRecord, Told

FOLD_VERSION: Final = f"2+tzdata.{TZDATA_VERSION}"
"""Names the rules: two folds of one log agree when their versions do."""

PART_BYTES: Final = RECORD_BYTES_MAX // 2
"""An update is cut once what it holds may encode to more than this many bytes.

What is added between two looks (one pledge, one milestone, the terms, of which a door takes 64 KiB at most) takes less
than the other half. A run of first captures is begun only where it fits into this one.
"""

_DECODED_MAX: Final = 64
"""Records that are decoded at a time: few enough for their events to be in the processor's cache when folded."""


@dataclass(slots=True)
class Outputs:
    """What a batch has to say, in the order in which it must be sent."""

    updates: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Campaign id and encoded update."""
    dead_letters: list[DeadLetter] = field(default_factory=list)
    events: int = 0
    entries: int = 0
    unchanged: int = 0
    """Events that were known already or have no effect."""


class _Story(Changes):
    """One campaign's part of a batch, cut into updates.

    It holds nothing that holds it, so that it is freed at once, and its memory used again, when it is told.
    """

    __slots__ = ("_before", "_partition", "_parts", "key")

    def __init__(self, campaign: Campaign, partition: int, key: bytes) -> None:
        super().__init__(campaign, PART_BYTES)
        self.key = key
        self._partition = partition
        self._before = campaign.position
        self._parts: list[Update] = []

    def finish(self) -> list[Update]:
        """Return the campaign's updates; none if nothing changed."""
        if self.campaign.position > self._before:
            self._parts.append(self._update(complete=True))
        elif self._parts:
            self._parts[-1] = msgspec.structs.replace(self._parts[-1], complete=True)
        return self._parts

    def cut(self) -> None:
        """Make an update of what was taken down so far."""
        self._parts.append(self._update(complete=False))
        self._before = self.campaign.position
        super().cut()

    def _update(self, *, complete: bool) -> Update:
        campaign = self.campaign
        return Update(
            campaign_id=campaign.launch.campaign_id,
            partition=self._partition,
            fold_version=FOLD_VERSION,
            before=self._before,
            after=campaign.position,
            complete=complete,
            totals=campaign.totals(),
            entries=self.entries,
            pledges=self.shown_pledges(),
            days=list(map(campaign.day, self.days)),
            milestones=self.milestones,
            shares=list(map(campaign.share, self.share_tokens)),
            visits=list(starmap(campaign.share_visits, self.visited)),
            rewards=campaign.rewards() if self.terms_changed else list(map(campaign.reward, self.reward_ids)),
            terms=campaign.terms() if self.terms_changed else None,
        )


@dataclass(slots=True)
class Batch:
    """Folds one batch of records of a partition onto its state, and gathers what there is to say of them.

    Campaigns have nothing to do with each other, so a batch is folded campaign by campaign, each one's records in their
    order: what the fold needs of a campaign is then looked for in memory once in a batch, not once an event.
    """

    state: PartitionState
    partition: int
    topic: str
    partition_of: Callable[[bytes], int]
    """The partition that the log's writers give a key."""
    before_change: Callable[[str], None] | None = None
    """Called with a campaign's id before this batch changes the campaign for the first time."""
    silent: bool = False
    """Whether only the state is wanted, since what there is to say was said before."""

    outputs: Outputs = field(default_factory=Outputs, init=False)
    """What the last fold has to say, whole once it has come to its end."""

    _refused: dict[int, DeadLetter] = field(default_factory=dict, init=False)
    """What it refuses, by its offsets."""

    def fold(self, records: Sequence[LogRecord]) -> Outputs:
        """Fold every record that the state has not seen, and return what there is to say; the others are known.

        The records are in the order of their offsets, which may have gaps: the log holds control records, too.
        """
        for _ in self.steps(records):
            pass
        return self.outputs

    def steps(self, records: Sequence[LogRecord]) -> Iterator[None]:
        """Do what `fold` does in steps of some records each; between them nobody may look at the state.

        What there is to say is in `outputs` afterwards.
        """
        end = self.state.next_offset
        if records and records[0].offset < end:
            records = [record for record in records if record.offset >= end]
        self.outputs = Outputs(events=len(records))
        records_of: defaultdict[bytes | None, list[LogRecord]] = defaultdict(list)
        for record in records:
            records_of[record.key].append(record)
        self._refused = {}
        yield from self._fold_keys(records_of)
        if records:
            self.state.next_offset = max(end, records[-1].offset + 1)
        self.outputs.dead_letters.extend(self._refused[offset] for offset in sorted(self._refused))

    def _fold_keys(self, records_of: dict[bytes | None, list[LogRecord]]) -> Iterator[None]:
        """Fold the records of one key after the other's, in steps of as many as are decoded at a time."""
        records = list(chain.from_iterable(records_of.values()))
        keys_and_ends = zip(records_of, accumulate(map(len, records_of.values())), strict=True)
        key, end, story = None, 0, None
        for first in range(0, len(records), _DECODED_MAX):
            told, number = Told.of(records[first : first + _DECODED_MAX]), 0
            while number < len(told.records):
                if first + number == end:
                    self._finish(story)
                    (key, end), story = next(keys_and_ends), None
                upto = min(end - first, len(told.records))
                story = self._fold_key(key, story, told, number, upto)
                number = upto
            yield
        self._finish(story)

    def _fold_key(self, key: bytes | None, story: Changes | None, told: Told, number: int, end: int) -> Changes | None:
        """Fold the records from `number` to `end`, all of one key, which is the id of their campaign.

        Returns the campaign's story, which the first of them that names a campaign of this partition begins.
        """
        while number < end:
            if story is not None and (reached := fold_run(story.campaign, told, number, end, story)) > number:
                number = reached
                continue
            record, event = told.records[number], told.events[number]
            try:
                if event is None:
                    event = _decode(record.value)
                if story is None:
                    story = self._begin_story(key, event)
                    continue
                _fold_one(event, record.offset, story)
                if not story.number:
                    self.outputs.unchanged += 1
            except Refusal as refusal:
                self._refused[record.offset] = self._dead_letter(record, event, refusal)
            number += 1
        return story

    def _finish(self, story: Changes | None) -> None:
        """Take over what there is to say of a campaign."""
        if isinstance(story, _Story):
            for update in story.finish():
                self.outputs.updates.append((story.key, _encode(update)))
                self.outputs.entries += len(update.entries)

    def _begin_story(self, key: bytes | None, event: LogEvent) -> Changes:
        """Return the story of a campaign that this batch has not named before.

        Raises Refusal (`misrouted`) for what would not be found where its campaign's story is told, and what
        `find_campaign` raises.
        """
        campaign_id = event.data.campaign_id
        if key is None or key != campaign_id.encode():
            _refuse_key()
        campaign = self.state.campaigns.get(campaign_id)
        # One that is known here was launched here, so its partition was right.
        if campaign is None:
            if self.partition_of(key) != self.partition:
                raise Refusal("misrouted", f"partition {self.partition} is not the one that the key belongs to")
            campaign = find_campaign(self.state, event)
        if self.before_change is not None:
            self.before_change(campaign_id)
        return Unsaid(campaign) if self.silent else _Story(campaign, self.partition, key)

    def _dead_letter(self, record: LogRecord, event: LogEvent | None, refusal: Refusal) -> DeadLetter:
        return DeadLetter(
            reason=refusal.reason,
            detail=refusal.detail,
            key=record.key,
            value=record.value,
            headers=tuple(record.headers),
            origin=Origin(self.topic, self.partition, record.offset),
            campaign_id=None if event is None else event.data.campaign_id,
            event_id=None if event is None else event.id,
        )


def _fold_one(event: LogEvent, offset: int, story: Changes) -> None:
    """Apply one event of the story's key. Raises Refusal."""
    if event.data.campaign_id != story.campaign.launch.campaign_id:
        _refuse_key()
    check_moment(event.time)
    fold_event(story.campaign, event, offset, story)


def _refuse_key() -> NoReturn:
    raise Refusal("misrouted", "the record's key is not the id of the event's campaign")


def _decode(value: bytes | None) -> LogEvent:
    """Return the event of a record. Raises Refusal (`invalid_event`) for anything that is not one."""
    try:
        return decode_event(value, Decoding.log)
    except NotAnEventError as error:
        raise Refusal("invalid_event", str(error)) from None


def _encode(update: Update) -> bytes:
    """Return the update as one record. Raises ValueError should it exceed what a record may hold."""
    record = encoder.encode(update)
    if len(record) > RECORD_BYTES_MAX:
        raise ValueError(
            f"an update of {update.campaign_id} takes {len(record)} bytes, over {RECORD_BYTES_MAX}: "
            "the bounds in ledger/changes.py no longer hold"
        )
    return record
