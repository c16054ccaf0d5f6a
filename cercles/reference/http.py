"""The page of the HTTP interfaces, from the OpenAPI documents that the gateway and the reader themselves serve."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

import httpx
from litestar.types import ASGIApp
from prometheus_client import CollectorRegistry

from cercles.reference.forms import Link, cell, form, table
from producers.gateway.app import make_app
from producers.metrics import GatewayMetrics
from producers.publishing import Publisher, PublishingBounds
from producers.settings import KEY_LENGTH_MIN, GatewaySettings, PseudonymSettings
from readers.app import build_app
from readers.live.following import Following
from readers.metrics import ReaderMetrics
from readers.settings import ReaderSettings
from readers.snapshots import Snapshots, open_engine
from readers.waiting import Waiting
from schemas.connections import KafkaConnection
from schemas.events import EVENT_TYPES
from schemas.http_bounds import HEAD_SECONDS_MAX, PARAMETERS_MAX, TARGET_LENGTH_MAX

DOCUMENT: Final = "/openapi.json"
HEAD: Final = f"""\
# HTTP

This page is written by `python -m cercles.reference` from the OpenAPI documents that the gateway and the reader serve
at `/openapi.json`; a check keeps it so. Errors are `application/problem+json` (RFC 9457).

Both take a path and a query of at most {TARGET_LENGTH_MAX:,} characters and {PARAMETERS_MAX} parameters.
Every server, that of the operations address too, ends a connection on which no whole head of a request has come
{HEAD_SECONDS_MAX:g} s after its beginning, or after the last answer.

The reader also has pages for people, an index at `/campaigns` and `/campaigns/{{id}}` for each campaign, in English or
French (`?lang=en`, `?lang=fr`, else as the browser asks).

Every process also has an operations address (`CERCLES_OPERATIONS_HOST` and `CERCLES_OPERATIONS_PORT`) with `/healthz`
(200 while it answers at all), `/readyz` (200 while it can do its work, else 503 with the reason) and `/metrics`.
"""
EVENT_SCHEMAS: Final = {kind.__name__: type_name for type_name, kind in EVENT_TYPES.items()}


def page() -> str:
    """Return the whole page, as Markdown."""
    lines = [HEAD]
    for name, app in (("Gateway", gateway()), ("Reader", reader())):
        lines += _section(name, document(app))
    return "\n".join(lines).rstrip() + "\n"


def gateway() -> ASGIApp:
    """Return a gateway's application as it is before anything is opened."""
    metrics = GatewayMetrics(CollectorRegistry())
    unused = "-" * KEY_LENGTH_MIN
    settings = GatewaySettings.model_validate(
        {
            "admin_key": unused,
            "campaign_pages": "https://cercles.example/campaigns",
            "pseudonym": PseudonymSettings.model_validate({"key": unused}),
        }
    )
    bounds = PublishingBounds(seconds_max=1, events_max=1, bytes_max=1)
    return make_app(settings, Publisher(KafkaConnection(), (), metrics.publisher, bounds), metrics)


def reader() -> ASGIApp:
    """Return a reader's application as it is before anything is opened."""
    settings, metrics = ReaderSettings(), ReaderMetrics()
    snapshots = Snapshots(open_engine(settings), metrics, at_once=1, queued_max=0)
    waiting, following = Waiting(snapshots, metrics, settings), Following(snapshots, metrics, settings)
    return build_app(snapshots, waiting, following, metrics, settings)


def document(app: ASGIApp) -> dict[str, Any]:
    """Return the OpenAPI document that the application serves."""

    async def ask() -> httpx.Response:
        transport: Any = httpx.ASGITransport(app)  # type: ignore[arg-type]  # Litestar's own word for the same protocol
        async with httpx.AsyncClient(transport=transport, base_url="http://cercles") as client:
            return await client.get(DOCUMENT)

    answer: dict[str, Any] = asyncio.run(ask()).raise_for_status().json()
    return answer


def _section(name: str, described: dict[str, Any]) -> Iterator[str]:
    schemas = described["components"]["schemas"]
    link = _link_within(name)
    yield from (f"## {name}", "", described["info"]["description"], "")
    for path, item in described["paths"].items():
        for method, operation in item.items():
            yield from _operation(f"{method.upper()} {path}", operation, link)
    for schema_name, schema in schemas.items():
        if not _is_events(schema_name):
            yield from _schema(f"{schema_name} of the {name.lower()}", schema, link)


def _operation(title: str, operation: dict[str, Any], link: Link) -> Iterator[str]:
    yield from (f"### `{title}`", "", f"{operation['summary']}.", "")
    if "description" in operation:
        yield from (operation["description"], "")
    if operation.get("security"):
        schemes = " or ".join(f"`{name}`" for one in operation["security"] for name in one)
        yield from (f"Proof: {schemes}.", "")
    if operation.get("parameters"):
        yield from _parameters(operation["parameters"], link)
    yield from _bodies(operation.get("requestBody", {}), link)
    yield from ("| answer | means | body |", "|---|---|---|")
    for status, answer in sorted(operation["responses"].items()):
        bodies = ", ".join(form(content["schema"], link) for content in answer.get("content", {}).values())
        yield f"| {status} | {cell(answer['description'])} | {bodies} |"
    yield ""


def _parameters(parameters: list[dict[str, Any]], link: Link) -> Iterator[str]:
    yield from ("| parameter | in | form | meaning |", "|---|---|---|---|")
    for one in parameters:
        name = f"`{one['name']}`" + (" (needed)" if one.get("required") else "")
        yield f"| {name} | {one['in']} | {cell(form(one['schema'], link))} | {cell(one.get('description', ''))} |"
    yield ""


def _bodies(body: dict[str, Any], link: Link) -> Iterator[str]:
    if body:
        kinds = [f"`{kind}`: {form(content['schema'], link)}" for kind, content in body["content"].items()]
        yield from ("Body: " + "; ".join(kinds) + ".", "")


def _schema(title: str, schema: dict[str, Any], link: Link) -> Iterator[str]:
    yield from (f"### {title}", "")
    if "description" in schema:
        yield from (" ".join(schema["description"].split()), "")
    if schema.get("properties"):
        yield from table(schema, link)
    else:
        yield f"It is {form(schema, link)}."
    yield ""


def _is_events(schema: str) -> bool:
    """Whether a schema stands on the page of the events."""
    return schema.removesuffix("Data") in EVENT_SCHEMAS


def _link_within(name: str) -> Link:
    def link(schema: str) -> str:
        if _is_events(schema):
            event = EVENT_SCHEMAS[schema.removesuffix("Data")]
            return f"[{event}](events.md#{event.replace('.', '')})"
        return f"[{schema}](#{schema.lower()}-of-the-{name.lower()})"

    return link
