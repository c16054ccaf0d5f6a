"""The last step of every door: events go to the log, and what can't be mapped goes to the dead letters."""

from collections.abc import Sequence
from typing import Final

from producers.gateway.answers import Accepted
from producers.gateway.problems import unavailable
from producers.metrics import GatewayMetrics
from producers.publishing import BrokerAwayError, Position, Publishing, Record
from schemas.dead_letters import DeadLetter, to_record
from schemas.events import CONTENT_TYPE, Event, encode
from schemas.failure_points import reach
from schemas.payments import PaymentEvent
from schemas.topics import DEAD_LETTERS, LOG, PAYMENTS

HEADERS: Final = (("content-type", CONTENT_TYPE.encode()),)


class Posting:
    """Writes what the doors have accepted, and counts it."""

    def __init__(self, publishing: Publishing, metrics: GatewayMetrics) -> None:
        self._publishing = publishing
        self._metrics = metrics

    async def post(self, events: Sequence[Event], source: str, payments: Sequence[PaymentEvent] = ()) -> list[Accepted]:
        """Write the events, all of that source, in this order, and return where each stands.

        What is told of payments goes to their own log, together with the events. Returns after the broker's
        acknowledgement of the last. Raises Problem (503) when that can't be had.
        """
        reach("gateway.before_publish")
        records = [Record(LOG.name, event.data.campaign_id.encode(), encode(event), HEADERS) for event in events]
        records += [Record(PAYMENTS.name, one.data.payment_id.encode(), encode(one), HEADERS) for one in payments]
        positions = await self._publish(records)
        reach("gateway.acknowledged")
        told = len(events) or len(payments)
        self._metrics.batch_events.observe(told)
        self._metrics.accepted.labels(source).inc(told)
        return [Accepted(event.id, str(position)) for event, position in zip(events, positions, strict=False)]

    async def put_aside(self, letter: DeadLetter) -> None:
        """Write a dead letter for what a payment gateway sent and we can't map. Raises Problem (503) as `post` does."""
        key, value, headers = to_record(letter)
        await self._publish([Record(DEAD_LETTERS.name, key, value or b"", tuple(headers))])

    async def _publish(self, records: list[Record]) -> list[Position]:
        try:
            return await self._publishing.publish(records)
        except BrokerAwayError as error:
            raise unavailable(error) from error
