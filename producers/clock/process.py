"""The clock as a process: a look at the deadlines every few seconds."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError

from producers.blocking import BlockingPublisher
from producers.clock.closing import Closing
from producers.clock.deadlines import StoredDeadlines, deadlines_engine
from producers.metrics import ClockMetrics
from producers.publishing import BrokerAwayError, Publisher, PublishingBounds
from producers.settings import ClockSettings
from schemas.headway import Headway
from schemas.topics import LOG

TURN_SECONDS: Final = 1.0
"""How often to look, between two looks at the deadlines, whether the publisher is well."""

log = structlog.get_logger(__name__)


class ClockProcess:
    """Closes campaigns in time. Any number of these may run: they say the same, and saying it twice changes nothing."""

    name: Final = "clock"

    def __init__(self, settings: ClockSettings) -> None:
        self.registry = CollectorRegistry()
        self.headway = Headway()
        self._settings = settings
        self._metrics = ClockMetrics(self.registry)
        self._publisher = BlockingPublisher(
            Publisher(
                settings.kafka,
                [LOG.name],
                self._metrics.publisher,
                PublishingBounds(seconds_max=settings.publish_seconds),
            )
        )
        self._database_away: str | None = "the deadlines have not been read yet"

    def not_ready(self) -> str | None:
        """Return why no campaign can be closed just now, or None."""
        return self._database_away or self._publisher.not_ready()

    def run(self, stop: threading.Event) -> None:
        """Look at the deadlines until stopped. A database or broker that is away is tried again at the next look."""
        engine = deadlines_engine(self._settings.database)
        closing = Closing(
            StoredDeadlines(engine),
            self._publisher,
            republish_after=timedelta(seconds=self._settings.republish_after_seconds),
            now=lambda: datetime.now(UTC),
            on_page=self._note,
        )
        self._publisher.start()
        try:
            while not stop.is_set():
                self._look(closing)
                self._wait(stop)
        finally:
            self._publisher.close()
            engine.dispose()

    def _wait(self, stop: threading.Event) -> None:
        until = time.monotonic() + self._settings.interval_seconds
        while (left_seconds := until - time.monotonic()) > 0 and not stop.is_set():
            self._note()
            stop.wait(min(left_seconds, TURN_SECONDS))

    def _note(self) -> None:
        self.headway.note(self._publisher.under_way())

    def _look(self, closing: Closing) -> None:
        try:
            appended = closing.look()
        except SQLAlchemyError as error:
            self._database_away = f"the database can't be read: {error}"
            self._metrics.count_look("database_away")
            log.warning("deadlines_unreadable", error=str(error))
            return
        except BrokerAwayError as error:
            self._metrics.count_look("broker_away")
            log.warning("closes_not_appended", error=str(error))
            return
        finally:
            self._metrics.due.set(closing.due)
        self._database_away = None
        self._metrics.count_look("done")
        if appended:
            self._metrics.closings.inc(appended)
            log.info("campaigns_closed", count=appended)
