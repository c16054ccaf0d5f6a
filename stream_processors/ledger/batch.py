"""Folds a batch of records into the records to be sent: one update for each campaign that changed.

Still pure: bytes in, bytes out. Totals are conflated, so a campaign that a thousand events of a batch changed has one
update, with a thousand entries and the totals after the last.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, Protocol

import msgspec

from schemas.dead_letters import DeadLetter, Origin
from schemas.events import Decoding, LogEvent
from schemas.updates import RECORD_BYTES_MAX, Update, encoder
from schemas.zones import TZDATA_VERSION
from stream_processors.ledger.changes import Changes
from stream_processors.ledger.fold import find_campaign, fold_event
from stream_processors.ledger.moments import check_moment
from stream_processors.ledger.outcome import Refusal
from stream_processors.ledger.state import Campaign, PartitionState

FOLD_VERSION: Final = f"1+tzdata.{TZDATA_VERSION}"
"""Names the rules: two folds of one log agree when their versions do."""

PART_BYTES: Final = RECORD_BYTES_MAX // 2
"""An update is cut once what it holds may encode to more than this many bytes.

What is added between two looks (one pledge, one milestone, the terms) takes less than the other half.
"""


class LogRecord(Protocol):
    """A record of the log, as the Kafka clients give it."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes]]: ...


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


class _Story:
    """One campaign's part of a batch, cut into updates."""

    __slots__ = ("_before", "_partition", "_parts", "campaign", "changes", "key")

    def __init__(self, campaign: Campaign, partition: int) -> None:
        self.campaign = campaign
        self.key = campaign.launch.campaign_id.encode()
        self._partition = partition
        self._before = campaign.position
        self._parts: list[Update] = []
        self.changes = Changes(campaign, self._cut_if_large)

    def finish(self) -> list[Update]:
        """Return the campaign's updates; none if nothing changed."""
        if self.campaign.position > self._before:
            self._parts.append(self._update(complete=True))
        elif self._parts:
            self._parts[-1] = msgspec.structs.replace(self._parts[-1], complete=True)
        return self._parts

    def _cut_if_large(self) -> None:
        if self.changes.size_bytes_max > PART_BYTES:
            self._parts.append(self._update(complete=False))
            self._before = self.campaign.position
            self.changes.clear()

    def _update(self, *, complete: bool) -> Update:
        campaign, changes = self.campaign, self.changes
        return Update(
            campaign_id=campaign.launch.campaign_id,
            partition=self._partition,
            fold_version=FOLD_VERSION,
            before=self._before,
            after=campaign.position,
            complete=complete,
            totals=campaign.totals(),
            entries=changes.entries,
            pledges=[campaign.pledge(pledge_id) for pledge_id in changes.pledge_ids],
            days=[campaign.day(day) for day in changes.days],
            milestones=changes.milestones,
            terms=campaign.terms() if changes.terms_changed else None,
        )


@dataclass(slots=True)
class Batch:
    """Folds records of one partition, in order, onto its state, and gathers what there is to say of them."""

    state: PartitionState
    partition: int
    topic: str
    partition_of: Callable[[bytes], int]
    """The partition that the log's writers give a key."""
    before_change: Callable[[str], None] | None = None
    """Called with a campaign's id before this batch changes the campaign for the first time."""
    outputs: Outputs = field(default_factory=Outputs)
    _stories: dict[str, _Story] = field(default_factory=dict)

    def fold(self, records: Iterable[LogRecord]) -> None:
        """Fold every record that the state has not seen; the others are known already."""
        state = self.state
        for record in records:
            if record.offset < state.next_offset:
                continue
            self._fold_record(record)
            # Offsets may have gaps, where the log holds control records.
            state.next_offset = record.offset + 1

    def finish(self) -> Outputs:
        """Return what there is to say."""
        for story in self._stories.values():
            for update in story.finish():
                self.outputs.updates.append((story.key, _encode(update)))
                self.outputs.entries += len(update.entries)
        self._stories = {}
        return self.outputs

    def _fold_record(self, record: LogRecord) -> None:
        self.outputs.events += 1
        event: LogEvent | None = None
        try:
            event = _decode(record.value)
            story = self._stories.get(event.data.campaign_id)
            if story is None:
                story = self._begin_story(record.key, event)
            elif record.key != story.key:
                _refuse_key()
            else:
                check_moment(event.time)
            fold_event(story.campaign, event, record.offset, story.changes)
            if not story.changes.anything:
                self.outputs.unchanged += 1
        except Refusal as refusal:
            self.outputs.dead_letters.append(
                DeadLetter(
                    reason=refusal.reason,
                    detail=refusal.detail,
                    key=record.key,
                    value=record.value,
                    headers=tuple(record.headers),
                    origin=Origin(self.topic, self.partition, record.offset),
                    campaign_id=None if event is None else event.data.campaign_id,
                    event_id=None if event is None else event.id,
                )
            )

    def _begin_story(self, key: bytes | None, event: LogEvent) -> _Story:
        """Return the story of a campaign that this batch has not named before.

        Raises Refusal (`misrouted`) for what would not be found where its campaign's story is told, and what
        `find_campaign` raises.
        """
        campaign_id = event.data.campaign_id
        if key is None or key != campaign_id.encode():
            _refuse_key()
        # A campaign that is known here was launched here, so its partition was right.
        elif campaign_id not in self.state.campaigns and self.partition_of(key) != self.partition:
            raise Refusal("misrouted", f"partition {self.partition} is not the one that the key belongs to")
        campaign = find_campaign(self.state, event)
        if self.before_change is not None:
            self.before_change(campaign_id)
        story = self._stories[campaign_id] = _Story(campaign, self.partition)
        return story


def _refuse_key() -> NoReturn:
    raise Refusal("misrouted", "the record's key is not the id of the event's campaign")


def _decode(value: bytes | None) -> LogEvent:
    """Return the event of a record. Raises Refusal (`invalid_event`) for anything that is not one."""
    if value is None:
        raise Refusal("invalid_event", "the record has no value")
    try:
        event = Decoding.log.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("invalid_event", _printable(str(error))) from None
    # JSON has NUL as an escape only, and a single byte is quickly found to be absent.
    if b"\\" in value and _has_nul(msgspec.to_builtins(event)):
        # No database keeps the character NUL in a text.
        raise Refusal("invalid_event", "a text holds the character NUL")
    return event


def _has_nul(part: Any) -> bool:
    if isinstance(part, dict):
        return any(_has_nul(value) for value in part.values())
    if isinstance(part, list):
        return any(_has_nul(value) for value in part)
    return isinstance(part, str) and "\x00" in part


def _printable(text: str) -> str:
    """Return the words of an error without control characters that the event brought into them."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _encode(update: Update) -> bytes:
    """Return the update as one record. Raises ValueError should it exceed what a record may hold."""
    record = encoder.encode(update)
    if len(record) > RECORD_BYTES_MAX:
        raise ValueError(
            f"an update of {update.campaign_id} takes {len(record)} bytes, over {RECORD_BYTES_MAX}: "
            "the bounds in ledger/changes.py no longer hold"
        )
    return record
