"""The routes of the API."""

from functools import partial
from http import HTTPStatus
from typing import Any, Final, TypeVar

from litestar import Request, Response, Router, get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec

from readers import answers
from readers.outcomes import read_event
from readers.parameters import (
    CampaignCursor,
    CampaignId,
    EventPosition,
    PageSize,
    RowCursor,
    StatusFilter,
    WaitFor,
)
from readers.positions import parse_cursor, parse_position
from readers.problems import documented_problems
from readers.queries import (
    circles_of,
    read_campaign,
    read_campaigns,
    read_days,
    read_entries,
    read_milestones,
    read_rewards,
)
from readers.read_key import SCHEME, read_key_guard
from readers.reading import Reading
from readers.settings import PAGE_SIZE_DEFAULT, ReaderSettings
from readers.shares import read_shares
from readers.snapshots import Snapshots
from readers.waiting import Waiting

AS_OF_HEADER: Final = "Cercles-As-Of"

_Answer = TypeVar("_Answer")


def _documented(*more: HTTPStatus) -> dict[int, ResponseSpec]:
    """Return what a route may answer beside 200, for the OpenAPI document."""
    return {
        HTTPStatus.NOT_MODIFIED: ResponseSpec(None, description="The answer that If-None-Match names still holds"),
        **documented_problems(HTTPStatus.GATEWAY_TIMEOUT, *more),
    }


_OPEN: Final = _documented()
_KEYED: Final = _documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_KEYED_SECURITY: Final[list[dict[str, list[str]]]] = [{SCHEME: []}]


def _told(name: str, example: str, description: str) -> ResponseHeader:
    """Return a header for the OpenAPI document only, which takes the schema from the example."""
    return ResponseHeader(name, value=example, documentation_only=True, description=description)


def _stated(content: _Answer, as_of: str | None) -> Response[_Answer]:
    """Return the answer with the position it is as of in its header too."""
    return Response(content, headers={} if as_of is None else {AS_OF_HEADER: as_of})


@get("/", operation_id="listCampaigns", summary="Campaigns, in the order of their ids", responses=_OPEN)
async def list_campaigns(
    reading: NamedDependency[Reading],
    status: StatusFilter = None,
    cursor: CampaignCursor = None,
    limit: PageSize = PAGE_SIZE_DEFAULT,
) -> Response[answers.Campaigns]:
    page = await reading.read(partial(read_campaigns, status=status, after_id=cursor, limit=limit))
    return _stated(page, ", ".join(page.as_of) or None)


@get("/{campaign_id:str}", operation_id="getCampaign", summary="One campaign", responses=_OPEN)
async def get_campaign(campaign_id: CampaignId, reading: NamedDependency[Reading]) -> Response[answers.Campaign]:
    campaign = await reading.read(partial(read_campaign, campaign_id=campaign_id))
    return _stated(campaign, campaign.as_of)


@get("/{campaign_id:str}/circles", operation_id="listCircles", summary="Totals by circle", responses=_OPEN)
async def list_circles(campaign_id: CampaignId, reading: NamedDependency[Reading]) -> Response[answers.Circles]:
    circles = await reading.read(circles_of(campaign_id))
    return _stated(circles, circles.as_of)


@get("/{campaign_id:str}/days", operation_id="listDays", summary="Totals by day", responses=_OPEN)
async def list_days(campaign_id: CampaignId, reading: NamedDependency[Reading]) -> Response[answers.Days]:
    days = await reading.read(partial(read_days, campaign_id=campaign_id))
    return _stated(days, days.as_of)


@get("/{campaign_id:str}/shares", operation_id="listShares", summary="What links have brought", responses=_OPEN)
async def list_shares(campaign_id: CampaignId, reading: NamedDependency[Reading]) -> Response[answers.Shares]:
    shares = await reading.read(partial(read_shares, campaign_id=campaign_id))
    return _stated(shares, shares.as_of)


@get("/{campaign_id:str}/rewards", operation_id="listRewards", summary="Claims by reward", responses=_OPEN)
async def list_rewards(campaign_id: CampaignId, reading: NamedDependency[Reading]) -> Response[answers.Rewards]:
    rewards = await reading.read(partial(read_rewards, campaign_id=campaign_id))
    return _stated(rewards, rewards.as_of)


@get("/{campaign_id:str}/milestones", operation_id="listMilestones", summary="What was said once", responses=_OPEN)
async def list_milestones(
    campaign_id: CampaignId,
    reading: NamedDependency[Reading],
    cursor: RowCursor = None,
    limit: PageSize = PAGE_SIZE_DEFAULT,
) -> Response[answers.Milestones]:
    question = partial(read_milestones, campaign_id=campaign_id, after=parse_cursor(cursor), limit=limit)
    page = await reading.read(question)
    return _stated(page, page.as_of)


@get(
    "/{campaign_id:str}/entries",
    operation_id="listEntries",
    summary="The ledger, entry by entry",
    responses=_KEYED,
    security=_KEYED_SECURITY,
)
async def list_entries(
    campaign_id: CampaignId,
    reading: NamedDependency[Reading],
    cursor: RowCursor = None,
    limit: PageSize = PAGE_SIZE_DEFAULT,
) -> Response[answers.Entries]:
    question = partial(read_entries, campaign_id=campaign_id, after=parse_cursor(cursor), limit=limit)
    page = await reading.read(question)
    return _stated(page, page.as_of)


@get(
    "/{campaign_id:str}/events/{position:str}",
    operation_id="getEvent",
    summary="What became of one event",
    responses=_KEYED,
    security=_KEYED_SECURITY,
)
async def get_event(
    campaign_id: CampaignId, position: EventPosition, reading: NamedDependency[Reading]
) -> Response[answers.Event]:
    question = partial(read_event, campaign_id=campaign_id, position=parse_position(position))
    event = await reading.read(question)
    return _stated(event, event.as_of)


def campaign_routes(snapshots: Snapshots, waiting: Waiting, settings: ReaderSettings) -> Router:
    """Return everything under `/v1/campaigns`."""

    async def reading_after_waiting(request: Request[Any, Any, Any], wait_for: WaitFor = None) -> Reading:
        """Hand out what is read by only after the wait: no route can read before it."""
        if wait_for is None:
            return Reading(snapshots)
        position = parse_position(wait_for)
        await waiting.until_passed(position, request.receive)
        return Reading(snapshots, position)

    open_routes = [list_campaigns, get_campaign, list_circles, list_days, list_rewards, list_shares, list_milestones]
    keyed = Router(path="/", route_handlers=[list_entries, get_event], guards=[read_key_guard(settings.key)])
    return Router(
        path="/v1/campaigns",
        route_handlers=[*open_routes, keyed],
        dependencies={"reading": Provide(reading_after_waiting)},
        response_headers=[
            _told(AS_OF_HEADER, "0:42", "The position that the answer is as of"),
            _told("ETag", '"tag"', "A strong entity tag of the answer"),
            _told("Cache-Control", "no-cache", "A stored answer is to be asked for again, with its tag"),
        ],
    )
