"""Writes records to Kafka and says where they stand, once every broker that must have them has them.

    publish() ──▶ lane, the thread that owns the producer ──▶ the producer's sender thread ──▶ brokers
        ▲                                                            │
        └────────────────────── acknowledgements ────────────────────┘

kafka-python 3.0 has no bound on what it buffers: here more than `events_max` or `bytes_max` in flight is refused at
once, until what is in flight has been acknowledged or dropped.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from producers.lane import Lane
from producers.metrics import PublisherMetrics
from producers.publication import BrokerAwayError, Position, Publication, Record, TooMuchInFlightError
from producers.settings import PUBLISH_SECONDS_MAX
from schemas.connections import KafkaConnection

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
    """Writes to the topics named. `start` it before use and `close` it afterwards; call `publish` from any thread."""

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Sequence[str],
        metrics: PublisherMetrics,
        bounds: PublishingBounds | None = None,
    ) -> None:
        self._metrics = metrics
        self._bounds = bounds or PublishingBounds()
        self._lock = threading.Lock()
        self._events_in_flight = 0
        self._bytes_in_flight = 0
        self._number = 0
        self._numbers: dict[Publication, int] = {}
        metrics.in_flight_events.set_function(lambda: self._events_in_flight)
        metrics.in_flight_bytes.set_function(lambda: self._bytes_in_flight)
        self._lane = Lane(connection, topics, self._bounds.seconds_max, metrics.connections)

    def start(self) -> None:
        """Begin to connect, in the background: a gateway starts without its broker, too."""
        self._lane.start()

    def close(self) -> None:
        """Write what is queued, for as long as a publication may take at most, and end."""
        self._lane.close()

    def not_ready(self) -> str | None:
        """Return why nothing can be written just now, or None."""
        return self._lane.away

    def under_way(self) -> dict[str, int]:
        """Return what must move on, by name: the lane with its turns, and the oldest publication with its number.

        An outage of the brokers stops neither: the lane goes on asking for them, and publications fail at their
        deadlines.
        """
        with self._lock:
            oldest = next(iter(self._numbers.values()), None)
        lane = {"publishing lane": self._lane.turns}
        return lane if oldest is None else lane | {"oldest publication": oldest}

    @property
    def in_flight(self) -> tuple[int, int]:
        """How many events, and how many bytes of them, wait for the broker."""
        return self._events_in_flight, self._bytes_in_flight

    async def publish(self, records: Sequence[Record]) -> list[Position]:
        """Write the records in this order and return the position of each, after all have been acknowledged.

        Raises BrokerAwayError within `seconds_max` when that can't be had.
        """
        if not records:
            return []
        publication = self._accept(records)
        try:
            async with asyncio.timeout(self._bounds.seconds_max):
                return await asyncio.wrap_future(publication.future)
        except TimeoutError:
            raise self._given_up(publication) from None

    def publish_and_wait(self, records: Sequence[Record]) -> list[Position]:
        """Do what `publish` does, for a caller without an event loop: it blocks."""
        if not records:
            return []
        publication = self._accept(records)
        try:
            return publication.future.result(self._bounds.seconds_max)
        except TimeoutError:
            raise self._given_up(publication) from None

    def _accept(self, records: Sequence[Record]) -> Publication:
        if self._lane.away is not None:
            self._metrics.count_failure("away")
            raise BrokerAwayError(self._lane.away)
        publication = Publication(records, self._done, self._failed)
        with self._lock:
            events = self._events_in_flight + len(records)
            size = self._bytes_in_flight + publication.size_bytes
            full = events > self._bounds.events_max or size > self._bounds.bytes_max
            if not full:
                self._events_in_flight, self._bytes_in_flight = events, size
                self._number += 1
                self._numbers[publication] = self._number
        if full:
            self._metrics.count_failure("full")
            raise TooMuchInFlightError("too many events wait for the broker already")
        self._lane.put(publication)
        return publication

    def _given_up(self, publication: Publication) -> BrokerAwayError:
        publication.abandoned = True
        self._metrics.count_failure("timed_out")
        words = f"no acknowledgement within {self._bounds.seconds_max:g} s"
        self._lane.doubt(publication, words)
        return BrokerAwayError(words)

    def _done(self, publication: Publication) -> None:
        """Nothing of the publication is under way any more, whatever became of it."""
        with self._lock:
            self._events_in_flight -= len(publication.records)
            self._bytes_in_flight -= publication.size_bytes
            del self._numbers[publication]
        if publication.failed:
            return
        self._lane.acknowledged()
        self._metrics.seconds.observe(time.monotonic() - publication.began_at)
        for topic, events in Counter(record.topic for record in publication.records).items():
            self._metrics.events.labels(topic).inc(events)

    def _failed(self, publication: Publication, error: BaseException) -> None:
        if publication.abandoned:
            return
        words = f"{type(error).__name__}: {error}"
        log.debug("publication_failed", error=words, events=len(publication.records))
        self._metrics.count_failure("refused")
        self._lane.doubt(publication, words)
