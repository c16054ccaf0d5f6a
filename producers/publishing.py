"""Writes records to Kafka and says where they stand, once every broker that must have them has them.

    publish() ──▶ a queue for each partition ──▶ record batches ──▶ the producer's task ──▶ brokers
        ▲                                                                      │
        └────────────────────────── acknowledgements ──────────────────────────┘

All of it in one event loop. More than `events_max` or `bytes_max` in flight is refused at once, until what is in
flight has been acknowledged or dropped.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import structlog

from producers.lane import Lane
from producers.metrics import PublisherMetrics
from producers.publication import BrokerAwayError, Position, Publication, Record, TooMuchInFlightError
from producers.settings import PUBLISH_SECONDS_MAX
from schemas.connections import KafkaConnection
from schemas.headway import UnderWay

__all__ = [
    "BrokerAwayError",
    "Position",
    "Publisher",
    "Publishing",
    "PublishingBounds",
    "Record",
    "TooMuchInFlightError",
]

log = structlog.get_logger(__name__)


class Publishing(Protocol):
    """What writes records: the `Publisher`, and the fake of the tests."""

    async def publish(self, records: Sequence[Record]) -> list[Position]:
        """Write the records in this order and return the position of each, after all have been acknowledged.

        Raises BrokerAwayError within a bounded time when that can't be had.
        """
        ...

    def not_ready(self) -> str | None:
        """Return why nothing can be written just now, or None."""
        ...


@dataclass(frozen=True, kw_only=True)
class PublishingBounds:
    """How long a publication may take and how much may be under way."""

    seconds_max: float = PUBLISH_SECONDS_MAX
    events_max: int = 50_000
    bytes_max: int = 64 * 1024 * 1024


class Publisher:
    """Writes to the topics named, within the event loop that enters it. Who has none takes a `BlockingPublisher`."""

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Sequence[str],
        metrics: PublisherMetrics,
        bounds: PublishingBounds | None = None,
    ) -> None:
        self._metrics = metrics
        self._bounds = bounds or PublishingBounds()
        self._events_in_flight = 0
        self._bytes_in_flight = 0
        self._publications: UnderWay[Publication] = UnderWay("oldest publication")
        metrics.in_flight_events.set_function(lambda: self._events_in_flight)
        metrics.in_flight_bytes.set_function(lambda: self._bytes_in_flight)
        self._events = {topic: metrics.events.labels(topic) for topic in topics}
        self._lane = Lane(connection, topics, self._bounds.seconds_max, metrics.connections)

    async def __aenter__(self) -> Self:
        """Begin to connect, in the background: a gateway starts without its broker, too."""
        self._lane.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait for what is under way, for as long as a publication may take at most, and end."""
        waiting = [publication.future for publication in self._publications.things()]
        if waiting:
            await asyncio.wait(waiting, timeout=self._bounds.seconds_max)
        await self._lane.stop()

    def not_ready(self) -> str | None:
        """Return why nothing can be written just now, or None."""
        return self._lane.away

    def under_way(self) -> dict[str, int]:
        """Return what must move on, by name: the lane with its turns, and the oldest publication with its number.

        An outage of the brokers stops neither: the lane goes on asking for them, and publications fail at their
        deadlines. Any thread may ask.
        """
        return {"publishing lane": self._lane.turns} | self._publications.oldest()

    @property
    def in_flight(self) -> tuple[int, int]:
        """How many events, and how many bytes of them, wait for the broker."""
        return self._events_in_flight, self._bytes_in_flight

    async def publish(self, records: Sequence[Record]) -> list[Position]:
        """Write the records in this order and return the position of each, after all have been acknowledged.

        Raises BrokerAwayError within `seconds_max` when that can't be had, and KeyError for a topic that was not named
        to this publisher.
        """
        if not records:
            return []
        publication = self._accepted(records)
        try:
            async with asyncio.timeout(self._bounds.seconds_max):
                return await publication.future
        except TimeoutError:
            self._metrics.count_failure("timed_out")
            raise BrokerAwayError(f"no acknowledgement within {self._bounds.seconds_max:g} s") from None
        except BrokerAwayError as error:
            self._metrics.count_failure("refused")
            log.debug("publication_failed", error=str(error), events=len(records))
            raise
        except asyncio.CancelledError:
            self._metrics.count_failure("canceled")
            raise

    def _accepted(self, records: Sequence[Record]) -> Publication:
        if self._lane.away is not None:
            self._metrics.count_failure("away")
            raise BrokerAwayError(self._lane.away)
        publication = Publication(records, self._settled)
        events = self._events_in_flight + len(records)
        size_bytes = self._bytes_in_flight + publication.size_bytes
        if events > self._bounds.events_max or size_bytes > self._bounds.bytes_max:
            self._metrics.count_failure("full")
            raise TooMuchInFlightError("too many events wait for the broker already")
        self._lane.put(publication)
        self._events_in_flight, self._bytes_in_flight = events, size_bytes
        self._publications.begin(publication)
        return publication

    def _settled(self, publication: Publication) -> None:
        """Nothing of the publication is under way any more, whatever became of it."""
        self._events_in_flight -= len(publication.records)
        self._bytes_in_flight -= publication.size_bytes
        self._publications.end(publication)
        if publication.failed:
            return
        self._lane.heard()
        self._metrics.seconds.observe(time.monotonic() - publication.began_at)
        for topic, events in Counter(record.topic for record in publication.records).items():
            self._events[topic].inc(events)
