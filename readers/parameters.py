"""The parameters of the routes, each with its form and bounds, as the OpenAPI document shows them."""

from typing import Annotated, Any, Final, get_args

from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from readers.positions import CURSOR_LENGTH_MAX, CURSOR_PATTERN, POSITION_LENGTH_MAX, POSITION_PATTERN
from readers.settings import PAGE_SIZE_MAX
from schemas.fields import IDENTIFIER_LENGTH_MAX, IDENTIFIER_PATTERN
from schemas.updates import CampaignStatus

# An absent parameter is None to us, but a query has no null: the document must not offer one.
_TEXT: Final[dict[str, Any]] = {"type": OpenAPIType.STRING, "one_of": None}


def to_the_end(pattern: str) -> str:
    """Return a pattern that ends with `$` as Python is to match it.

    Python's `$` lets a newline pass at the end. In JSON Schema, and so in the OpenAPI document, it does not.
    """
    return pattern.removesuffix("$") + r"\Z"


def _of(pattern: str) -> dict[str, Any]:
    return {"pattern": to_the_end(pattern), "schema_extra": {"pattern": pattern}}


def _optional(pattern: str) -> dict[str, Any]:
    return {"pattern": to_the_end(pattern), "schema_extra": {"pattern": pattern, **_TEXT}, "required": False}


CampaignId = Annotated[
    str,
    PathParameter(
        **_of(IDENTIFIER_PATTERN),
        min_length=1,
        max_length=IDENTIFIER_LENGTH_MAX,
        description="The campaign's id",
    ),
]
EventPosition = Annotated[
    str,
    PathParameter(
        **_of(POSITION_PATTERN),
        max_length=POSITION_LENGTH_MAX,
        description="The event's position, partition:offset, as its 202 named it",
    ),
]
WaitFor = Annotated[
    str | None,
    QueryParameter(
        **_optional(POSITION_PATTERN),
        max_length=POSITION_LENGTH_MAX,
        description=(
            "A position, partition:offset: answer only once the event there, and all before it in its partition, "
            "have been applied or refused; 504 when that takes too long, 503 for a campaign that has missed something "
            "before it (`gap_at`)"
        ),
    ),
]
PageSize = Annotated[int, QueryParameter(ge=1, le=PAGE_SIZE_MAX, description="Most rows of the page")]
RowCursor = Annotated[
    str | None,
    QueryParameter(
        **_optional(CURSOR_PATTERN),
        max_length=CURSOR_LENGTH_MAX,
        description="The `next_cursor` of the page before; opaque, and good for ever",
    ),
]
CampaignCursor = Annotated[
    str | None,
    QueryParameter(
        **_optional(IDENTIFIER_PATTERN),
        min_length=1,
        max_length=IDENTIFIER_LENGTH_MAX,
        description="The `next_cursor` of the page before; opaque, and good for ever",
    ),
]
# As a text with a pattern: of an optional literal, Litestar would take the text `null` for none.
StatusFilter = Annotated[
    str | None,
    QueryParameter(
        **_optional(f"^({'|'.join(get_args(CampaignStatus))})$"),
        description="Only campaigns of this status",
    ),
]
LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        required=False,
        schema_extra=_TEXT,
        description="The id of the last event that was heard, as browsers send it by themselves: it is not said again",
    ),
]
