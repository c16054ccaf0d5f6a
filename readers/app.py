"""The HTTP application: routes, problems, OpenAPI document, and what stands before them."""

from importlib.metadata import version
from typing import Any, Final

from litestar import Litestar, Router
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp

from readers.front import bounded, measured, with_entity_tags, with_head
from readers.live.following import Following
from readers.live.route import stream_route
from readers.metrics import ReaderMetrics
from readers.page.routes import asset_routes, page_routes, templates
from readers.problems import problem_details
from readers.read_key import COMPONENTS
from readers.routes import campaign_routes
from readers.settings import ReaderSettings
from readers.snapshots import Snapshots
from readers.waiting import Waiting

OPENAPI_PATH: Final = "/openapi.json"


def build_app(
    snapshots: Snapshots, waiting: Waiting, following: Following, metrics: ReaderMetrics, settings: ReaderSettings
) -> ASGIApp:
    """Return the ASGI application of a reader."""
    app = Litestar(
        route_handlers=[
            campaign_routes(snapshots, waiting, settings),
            stream_route(following),
            page_routes(snapshots, following),
            asset_routes(),
        ],
        template_config=templates(),
        plugins=[problem_details()],
        openapi_config=OpenAPIConfig(
            title="Cercles reader",
            version=version("cercles"),
            description=(
                "Exact, live totals of crowdfunding campaigns, per campaign and per circle. Each answer is read from "
                "one snapshot, and states the position in the log that it is as of. Every answer carries an entity "
                "tag; every error is an application/problem+json."
            ),
            components=COMPONENTS,
            openapi_router=Router(
                OPENAPI_PATH, route_handlers=[], include_in_schema=False, guards=[_only_the_document]
            ),
            render_plugins=[JsonRenderPlugin(path="/")],
        ),
        logging_config=None,
    )
    return measured(bounded(with_head(with_entity_tags(app))), metrics)


def _only_the_document(connection: ASGIConnection[Any, Any, Any, Any], _route: BaseRouteHandler) -> None:
    """Keep Litestar's other pages beside the document, and its 404 in HTML, out of sight."""
    if connection.scope["path"].rstrip("/") != OPENAPI_PATH:
        raise NotFoundException
