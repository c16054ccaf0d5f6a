"""`python -m benchmarks.bare NAME PORT`: the framework and the server of ours, answering and doing nothing else."""

import signal
import sys
import threading
from http import HTTPStatus
from typing import Any, Final

from litestar import Litestar, Request, Response, get, post
from litestar.params import FromPath
from litestar.types import ASGIApp
from prometheus_client import CollectorRegistry

from producers.gateway.answers import Accepted, Receipt
from producers.gateway.bodies import BATCH_BYTES_MAX, read_body
from producers.gateway.server import BACKLOG, Server
from producers.gateway.watch import Watch
from producers.metrics import GatewayMetrics
from producers.settings import GatewaySettings
from schemas.listening import listen

_REQUESTS_MAX: Final = int(GatewaySettings.model_fields["requests_max"].default)
_BODY_SECONDS: Final = float(GatewaySettings.model_fields["body_seconds"].default)
_RECEIPT: Final = Receipt([Accepted("evt_000000000000000", "0:1000000")])


@post("/v1/sources/{source:str}/events", status_code=HTTPStatus.ACCEPTED)
async def take(request: Request[Any, Any, Any], source: FromPath[str]) -> Response[Receipt]:
    """Read the body and answer as the gateway does, having looked at nothing."""
    _ = source, await read_body(request, BATCH_BYTES_MAX, _BODY_SECONDS)
    return Response(_RECEIPT, status_code=HTTPStatus.ACCEPTED)


@get("/v1/campaigns/{campaign_id:str}/circles")
async def tell(campaign_id: FromPath[str]) -> Response[dict[str, str]]:
    """Answer with a constant."""
    _ = campaign_id
    return Response({"campaign_id": "campaign-0000000"})


def main() -> None:
    """Serve what is named until SIGTERM."""
    handler = {"gateway": take, "reader": tell}[sys.argv[1]]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    app: ASGIApp = Litestar([handler], openapi_config=None, logging_config=None)
    if handler is take:
        app = Watch(app, GatewayMetrics(CollectorRegistry()), _REQUESTS_MAX)
    server = Server(app, _REQUESTS_MAX, stop, each_tick=lambda: None)
    server.run(sockets=[listen("127.0.0.1", int(sys.argv[2]), BACKLOG)])


if __name__ == "__main__":
    main()
