"""Enters the captures that the log counts into the books, from a fold of their own."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from cercles.audit.refold import Refold
from cercles.reconciliation.books import Books, Capture, Refused
from cercles.topic_reader import TopicReader, partitioner
from schemas.dead_letters import DeadLetter
from schemas.events import Decoding, PledgeCaptured
from schemas.topics import LOG
from stream_processors.ledger.state import PartitionState

Show = Callable[[int, int, int], None]
_TYPE: Final = str(PledgeCaptured.__struct_config__.tag).encode()


def enter_captures(reader: TopicReader, books: Books, prefix: str, show: Show, *, moments: bool) -> int:
    """Fold the whole log as it now is and enter every capture whose id begins with `prefix`; return how many.

    `moments`: note when each was made, too. Raises StretchMissingError and Kafka's errors.
    """
    _, partitions = reader.describe(LOG)
    entered = 0
    for partition in range(partitions):
        end = reader.range(LOG, partition)[1]
        refold = Refold(partition, partitioner(partitions), {}, end)
        for records, position in reader.read(LOG, partition, 0, end):
            for said in refold.fold(records, position, ()):
                books.add_refused(_refused(partition, said.refused.values(), prefix))
            if moments:
                books.saw(_sightings(records, prefix))
            show(partition, position, end)
        entered += books.add_captures(_captures(refold.state, prefix))
    return entered


def _captures(state: PartitionState, prefix: str) -> Iterator[Capture]:
    for campaign_id, campaign in state.campaigns.items():
        for capture_id, pledge_id, amount_minor in campaign.captured():
            if capture_id.startswith(prefix):
                yield Capture(capture_id, campaign_id, pledge_id, amount_minor, campaign.launch.currency)


def _refused(partition: int, letters: Iterable[DeadLetter], prefix: str) -> Iterator[Refused]:
    for letter in letters:
        event = _capture(letter.value)
        if event is not None and letter.origin is not None and event.data.capture_id.startswith(prefix):
            position = f"{partition}:{letter.origin.offset}"
            yield Refused(event.data.capture_id, event.data.campaign_id, position, letter.reason)


def _sightings(records: Sequence[Any], prefix: str) -> Iterator[tuple[str, str, datetime]]:
    for record in records:
        event = _capture(record.value)
        if event is not None and event.data.capture_id.startswith(prefix):
            yield event.data.capture_id, event.data.campaign_id, event.data.made_at or event.time


def _capture(value: bytes | None) -> PledgeCaptured | None:
    """Return the capture that a record is, or None."""
    if value is None or _TYPE not in value:
        return None
    try:
        event = Decoding.log.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # a dead letter, which the fold names
    return event if isinstance(event, PledgeCaptured) else None
