"""What a partition of the payments' log has come to: links, and facts that wait for theirs."""

from collections import OrderedDict
from dataclasses import dataclass, field

from schemas.payments import PaymentData, PaymentFact, PaymentLinkedData
from stream_processors.resolver.record import PaymentRecord


@dataclass(slots=True)
class Waiting:
    """A fact that came before what it needs to be told of a pledge."""

    event: PaymentFact
    record: PaymentRecord
    since_ms: int
    """The log's time when it came."""


@dataclass(slots=True)
class Payment:
    """One payment of one source."""

    link: PaymentLinkedData | None = None
    captured_minor: int | None = None
    waiting: dict[PaymentData, Waiting] | None = None
    """Each fact once, in the order in which they came; those that are dead letters by now among them. None: of most
    payments none ever waits."""


@dataclass(slots=True)
class ResolverState:
    """Everything below `next_offset`, folded."""

    next_offset: int = 0
    time_ms: int = 0
    """The greatest timestamp of a record: the log's own time, in milliseconds since 1970."""

    payments: dict[str, dict[str, Payment]] = field(default_factory=dict)
    """By source, then by payment id: no source can speak of another's payment."""

    waiting: OrderedDict[int, Waiting] = field(default_factory=OrderedDict)
    """Every fact that waits and is no dead letter yet, by its offset, the oldest first. Of a plain dictionary the first
    is found only past all that were taken from its front."""

    def payment(self, source: str, payment_id: str) -> Payment:
        """Return that source's payment, which is made when it is first named."""
        known = self.payments.setdefault(source, {})
        payment = known.get(payment_id)
        if payment is None:
            payment = known[payment_id] = Payment()
        return payment

    @property
    def size(self) -> int:
        """How many payments are known."""
        return sum(map(len, self.payments.values()))

    @property
    def waiting_since_ms(self) -> int | None:
        """The log's time when the oldest waiting fact came, or None if none waits."""
        oldest = next(iter(self.waiting.values()), None)
        return None if oldest is None else oldest.since_ms
