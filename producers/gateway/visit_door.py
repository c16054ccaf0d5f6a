"""The door for everybody: a share link counts the visit and leads to its campaign's own page, and nowhere else."""

from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from litestar import MediaType, Request, Response, get, head
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from producers.gateway.openapi import refusals
from producers.gateway.problems import Problem
from producers.gateway.share_links import PATH, ShareLinks
from producers.gateway.visit_counts import VisitCounts
from producers.gateway.visitors import kind_of, origin_of

_HEADERS: Final = {
    # Every visit is to come here, and where it came from is nobody's business further on.
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}


class VisitDoor:
    """Leads from a link to the page of its campaign. `pages` is where those are, without a slash at its end."""

    def __init__(self, pages: str, links: ShareLinks, counts: VisitCounts) -> None:
        self._pages = pages
        self._links = links
        self._counts = counts

    def handlers(self) -> list[HTTPRouteHandler]:
        """Make the doors `GET` and `HEAD /s/{ticket}`."""

        @get(
            PATH + "{ticket:str}",
            operation_id="visitShare",
            summary="Visit a share link",
            description="Leads to the campaign's own page, with the share token as `share_token`. `utm_source`, else "
            "the referrer's host, says where the visit came from. No cookie is set and no address kept.",
            status_code=HTTPStatus.FOUND,
            responses=refusals(),
        )
        async def visit_share(request: Request[Any, Any, Any], ticket: FromPath[str]) -> Response[None]:
            return self._lead_on(request, ticket)

        @head(PATH + "{ticket:str}", include_in_schema=False, status_code=HTTPStatus.FOUND)
        async def look_at_share(request: Request[Any, Any, Any], ticket: FromPath[str]) -> Response[None]:
            return self._lead_on(request, ticket)

        return [visit_share, look_at_share]

    def _lead_on(self, request: Request[Any, Any, Any], ticket: str) -> Response[None]:
        link = self._links.read(ticket)
        if link is None:
            raise Problem("not_found", "This is not a link of ours: it may have been cut off. Ask whoever shared it.")
        origin = origin_of(request.query_params.get("utm_source"), request.headers.get("referer"))
        self._counts.add(link, origin, kind_of(request.method, request.headers))
        page = f"{self._pages}/{quote(link.campaign_id, safe='')}?share_token={quote(link.share_token, safe='')}"
        headers = _HEADERS | {"location": page}
        return Response(None, status_code=HTTPStatus.FOUND, headers=headers, media_type=MediaType.TEXT)
