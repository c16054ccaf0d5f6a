"""A reader as a process: uvicorn around the application, started and stopped from outside."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any, Final

import structlog
import uvicorn
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from readers.app import build_app
from readers.live.following import Following
from readers.metrics import ReaderMetrics
from readers.settings import ReaderSettings
from readers.snapshots import Snapshots, open_engine
from readers.waiting import Waiting
from schemas.headway import Headway
from schemas.http_bounds import PunctualH11
from schemas.listening import listen
from schemas.tables import (
    DAY_TOTALS,
    campaign_totals,
    campaigns,
    circle_totals,
    dead_letters,
    ledger_entries,
    milestones,
    pledges,
    reward_totals,
    share_visits,
    shares,
    sink_positions,
)

_READ_TABLES: Final = (
    campaigns,
    campaign_totals,
    circle_totals,
    ledger_entries,
    milestones,
    pledges,
    reward_totals,
    shares,
    share_visits,
    dead_letters,
    sink_positions,
    DAY_TOTALS,
)
_STOP_POLL_SECONDS: Final = 0.1
_GRACE_SECONDS: Final = 5
"""How long requests under way may take after `stop`."""
_KEEP_ALIVE_SECONDS: Final = 5
_BACKLOG: Final = 1024

log: Final = structlog.get_logger(__name__)


class ReaderProcess:
    """Answers questions about campaigns over HTTP."""

    name: str = "reader"

    def __init__(self, settings: ReaderSettings) -> None:
        """Prepare everything and open nothing. Raises ValueError for a database URL that cannot be read from."""
        self.headway = Headway()
        self._settings = settings
        self._metrics = ReaderMetrics()
        self.registry: CollectorRegistry = self._metrics.registry
        self._engine = open_engine(settings)
        self._snapshots = Snapshots(
            self._engine, self._metrics, at_once=settings.reads_at_once, queued_max=settings.reads_queued
        )
        self.bound_address: tuple[str, int] | None = None
        """Host and port that it listens on, from when it does: with port 0 the only way to know."""

    def not_ready(self) -> str | None:
        """Return why it cannot answer: it does not listen yet, or the database is away or not migrated."""
        if self.bound_address is None:
            return "not listening yet"
        try:
            self._snapshots.read_here(_name_every_column)
        except SQLAlchemyError as error:
            # Only the kind: the words may name hosts and users.
            return f"the database is away or not migrated ({type(getattr(error, 'orig', None) or error).__name__})"
        return None

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set. Raises OSError when the address cannot be bound."""
        with listen(self._settings.host, self._settings.port, _BACKLOG) as listening:
            host, port = listening.getsockname()[:2]
            self.bound_address = (host, port)
            log.info("reader_listening", host=host, port=port)
            try:
                asyncio.run(self._serve(listening, stop))
            finally:
                self.bound_address = None
                self._snapshots.close()
                self._engine.dispose()

    async def _serve(self, listening: socket.socket, stop: threading.Event) -> None:
        waiting = Waiting(self._snapshots, self._metrics, self._settings)
        following = Following(self._snapshots, self._metrics, self._settings)
        server = _Server(
            uvicorn.Config(
                build_app(self._snapshots, waiting, following, self._metrics, self._settings),
                http=PunctualH11,
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=self._settings.connections,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not stop.is_set() and not serving.done():
            self.headway.note(self._snapshots.under_way())
            await asyncio.sleep(_STOP_POLL_SECONDS)
        waiting.stop()
        following.stop()
        server.should_exit = True
        await serving
        if not stop.is_set():
            raise RuntimeError("the HTTP server ended although nobody asked it to")


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: whoever runs the process has their own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _name_every_column(connection: Connection) -> Any:
    for table in _READ_TABLES:
        connection.execute(select(table).limit(0))
