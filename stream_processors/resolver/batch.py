"""Folds a batch of records of the payments' log into the records to be sent. Still pure: bytes in, bytes out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from schemas.dead_letters import DeadLetter, Origin
from schemas.events import Event, encode
from schemas.payments import PaymentDecoding, PaymentEvent, PaymentFact
from stream_processors.decoding import NotAnEventError, decode_event
from stream_processors.refusals import ResolverRefusalReason
from stream_processors.resolver.fold import Refusal, expired, resolve
from stream_processors.resolver.record import PaymentRecord
from stream_processors.resolver.state import ResolverState


@dataclass(slots=True)
class Outputs:
    """What a batch has to say, in the order in which it must be sent."""

    resolved: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Campaign id and encoded event of a pledge."""
    dead_letters: list[DeadLetter] = field(default_factory=list)
    events: int = 0


@dataclass(slots=True)
class Batch:
    """Folds records of one partition, in order, onto its state, and gathers what there is to say of them."""

    state: ResolverState
    partition: int
    topic: str
    outputs: Outputs = field(default_factory=Outputs)

    def fold(self, records: Iterable[PaymentRecord]) -> Outputs:
        """Fold every record that the state has not seen, and return what there is to say; the others are known."""
        for _ in self.steps(records):
            pass
        return self.outputs

    def steps(self, records: Iterable[PaymentRecord]) -> Iterator[None]:
        """Do what `fold` does in steps of a record each."""
        for record in records:
            if record.offset >= self.state.next_offset:
                self._fold_record(record)
                # Offsets may have gaps, where the log holds control records.
                self.state.next_offset = record.offset + 1
                yield

    def _fold_record(self, record: PaymentRecord) -> None:
        self.outputs.events += 1
        for waiting in expired(self.state, record.timestamp):
            self._refuse(waiting.record, "payment_unknown", self._missing(waiting.event), waiting.event)
        event: PaymentEvent | None = None
        try:
            event = _decode(record.value)
            _check_key(record.key, event)
            said = resolve(self.state, event, record)
        except Refusal as refusal:
            self._refuse(record, refusal.reason, refusal.detail, event)
            return
        self.outputs.resolved += [(one.data.campaign_id.encode(), encode(one)) for one in said]

    def _missing(self, event: PaymentFact) -> str:
        payment_id = event.data.payment_id
        linked = self.state.payment(event.source, payment_id).link is not None
        missing = f"what payment {payment_id} has captured" if linked else f"the campaign of payment {payment_id}"
        return f"{missing} was not heard of within seven days; should it be, this is said then"

    def _refuse(self, record: PaymentRecord, reason: ResolverRefusalReason, detail: str, event: Event | None) -> None:
        self.outputs.dead_letters.append(
            DeadLetter(
                reason=reason,
                detail=detail,
                key=record.key,
                value=record.value,
                headers=tuple(record.headers),
                origin=Origin(self.topic, self.partition, record.offset),
                campaign_id=None if event is None else getattr(event.data, "campaign_id", None),
                event_id=None if event is None else event.id,
            )
        )


def _check_key(key: bytes | None, event: PaymentEvent) -> None:
    if key != event.data.payment_id.encode():
        raise Refusal("misrouted", "the record's key is not the id of the event's payment")


def _decode(value: bytes | None) -> PaymentEvent:
    """Return the event of a record. Raises Refusal (`invalid_event`) for anything that is not one."""
    try:
        return decode_event(value, PaymentDecoding.log)
    except NotAnEventError as error:
        raise Refusal("invalid_event", str(error)) from None
