"""The process `cercles exporter`: rows become metrics, read at every scrape, so that they always equal the database."""

import threading
import time
from collections.abc import Iterable
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from schemas.headway import Headway
from sinks.campaign_metrics import families
from sinks.database import DatabaseErrors, reading_engine
from sinks.metrics import ExporterMetrics
from sinks.settings import ExporterSettings

SCRAPE_WAIT_SECONDS_MAX: Final = 5
"""How long a scrape waits for another one to end; then it fails, so that scrapes can't pile up."""

CLOSE_SECONDS_MAX: Final = 3
TURN_SECONDS: Final = 1.0
"""How often to look whether scrapes end."""

log = structlog.get_logger(__name__)


class CampaignCollector(Collector):
    """Reads the database once for each scrape, in one transaction, so that the numbers of a scrape agree.

    Where the database can't be read, the scrape has `cercles_exporter_up 0` and no campaign's series at all: never an
    old number as a new one.
    """

    def __init__(self, engine: Engine, metrics: ExporterMetrics, *, top_campaigns: int) -> None:
        self._engine = engine
        self._metrics = metrics
        self._top_campaigns = top_campaigns
        self._one_at_a_time = threading.Lock()
        self._number = 0
        self.reason: str | None = None
        """Why the last scrape failed, or None."""

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as of now."""
        started = time.monotonic()
        found = self._read()
        seconds = time.monotonic() - started
        self._metrics.scrape_seconds.observe(seconds)
        self._metrics.scrapes.labels("failed" if found is None else "read").inc()
        yield GaugeMetricFamily(
            "cercles_exporter_up",
            "1: the metrics of this scrape are the database's; 0: it could not be read, and they are missing",
            value=0 if found is None else 1,
        )
        yield GaugeMetricFamily(
            "cercles_exporter_scrape_duration_seconds", "Time that reading the database took", value=seconds
        )
        yield from found or ()

    def under_way(self) -> dict[str, int]:
        """Return the number of the scrape under way, by name, or nothing."""
        return {"scrape": self._number} if self._one_at_a_time.locked() else {}

    def _read(self) -> list[Metric] | None:
        if not self._one_at_a_time.acquire(timeout=SCRAPE_WAIT_SECONDS_MAX):
            self._fail("another scrape has not ended yet")
            return None
        self._number += 1
        try:
            with self._engine.begin() as connection:
                found = families(connection, top_campaigns=self._top_campaigns)
        except DatabaseErrors as error:
            self._engine.dispose()
            self._fail(str(error))
            return None
        finally:
            self._one_at_a_time.release()
        self.reason = None
        return found

    def _fail(self, reason: str) -> None:
        self.reason = f"the database can't be read: {reason}"
        log.error("scrape_failed", reason=reason)


class ExporterProcess:
    """Serves the campaigns' metrics on an address of their own; its own operational ones are in `registry`."""

    name: Final = "exporter"

    def __init__(self, settings: ExporterSettings) -> None:
        self._settings = settings
        self.registry = CollectorRegistry()
        self.headway = Headway()
        self._engine = reading_engine(settings.database.url.get_secret_value())
        self._collector = CampaignCollector(
            self._engine, ExporterMetrics(self.registry), top_campaigns=settings.top_campaigns
        )
        self._address: str | None = None
        self._bound = threading.Event()

    def not_ready(self) -> str | None:
        """Return why the last scrape failed, or that nothing is served yet, or None."""
        return "it is starting" if self._address is None else self._collector.reason

    def address(self, timeout_seconds: float) -> str:
        """Return the URL at which metrics are served, once they are. Raises TimeoutError when it takes longer."""
        self._bound.wait(timeout_seconds)
        if self._address is None:
            raise TimeoutError("the exporter has no address yet")
        return self._address

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set. Raises OSError when the address can't be had."""
        campaigns = CollectorRegistry()
        campaigns.register(self._collector)
        server, thread = start_http_server(self._settings.port, self._settings.host, campaigns)
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        self._address = f"http://{host}:{server.server_port}/metrics"
        self._bound.set()
        log.info("campaign_metrics_served", address=self._address)
        try:
            while not stop.wait(TURN_SECONDS):
                self.headway.note(self._collector.under_way())
        finally:
            server.shutdown()
            server.server_close()
            thread.join(CLOSE_SECONDS_MAX)
            self._engine.dispose()
