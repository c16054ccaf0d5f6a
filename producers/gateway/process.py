"""The gateway as a process: its publisher, its application and its server, from start to stop."""

import asyncio
import socket
import threading

import structlog
from prometheus_client import CollectorRegistry

from producers.gateway.app import make_app, now
from producers.gateway.posting import Posting
from producers.gateway.server import BACKLOG, Server
from producers.gateway.visit_counts import VisitCounts, VisitTelling
from producers.metrics import GatewayMetrics
from producers.publishing import Publisher, PublishingBounds
from producers.settings import GatewaySettings
from schemas.headway import Headway
from schemas.listening import listen, tcp
from schemas.topics import DEAD_LETTERS, LOG, PAYMENTS

log = structlog.get_logger(__name__)


class GatewayProcess:
    """The HTTP doors. Ready while a broker is there and the topics are."""

    name = "gateway"

    def __init__(self, settings: GatewaySettings, listening: socket.socket | None = None) -> None:
        self.registry = CollectorRegistry()
        self.headway = Headway()
        self._settings = settings
        self._metrics = GatewayMetrics(self.registry)
        self._socket = None if listening is None else tcp(listening)
        self._publisher = Publisher(
            settings.kafka,
            (LOG.name, PAYMENTS.name, DEAD_LETTERS.name),
            self._metrics.publisher,
            PublishingBounds(
                seconds_max=settings.publish_seconds,
                events_max=settings.in_flight_events_max,
                bytes_max=settings.in_flight_bytes_max,
            ),
        )
        self._visits = VisitCounts(self._metrics)
        self._server: Server | None = None

    def bind(self) -> tuple[str, int]:
        """Take the address, if that has not happened yet, and return its host and port.

        Requests wait there until `run`. Raises OSError when the address is taken.
        """
        if self._socket is None:
            self._socket = listen(self._settings.host, self._settings.port, BACKLOG)
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    def not_ready(self) -> str | None:
        """Return why events can't be taken just now, or None."""
        if self._server is None or not self._server.started:
            return "the server has not started yet"
        return self._publisher.not_ready()

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set, then finish what is under way, within 10 s. Raises OSError for a taken address."""
        host, port = self.bind()
        if self._socket is None:
            raise RuntimeError("bind() left no socket")
        self._server = Server(
            make_app(self._settings, self._publisher, self._metrics, visits=self._visits),
            self._settings.requests_max,
            stop,
            each_tick=lambda: self.headway.note(self._publisher.under_way()),
        )
        log.info("gateway_listening", host=host, port=port, url=f"http://{host}:{port}")
        try:
            asyncio.run(self._serve(self._server, self._socket))
        finally:
            self._socket.close()

    async def _serve(self, server: Server, listening: socket.socket) -> None:
        telling = VisitTelling(self._visits, Posting(self._publisher, self._metrics), now)
        async with self._publisher:
            running = asyncio.create_task(telling.run())
            try:
                await server.serve(sockets=[listening])
            finally:
                telling.stop()
                await running
