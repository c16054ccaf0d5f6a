"""A dead letter is the original record, whole, with headers that say why it stands here.

The record keeps its key, value and headers, as dead letter queues do, so that it can be sent again as it was. Headers
of ours begin with `cercles-`.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

VALUE_BYTES_MAX: Final = 512 * 1024
"""Largest value kept whole, in bytes; of a larger one its SHA-256 stays."""

DETAIL_LENGTH_MAX: Final = 500

Headers = tuple[tuple[str, bytes], ...]

_REASON: Final = "cercles-reason"
_DETAIL: Final = "cercles-detail"
_CAMPAIGN: Final = "cercles-campaign-id"
_EVENT: Final = "cercles-event-id"
_TOPIC: Final = "cercles-topic"
_PARTITION: Final = "cercles-partition"
_OFFSET: Final = "cercles-offset"
_SHA256: Final = "cercles-value-sha256"
_OWN: Final = "cercles-"

HEADERS: Final = {
    _REASON: "Why it was refused: one of the refusal reasons of the folder that refused it",
    _DETAIL: f"The same in words, at most {DETAIL_LENGTH_MAX} characters",
    _CAMPAIGN: "The campaign that it names, where that could be read",
    _EVENT: "The id of the event in it, where that could be read",
    _SHA256: f"SHA-256 of the value, in hexadecimal digits, where it was left out: it was over {VALUE_BYTES_MAX} bytes",
    _TOPIC: "The topic in which it stood; this and the next two are absent for what never stood on the log",
    _PARTITION: "The partition in which it stood",
    _OFFSET: "The offset at which it stood",
}
"""Our headers and what they say."""

HEADERS_ALWAYS: Final = (_REASON, _DETAIL)
"""Those that every dead letter has."""


class Origin(Struct, frozen=True):
    """Where the refused record stands: its topic, partition and offset."""

    topic: str
    partition: int
    offset: int


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A record that was not applied, and why.

    `reason` is one of the refusal reasons of the folder that refused it; `origin` is absent for what a gateway could
    not map, which never stood on the log: its own place among the dead letters then stands in for it.
    """

    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    origin: Origin | None = None
    campaign_id: str | None = None
    event_id: str | None = None
    value_sha256: str | None = None


def to_record(letter: DeadLetter) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]:
    """Return key, value and headers of the Kafka record for a dead letter."""
    value, digest = letter.value, letter.value_sha256
    if value is not None and len(value) > VALUE_BYTES_MAX:
        digest, value = hashlib.sha256(value).hexdigest(), None
    headers = [(name, content) for name, content in letter.headers if not name.startswith(_OWN)]
    ours: dict[str, str | None] = {
        _REASON: letter.reason,
        _DETAIL: letter.detail[:DETAIL_LENGTH_MAX],
        _CAMPAIGN: letter.campaign_id,
        _EVENT: letter.event_id,
        _SHA256: digest,
    }
    if letter.origin is not None:
        ours |= {
            _TOPIC: letter.origin.topic,
            _PARTITION: str(letter.origin.partition),
            _OFFSET: str(letter.origin.offset),
        }
    headers += [(name, text.encode()) for name, text in ours.items() if text is not None]
    return letter.key, value, headers


def from_record(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> DeadLetter:
    """Return the dead letter that a Kafka record holds.

    Raises KeyError or ValueError when the record was not written by `to_record`.
    """
    everything = tuple(headers)
    ours = {name: content.decode() for name, content in everything if name.startswith(_OWN)}
    origin = None
    if _TOPIC in ours:
        origin = Origin(ours[_TOPIC], int(ours[_PARTITION]), int(ours[_OFFSET]))
    return DeadLetter(
        reason=ours[_REASON],
        detail=ours[_DETAIL],
        key=key,
        value=value,
        headers=tuple((name, content) for name, content in everything if not name.startswith(_OWN)),
        origin=origin,
        campaign_id=ours.get(_CAMPAIGN),
        event_id=ours.get(_EVENT),
        value_sha256=ours.get(_SHA256),
    )
