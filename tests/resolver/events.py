"""Events of one payment, and a partition of the payments' log that is folded as it grows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schemas.dead_letters import DeadLetter
from schemas.events import Decoding, LogEvent, encode
from schemas.payments import (
    PaymentDisputed,
    PaymentDisputedData,
    PaymentEvent,
    PaymentLinked,
    PaymentLinkedData,
    PaymentRefunded,
    PaymentRefundedData,
)
from stream_processors.resolver.batch import Batch, Outputs
from stream_processors.resolver.state import ResolverState

PAYMENT = "stripe:pi_1"
CAMPAIGN = "les-anges-anonymes"
PLEDGE = "pledge-1"
SOURCE = "stripe/acme/live"
NOON_MS = 1_772_000_000_000
DAY_MS = 24 * 3600 * 1000
TIME = datetime(2026, 3, 2, 12, tzinfo=UTC)


def link(payment_id: str = PAYMENT, *, source: str = SOURCE, **changes: Any) -> PaymentLinked:
    """Return a link to the pledge, in euros, without what was captured."""
    data: dict[str, Any] = {"campaign_id": CAMPAIGN, "pledge_id": PLEDGE, "currency": "EUR"} | changes
    return PaymentLinked(
        specversion="1.0",
        id=f"link-{payment_id}",
        source=source,
        time=TIME,
        data=PaymentLinkedData(payment_id=payment_id, **data),
    )


def refund(payment_id: str = PAYMENT, *, source: str = SOURCE, **changes: Any) -> PaymentRefunded:
    """Return a refund of 10 € that has succeeded."""
    data: dict[str, Any] = {
        "refund_id": "stripe:re_1",
        "amount_minor": 1000,
        "currency": "EUR",
        "status": "succeeded",
    } | changes
    return PaymentRefunded(
        specversion="1.0",
        id=f"refund-{data['refund_id']}-{data['status']}",
        source=source,
        time=TIME,
        data=PaymentRefundedData(payment_id=payment_id, **data),
    )


def dispute(payment_id: str = PAYMENT, **changes: Any) -> PaymentDisputed:
    """Return an open dispute of 25 €."""
    data: dict[str, Any] = {
        "dispute_id": "stripe:dp_1",
        "amount_minor": 2500,
        "currency": "EUR",
        "status": "open",
        "withdrawn": False,
    } | changes
    return PaymentDisputed(
        specversion="1.0",
        id=f"dispute-{data['dispute_id']}-{data['status']}",
        source=SOURCE,
        time=TIME,
        data=PaymentDisputedData(payment_id=payment_id, **data),
    )


@dataclass(frozen=True)
class Record:
    """A record as it stands on the payments' log."""

    offset: int
    value: bytes | None
    key: bytes | None = PAYMENT.encode()
    timestamp: int = NOON_MS
    headers: Iterable[tuple[str, bytes]] = ()


@dataclass
class Partition:
    """A partition in memory, folded a record at a time."""

    state: ResolverState = field(default_factory=ResolverState)
    time_ms: int = NOON_MS
    records: list[Record] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)

    def append(self, *events: PaymentEvent) -> list[LogEvent]:
        """Fold the events and return what they make the resolver say."""
        return [said for event in events for said in self.put(encode(event), event.data.payment_id.encode())]

    def put(self, value: bytes | None, key: bytes | None = PAYMENT.encode()) -> list[LogEvent]:
        """Fold a record, whatever it holds, and return what it makes the resolver say."""
        record = Record(len(self.records), value, key, self.time_ms)
        self.records.append(record)
        outputs = fold(self.state, record)
        self.dead_letters += outputs.dead_letters
        return said_of(outputs)

    @property
    def reasons(self) -> list[str]:
        """Why records became dead letters, in order."""
        return [letter.reason for letter in self.dead_letters]


def fold(state: ResolverState, *records: Record) -> Outputs:
    """Fold one batch of partition 3."""
    return Batch(state, 3, "cercles.payments").fold(records)


def said_of(outputs: Outputs) -> list[LogEvent]:
    """Return the resolved events, decoded; each must stand under its campaign."""
    events = [Decoding.log.decode(value) for _, value in outputs.resolved]
    assert [key for key, _ in outputs.resolved] == [event.data.campaign_id.encode() for event in events]
    return events
