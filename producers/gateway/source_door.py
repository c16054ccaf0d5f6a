"""The door for sources of our own: signed CloudEvents about pledges and shares, one or many at once."""

from http import HTTPStatus
from typing import Any, Final

from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from producers.gateway.answers import Receipt
from producers.gateway.bodies import BATCH_BYTES_MAX, EVENT_BYTES_MAX, content_type, read_body
from producers.gateway.event_reading import read_batch, read_event
from producers.gateway.openapi import SIGNED, SourceOperation, refusals
from producers.gateway.premises import Premises
from producers.gateway.problems import Problem
from producers.gateway.sealing import seal
from producers.gateway.source_signatures import ID, SIGNATURE, TIMESTAMP, SourceSignatures
from schemas.events import BATCH_CONTENT_TYPE, CONTENT_TYPE

_SIGNATURE_HEADERS: Final = (ID, TIMESTAMP, SIGNATURE)


class SourceDoor:
    """Takes the events of all sources."""

    def __init__(self, signatures: SourceSignatures, premises: Premises) -> None:
        self._signatures = signatures
        self._premises = premises

    def handler(self) -> HTTPRouteHandler:
        """Make the door `POST /v1/sources/{source}/events`."""

        @post(
            "/v1/sources/{source:str}/events",
            operation_id="postEvents",
            operation_class=SourceOperation,
            security=SIGNED,
            summary="Send pledge and share events",
            description="One CloudEvent or a batch, signed by the Standard Webhooks scheme. A batch is all or nothing.",
            status_code=HTTPStatus.ACCEPTED,
            responses=refusals(400, 401, 408, 413, 415, 422, 503),
        )
        async def post_events(request: Request[Any, Any, Any], source: FromPath[str]) -> Response[Receipt]:
            batched = content_type(request, CONTENT_TYPE, BATCH_CONTENT_TYPE) == BATCH_CONTENT_TYPE
            body = await read_body(
                request, BATCH_BYTES_MAX if batched else EVENT_BYTES_MAX, self._premises.body_seconds
            )
            self._verify(request, source, body)
            events = read_batch(body, self._premises.now()) if batched else [read_event(body, self._premises.now())]
            vouched_by = f"sources/{source}"
            sealed = [seal(event, vouched_by, self._premises.pseudonyms) for event in events]
            return Response(
                Receipt(await self._premises.posting.post(sealed, vouched_by)), status_code=HTTPStatus.ACCEPTED
            )

        return post_events

    def _verify(self, request: Request[Any, Any, Any], source: str, body: bytes) -> None:
        headers = request.headers
        given = {name: headers.getall(name, []) for name in _SIGNATURE_HEADERS}
        if all(len(values) == 1 for values in given.values()):
            try:
                text = body.decode()
            except UnicodeDecodeError:
                # The scheme's library signs text. A body that is none is refused for that, which tells nobody anything.
                raise Problem("not_json", "The body is not the JSON that this door takes: it is not UTF-8.") from None
            if self._signatures.verify(source, {name: values[0] for name, values in given.items()}, text):
                return
        raise Problem(
            "unverified",
            f"The request is not signed by a known source. Sign the raw body by the Standard Webhooks scheme ({ID}, "
            f"{TIMESTAMP}, {SIGNATURE}) with the secret of the source in the path, and with a clock that is right.",
            headers={"www-authenticate": "Standard-Webhooks"},
        )
