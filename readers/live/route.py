"""The route of the stream."""

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from litestar import Request, Router, get
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import ServerSentEvent
from msgspec import Meta, Struct

from readers.front import EVENT_STREAM, HEAD_EXTENSION
from readers.live.following import Following
from readers.live.whole import WholeCampaign
from readers.parameters import CampaignId, LastEventId
from readers.problems import documented_problems

RETRY_MILLISECONDS: Final = 2_000
"""How long a browser is told to wait before it comes back."""


class StreamEvent(Struct, frozen=True, kw_only=True):
    """One event of a stream: its fields as text/event-stream has them (HTML standard, section 9.2.6)."""

    event: Annotated[Literal["campaign", "heartbeat"], Meta(description="What it is")]
    id: Annotated[str, Meta(description="To be sent as Last-Event-ID; heartbeats have none")] = ""
    data: Annotated[
        WholeCampaign | str, Meta(description="The campaign, as one line of JSON; of a heartbeat, an empty text")
    ]
    retry: Annotated[int, Meta(description="Milliseconds to wait before coming back; with the first event")] = 0


_RESPONSES: Final[dict[int, ResponseSpec]] = {
    HTTPStatus.OK: ResponseSpec(
        StreamEvent,
        description="Events without an end, each of this form",
        media_type=EVENT_STREAM,
        generate_examples=False,
    ),
    **documented_problems(),
}


@get(
    "/{campaign_id:str}/stream",
    operation_id="followCampaign",
    summary="One campaign, live, as server-sent events",
    description=(
        "Says at once how the campaign stands, and again whenever that has changed: each event of type `campaign` is a "
        "whole snapshot, and its id begins with the position that it is as of. Who reads slowly misses steps, never "
        "the last one. An event of type `heartbeat`, without content, ends a long silence: when it fails to come, the "
        "connection is broken. A stream ends after a while; a client comes back with `Last-Event-ID`."
    ),
    media_type=EVENT_STREAM,
    responses=_RESPONSES,
)
async def follow_campaign(
    campaign_id: CampaignId,
    request: Request[Any, Any, Any],
    following: NamedDependency[Following],
    last_event_id: LastEventId = None,
) -> ServerSentEvent:
    stream = await following.follow(campaign_id, last_event_id)
    is_head = HEAD_EXTENSION in (request.scope.get("extensions") or {})
    return ServerSentEvent(
        iter(()) if is_head else stream, retry_duration=RETRY_MILLISECONDS, background=BackgroundTask(stream.end)
    )


def stream_route(following: Following) -> Router:
    """Return the stream, under `/v1/campaigns`."""

    async def provide() -> Following:
        return following

    return Router(path="/v1/campaigns", route_handlers=[follow_campaign], dependencies={"following": Provide(provide)})
