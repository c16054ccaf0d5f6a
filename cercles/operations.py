"""The operations address of a process: is it alive, can it work, and its metrics."""

import socket
import threading
from types import TracebackType
from typing import Final, Self

import structlog
import uvicorn
from litestar import Litestar, MediaType, Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST, GCCollector, PlatformCollector, ProcessCollector, generate_latest

from cercles.process import Process
from cercles.settings import OperationsSettings
from cercles.stall_watch import StallWatch
from schemas.http_bounds import PunctualH11
from schemas.listening import listen

STOP_SECONDS_MAX: Final = 3
CONNECTIONS_MAX: Final = 32
BACKLOG_MAX: Final = 64

log = structlog.get_logger(__name__)


class AddressInUseError(OSError):
    """The operations address can't be had; the message says which and how to choose another."""


class OperationsServer:
    """Serves `/healthz`, `/readyz` and `/metrics` of one process, in a thread, while the context is entered.

    - `/healthz` answers 200 as long as the process answers at all.
    - `/readyz` answers 200 when the process can do its work and gets on with it, else 503 with the reason in words.
    - `/metrics` is the process's registry in Prometheus' text format.
    """

    def __init__(self, process: Process, settings: OperationsSettings, watch: StallWatch) -> None:
        """Bind the address, so that a taken port is known before anything starts. Raises AddressInUseError."""
        self._process = process
        self._socket = _bound(settings)
        host, port = self._socket.getsockname()[:2]
        self.address: Final = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        config = uvicorn.Config(
            operations_app(process, watch),
            http=PunctualH11,
            log_config=None,
            access_log=False,
            lifespan="off",
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="operations", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        log.info("operations_served", process=self._process.name, address=self.address)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS_MAX)
        self._socket.close()


def operations_app(process: Process, watch: StallWatch) -> Litestar:
    """Return the ASGI application of a process's operations address."""
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=process.registry)

    @get("/healthz", media_type=MediaType.TEXT, sync_to_thread=False)
    def healthz() -> str:
        return "alive\n"

    @get("/readyz", media_type=MediaType.TEXT, sync_to_thread=True)
    def readyz() -> Response[str]:
        # The watch first: what a process hangs in may be what it would be asked about.
        reason = watch.complaint() or process.not_ready()
        return Response("ready\n") if reason is None else Response(f"not ready: {reason}\n", status_code=503)

    @get("/metrics", sync_to_thread=True)
    def metrics() -> Response[bytes]:
        return Response(generate_latest(process.registry), headers={"content-type": CONTENT_TYPE_LATEST})

    handlers: list[HTTPRouteHandler] = [healthz, readyz, metrics]
    return Litestar(route_handlers=handlers, openapi_config=None, logging_config=None)


def _bound(settings: OperationsSettings) -> socket.socket:
    try:
        return listen(settings.host, settings.port, BACKLOG_MAX)
    except OSError as error:
        raise AddressInUseError(
            f"the operations address {settings.host}:{settings.port} can't be had ({error.strerror or error}): set "
            "CERCLES_OPERATIONS_PORT to another port, or to 0 for a free one"
        ) from error
