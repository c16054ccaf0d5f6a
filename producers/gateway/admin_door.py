"""The door for ourselves: campaigns are launched and amended, and share links minted, with the admin key."""

import hashlib
import hmac
import re
import secrets
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request, Response, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from pydantic import SecretStr

from producers.gateway.answers import Accepted, Receipt, ShareReceipt
from producers.gateway.bodies import EVENT_BYTES_MAX, JSON, content_type, read_body
from producers.gateway.event_reading import parse_json
from producers.gateway.openapi import ADMIN, AmendOperation, LaunchOperation, ShareOperation, refusals
from producers.gateway.premises import Premises
from producers.gateway.problems import Problem, invalid
from producers.gateway.sealing import seal
from producers.gateway.share_links import ShareLink, ShareLinks
from schemas.events import (
    CampaignAmended,
    CampaignAmendedData,
    CampaignLaunched,
    CampaignLaunchedData,
    Data,
    Event,
    SharePosted,
    SharePostedData,
)
from schemas.fields import LISTED_SOURCE_PATTERN
from schemas.strictness import Fault, fault_of, first_fault

SOURCE: Final = "admin"
TOKEN_BYTES: Final = 18
"""Random bytes of a share token: 144 bits that nobody guesses, 24 characters of the alphabet of ids."""

_REFUSALS: Final = (400, 401, 408, 413, 415, 422, 503)
_DIGEST_HEX_DIGITS: Final = 32

D = TypeVar("D", bound=Data)


class AdminDoor:
    """Reads what comes with the admin key."""

    def __init__(self, key: SecretStr, premises: Premises, links: ShareLinks | None) -> None:
        self._authorization = b"bearer " + key.get_secret_value().encode()
        self._premises = premises
        self._links = links

    def handlers(self) -> list[HTTPRouteHandler]:
        """Make the doors `PUT /v1/campaigns/{id}`, and `POST` to its `amendments` and to its `shares`."""
        return [self._launching(), self._amending(), self._minting()]

    def _launching(self) -> HTTPRouteHandler:
        @put(
            "/v1/campaigns/{campaign_id:str}",
            operation_id="launchCampaign",
            operation_class=LaunchOperation,
            security=ADMIN,
            summary="Launch a campaign",
            description="Launching it again on the same terms changes nothing; on other terms the first launch stands.",
            status_code=HTTPStatus.ACCEPTED,
            responses=refusals(*_REFUSALS),
        )
        async def launch_campaign(request: Request[Any, Any, Any], campaign_id: FromPath[str]) -> Response[Receipt]:
            data = await self._read(request, CampaignLaunchedData, {"campaign_id": campaign_id})
            _check_sources(data.sources)
            event = CampaignLaunched(
                specversion="1.0", id=launch_id(data), source=SOURCE, time=self._premises.now(), data=data
            )
            return Response(Receipt(await self._accept(event)), status_code=HTTPStatus.ACCEPTED)

        return launch_campaign

    def _amending(self) -> HTTPRouteHandler:
        @post(
            "/v1/campaigns/{campaign_id:str}/amendments",
            operation_id="amendCampaign",
            operation_class=AmendOperation,
            security=ADMIN,
            summary="Amend a campaign's terms",
            description="What is absent stays; of each term the highest revision counts. Sending a revision again with "
            "the same terms changes nothing; with other terms the first stands.",
            status_code=HTTPStatus.ACCEPTED,
            responses=refusals(*_REFUSALS),
        )
        async def amend_campaign(request: Request[Any, Any, Any], campaign_id: FromPath[str]) -> Response[Receipt]:
            data = await self._read(request, CampaignAmendedData, {"campaign_id": campaign_id})
            now = self._premises.now()
            _check_deadline(data.closes_at, now)
            event = CampaignAmended(specversion="1.0", id=amendment_id(data), source=SOURCE, time=now, data=data)
            return Response(Receipt(await self._accept(event)), status_code=HTTPStatus.ACCEPTED)

        return amend_campaign

    def _minting(self) -> HTTPRouteHandler:
        @post(
            "/v1/campaigns/{campaign_id:str}/shares",
            operation_id="mintShare",
            operation_class=ShareOperation,
            security=ADMIN,
            summary="Mint a share link",
            description="Each call mints another token. A link with a parent opens the circle after its parent's.",
            status_code=HTTPStatus.ACCEPTED,
            responses=refusals(*_REFUSALS),
        )
        async def mint_share(request: Request[Any, Any, Any], campaign_id: FromPath[str]) -> Response[ShareReceipt]:
            token = secrets.token_urlsafe(TOKEN_BYTES)
            data = await self._read(request, SharePostedData, {"campaign_id": campaign_id, "share_token": token})
            event = SharePosted(
                specversion="1.0", id=f"share:{token}", source=SOURCE, time=self._premises.now(), data=data
            )
            accepted = await self._accept(event)
            path = None if self._links is None else self._links.path(ShareLink(campaign_id, token))
            return Response(ShareReceipt(token, path, accepted), status_code=HTTPStatus.ACCEPTED)

        return mint_share

    def _authorize(self, request: Request[Any, Any, Any]) -> None:
        # Of two keys, which one counts is not for us to choose.
        given_keys = request.headers.getall("authorization", [])
        scheme, _, key = (given_keys[0] if len(given_keys) == 1 else "").partition(" ")
        given = f"{scheme.lower()} {key.strip()}".encode()
        if not hmac.compare_digest(given, self._authorization):
            raise Problem(
                "unverified",
                "This door needs the admin key: send it as Authorization: Bearer KEY.",
                headers={"www-authenticate": 'Bearer realm="cercles"'},
            )

    async def _read(self, request: Request[Any, Any, Any], kind: type[D], given: dict[str, str]) -> D:
        """Return the data that the body holds, together with what it must leave to the path and to us."""
        self._authorize(request)
        content_type(request, JSON)
        document = parse_json(await read_body(request, EVENT_BYTES_MAX, self._premises.body_seconds))
        if not isinstance(document, dict):
            raise invalid(Fault("", "the body is an object"))
        for name in given:
            if name in document:
                raise invalid(Fault(f"/{name}", f"{name} does not belong into the body"))
        try:
            return msgspec.convert(document | given, kind)
        except msgspec.ValidationError as error:
            raise invalid(fault_of(error)) from None

    async def _accept(self, event: Event) -> list[Accepted]:
        fault = first_fault(event, self._premises.now())
        if fault is not None:
            raise invalid(Fault(fault.pointer.removeprefix("/data"), fault.detail))
        return await self._premises.posting.post([seal(event, SOURCE, self._premises.pseudonyms)], SOURCE)


def _check_sources(sources: list[str]) -> None:
    """Refuse a source that no door could ever vouch for: all its money would be refused, and terms are for ever."""
    for number, source in enumerate(sources):
        if re.fullmatch(LISTED_SOURCE_PATTERN, source) is None:
            raise invalid(
                Fault(f"/sources/{number}", "a source is sources/NAME, or stripe/ACCOUNT/live or stripe/ACCOUNT/test")
            )


def _check_deadline(closes_at: datetime | None, now: datetime) -> None:
    """Refuse a new deadline that has passed: the ledger would, whatever the campaign (docs/ledger.md)."""
    if closes_at is not None and closes_at <= now:
        raise invalid(Fault("/closes_at", "a new deadline lies in the future"))


def launch_id(data: CampaignLaunchedData) -> str:
    """Return the CloudEvents id of a launch: the same terms have the same id, however often they are sent."""
    # Without the owner, who is not to be guessed from it.
    return f"launch:{_digest(msgspec.structs.replace(data, owner_id='-'))}"


def amendment_id(data: CampaignAmendedData) -> str:
    """Return the CloudEvents id of an amendment: the same revision with the same terms has the same id."""
    return f"amendment:{_digest(data)}"


def _digest(data: Data) -> str:
    return hashlib.sha256(msgspec.json.encode(data, order="deterministic")).hexdigest()[:_DIGEST_HEX_DIGITS]
