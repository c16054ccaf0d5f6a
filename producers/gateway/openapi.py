"""What `/openapi.json` says beyond what the handlers' signatures do: bodies, refusals and keys.

The doors read raw bytes, since signatures are over them, so the framework can't know what they take: the schemas of the
bodies are made from the structs here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Final

import msgspec
from litestar import Litestar, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    Operation,
    Reference,
    RequestBody,
    SecurityRequirement,
    SecurityScheme,
)

from producers.gateway.answers import ProblemDetails, Receipt
from producers.gateway.bodies import JSON
from producers.gateway.problems import CONTENT_TYPE as PROBLEM
from schemas.events import (
    BATCH_CONTENT_TYPE,
    CONTENT_TYPE,
    CampaignAmendedData,
    CampaignLaunchedData,
    PledgeEvent,
    ShareEvent,
    SharePostedData,
)
from schemas.fields import IDENTIFIER_PATTERN, OWN_IDENTIFIER_LENGTH_MAX

_SCHEMAS: Final = "#/components/schemas/"
_EVENT: Final = "SourceEvent"
_BATCH: Final = "SourceEventBatch"
_LAUNCH: Final = "CampaignLaunch"
_AMENDMENT: Final = "CampaignAmendment"
_SHARE: Final = "ShareMinting"
_WEBHOOK: Final = "StripeWebhook"

_WHY: Final = {
    400: "The body is not strict JSON (UTF-8, no name twice, at most 32 levels), or the request can't be read",
    401: "No signature or key, or not the right one, or a time more than 300 s from ours",
    404: "There is no such door",
    408: "The body did not arrive in time",
    413: "The body, or an event in it, is too large",
    414: "The path and the query are too long",
    415: "Wrong content type, or an encoded body",
    422: "The event says what it may not: `pointer` says where",
    503: "The log can't be written just now: send the request again after the time in Retry-After",
}

SIGNED: Final[list[SecurityRequirement]] = [{"standardWebhooks": []}]
SIGNED_BY_STRIPE: Final[list[SecurityRequirement]] = [{"stripeSignature": []}]
ADMIN: Final[list[SecurityRequirement]] = [{"adminKey": []}]


def refusals(*statuses: int) -> dict[int, ResponseSpec]:
    """Return the descriptions of a door's refusals; those of any path at all are always among them."""
    return {
        status: ResponseSpec(ProblemDetails, description=_WHY[status], media_type=PROBLEM, generate_examples=False)
        for status in (*statuses, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_URI_TOO_LONG)
    }


def ignored() -> dict[int, ResponseSpec]:
    """Return the description of Stripe's 200: verified, and nothing for the log."""
    return {200: ResponseSpec(Receipt, description="Verified, and nothing for the log", generate_examples=False)}


@dataclass
class _Reading(Operation):
    """An operation whose body is one of our own schemas."""

    bodies: ClassVar[dict[str, str]] = {}

    def __post_init__(self) -> None:
        content = {
            name: OpenAPIMediaType(schema=Reference(ref=_SCHEMAS + schema)) for name, schema in self.bodies.items()
        }
        self.request_body = RequestBody(content=content, required=True)


@dataclass
class SourceOperation(_Reading):
    """One event or a batch."""

    bodies: ClassVar[dict[str, str]] = {CONTENT_TYPE: _EVENT, BATCH_CONTENT_TYPE: _BATCH}


@dataclass
class LaunchOperation(_Reading):
    """The terms of a campaign."""

    bodies: ClassVar[dict[str, str]] = {JSON: _LAUNCH}


@dataclass
class AmendOperation(_Reading):
    """New terms of a campaign."""

    bodies: ClassVar[dict[str, str]] = {JSON: _AMENDMENT}


@dataclass
class ShareOperation(_Reading):
    """What a share link is minted for."""

    bodies: ClassVar[dict[str, str]] = {JSON: _SHARE}


@dataclass
class StripeOperation(_Reading):
    """Whatever Stripe sends."""

    bodies: ClassVar[dict[str, str]] = {JSON: _WEBHOOK}


def document_door(doors: Sequence[HTTPRouteHandler]) -> HTTPRouteHandler:
    """Make the door `GET /openapi.json`, which describes the doors given."""
    # The framework's own way of serving this would answer unknown paths beside it in HTML, and leave our schemas out.
    described = Litestar(
        doors,
        openapi_config=OpenAPIConfig(
            title="Cercles gateway",
            version="1",
            description="Where payments, shares and campaigns come in. 202: it stands on the log, at that position.",
            components=Components(security_schemes=_security_schemes()),
        ),
        logging_config=None,
    )
    document = described.openapi_schema.to_schema()
    document["components"]["schemas"] |= _schemas()
    content = msgspec.json.encode(document)

    @get("/openapi.json", include_in_schema=False, sync_to_thread=False)
    def get_openapi() -> Response[bytes]:
        return Response(content, media_type=JSON)

    return get_openapi


def _security_schemes() -> dict[str, SecurityScheme | Reference]:
    return {
        "standardWebhooks": SecurityScheme(
            type="apiKey",
            name="webhook-signature",
            security_scheme_in="header",
            description="Standard Webhooks: with webhook-id and webhook-timestamp, over the raw body",
        ),
        "stripeSignature": SecurityScheme(
            type="apiKey",
            name="Stripe-Signature",
            security_scheme_in="header",
            description="As Stripe signs its webhooks",
        ),
        "adminKey": SecurityScheme(type="http", scheme="bearer", description="The admin key"),
    }


def _schemas() -> dict[str, Any]:
    """Return the schemas of the bodies, as JSON Schema, by name."""
    (event, *_), components = msgspec.json.schema_components(
        [PledgeEvent | ShareEvent, CampaignLaunchedData, CampaignAmendedData, SharePostedData],
        ref_template=_SCHEMAS + "{name}",
    )
    named: dict[str, Any] = {
        **components,
        _EVENT: event,
        _BATCH: {"type": "array", "items": {"$ref": _SCHEMAS + _EVENT}},
        _LAUNCH: _without(components["CampaignLaunchedData"], "campaign_id"),
        _AMENDMENT: _without(components["CampaignAmendedData"], "campaign_id"),
        _SHARE: _without(components["SharePostedData"], "campaign_id", "share_token"),
        _WEBHOOK: {"type": "object", "description": "An event of Stripe, as its API reference has it"},
    }
    _tighten(named)
    return named


def _without(schema: dict[str, Any], *fields: str) -> dict[str, Any]:
    return schema | {
        "properties": {name: field for name, field in schema["properties"].items() if name not in fields},
        "required": [name for name in schema["required"] if name not in fields],
    }


def _tighten(schema: Any) -> None:
    """Put in what our own doors ask beyond the log's schema: shorter ids."""
    if isinstance(schema, dict):
        if schema.get("pattern") == IDENTIFIER_PATTERN:
            schema["maxLength"] = OWN_IDENTIFIER_LENGTH_MAX
        for part in schema.values():
            _tighten(part)
    elif isinstance(schema, list):
        for part in schema:
            _tighten(part)
