"""The door for Stripe's webhooks. 2xx only after the broker has what was sent, be it as a dead letter.

Stripe sends again, for days, whatever it gets no 2xx for, and switches off an endpoint that keeps refusing: so the
content of a verified webhook is never answered with an error.
"""

from http import HTTPStatus
from typing import Any, assert_never

import structlog
from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from producers.gateway.answers import Receipt
from producers.gateway.bodies import WEBHOOK_BYTES_MAX, read_body, refuse_encoded
from producers.gateway.openapi import SIGNED_BY_STRIPE, StripeOperation, ignored, refusals
from producers.gateway.premises import Premises
from producers.gateway.problems import Problem
from producers.gateway.stripe_events import Followed, Ignored, Mapped, Unmappable, read_webhook
from producers.gateway.stripe_signatures import HEADER, StripeSignatures
from schemas.dead_letters import DeadLetter

log = structlog.get_logger(__name__)


class StripeDoor:
    """Takes the webhooks of all accounts."""

    def __init__(self, signatures: StripeSignatures, premises: Premises) -> None:
        self._signatures = signatures
        self._premises = premises

    def handler(self) -> HTTPRouteHandler:
        """Make the door `POST /v1/webhooks/stripe/{account}`."""

        @post(
            "/v1/webhooks/stripe/{account:str}",
            operation_id="receiveStripeWebhook",
            operation_class=StripeOperation,
            security=SIGNED_BY_STRIPE,
            summary="Receive a webhook of Stripe",
            description="202: it stands on a log, or among the dead letters; `accepted` names what stands on the "
            "campaigns' log already. 200: it says nothing of a campaign.",
            status_code=HTTPStatus.ACCEPTED,
            responses=refusals(400, 401, 408, 413, 415, 503) | ignored(),
        )
        async def receive_stripe_webhook(request: Request[Any, Any, Any], account: FromPath[str]) -> Response[Receipt]:
            refuse_encoded(request)
            body = await read_body(request, WEBHOOK_BYTES_MAX, self._premises.body_seconds)
            self._verify(request, account, body)
            return await self._take(account, body)

        return receive_stripe_webhook

    def _verify(self, request: Request[Any, Any, Any], account: str, body: bytes) -> None:
        headers = request.headers.getall(HEADER, [])
        if len(headers) == 1 and self._signatures.verify(account, headers[0], body):
            return
        raise Problem(
            "unverified",
            "The request is not signed by Stripe for a known account. Check that the account in the path has the "
            "signing secret of this endpoint in CERCLES_GATEWAY_STRIPE_ACCOUNTS, and that the clock is right.",
            headers={"www-authenticate": "Stripe-Signature"},
        )

    async def _take(self, account: str, body: bytes) -> Response[Receipt]:
        meaning = read_webhook(body, account, self._premises.pseudonyms.of, self._premises.now())
        match meaning:
            case Ignored(why=why):
                self._premises.metrics.count_stripe(account, why)
                return Response(Receipt([]), status_code=HTTPStatus.OK)
            case Mapped(event=event, link=link):
                links = [] if link is None else [link]
                accepted = await self._premises.posting.post([event], event.source, links)
                self._premises.metrics.count_stripe(account, "mapped")
                return Response(Receipt(accepted), status_code=HTTPStatus.ACCEPTED)
            case Followed(fact=fact):
                await self._premises.posting.post([], fact.source, [fact])
                self._premises.metrics.count_stripe(account, "followed")
                return Response(Receipt([]), status_code=HTTPStatus.ACCEPTED)
            case Unmappable():
                await self._put_aside(account, meaning, body)
                return Response(Receipt([]), status_code=HTTPStatus.ACCEPTED)
        assert_never(meaning)

    async def _put_aside(self, account: str, unmappable: Unmappable, body: bytes) -> None:
        await self._premises.posting.put_aside(
            DeadLetter(
                reason=unmappable.reason,
                detail=unmappable.detail,
                key=None,
                value=body,
                campaign_id=unmappable.campaign_id,
                event_id=unmappable.event_id,
            )
        )
        log.warning("webhook_not_mapped", account=account, reason=unmappable.reason, detail=unmappable.detail)
        self._premises.metrics.count_stripe(account, "dead_letter")
        self._premises.metrics.count_unmappable(unmappable.reason)
