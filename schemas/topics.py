"""The topics: name, key, partitions, retention, who writes and who reads.

All have the same number of partitions, and a campaign has the same partition in each that is keyed by campaign, so
that a partition's story, what was said of it, and what was refused of it can be compared offset by offset. That number
never changes: growing is a rebuild.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from schemas.events import EVENT_TYPES
from schemas.payments import PAYMENT_TYPES
from schemas.updates import Progress, Update

PARTITIONS_DEFAULT: Final = 24
PARTITIONS_EMBEDDED: Final = 4
EVENT_BYTES_MAX: Final = 131_072
"""Largest record batch on the log, in bytes."""

_RECORD_BYTES_MAX: Final = 1_048_576
_WEEK_MS: Final = 7 * 24 * 3600 * 1000
_FOREVER: Final = "-1"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it must exist on the broker."""

    name: str
    holds: str
    key: str
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    config: dict[str, str]


LOG: Final = Topic(
    name="cercles.campaign-events",
    holds="CloudEvents 1.0 in structured JSON, one event a record: the one ordered story of every campaign",
    key="campaign id",
    written_by=("gateway", "clock", "resolver"),
    read_by=("worker",),
    config={
        "cleanup.policy": "delete",
        "retention.ms": _FOREVER,
        "retention.bytes": _FOREVER,
        "max.message.bytes": str(EVENT_BYTES_MAX),
        "unclean.leader.election.enable": "false",
    },
)
UPDATES: Final = Topic(
    name="cercles.campaign-updates",
    holds="updates and progress records (schemas/updates.py); it can always be made again from the log",
    key="campaign id; none for progress records",
    written_by=("worker",),
    read_by=("sink", "subscribers"),
    config={
        "cleanup.policy": "delete",
        "retention.ms": str(_WEEK_MS),
        "max.message.bytes": str(_RECORD_BYTES_MAX),
        "unclean.leader.election.enable": "false",
    },
)
PAYMENTS: Final = Topic(
    name="cercles.payment-events",
    holds="CloudEvents 1.0 in structured JSON, one event a record: facts that name only their payment, and the links "
    "from payments to campaigns",
    key="payment id",
    written_by=("gateway",),
    read_by=("resolver",),
    config={
        "cleanup.policy": "delete",
        "retention.ms": _FOREVER,
        "retention.bytes": _FOREVER,
        "max.message.bytes": str(EVENT_BYTES_MAX),
        "unclean.leader.election.enable": "false",
    },
)
DEAD_LETTERS: Final = Topic(
    name="cercles.dead-letters",
    holds="refused records as they were, with the reason in headers (schemas/dead_letters.py)",
    key="the refused record's key",
    written_by=("worker", "resolver", "gateway"),
    read_by=("sink",),
    config={
        "cleanup.policy": "delete",
        "retention.ms": _FOREVER,
        "retention.bytes": _FOREVER,
        "max.message.bytes": str(_RECORD_BYTES_MAX),
        "unclean.leader.election.enable": "false",
    },
)

TOPICS: Final = (LOG, UPDATES, PAYMENTS, DEAD_LETTERS)
"""Every topic."""

RECORDS: Final[Mapping[str, Mapping[str, type[Struct]]]] = {
    LOG.name: EVENT_TYPES,
    PAYMENTS.name: PAYMENT_TYPES,
    UPDATES.name: {"cercles.update": Update, "cercles.progress": Progress},
    DEAD_LETTERS.name: {},
}
"""The types of record on each topic, by their names on the wire; a dead letter keeps whatever it was."""
