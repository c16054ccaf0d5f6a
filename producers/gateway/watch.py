"""Stands around the application: gives each request an id, counts and times it, and bounds their number and length."""

import itertools
import secrets
import time
from http import HTTPStatus
from typing import Final

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from producers.gateway.problems import CONTENT_TYPE, Problem
from producers.metrics import UNMATCHED, GatewayMetrics
from producers.publication import RETRY_AFTER_SECONDS
from schemas.http_bounds import PARAMETERS_MAX, TARGET_LENGTH_MAX, is_target_bounded

REQUEST_ID: Final = "x-request-id"
RUN_BYTES: Final = 8
"""Random bytes that the ids of one run of the gateway begin with."""


class Watch:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics, requests_max: int) -> None:
        self._app = app
        self._metrics = metrics
        self._requests_max = requests_max
        self._under_way = 0
        metrics.requests_under_way.set_function(lambda: self._under_way)
        self._run = secrets.token_hex(RUN_BYTES)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and observe how it ends."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        began_at = time.monotonic()
        request_id = f"{self._run}-{next(self._numbers)}"
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (REQUEST_ID.encode(), request_id.encode())]
            await send(message)

        self._under_way += 1
        try:
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                problem = self._problem_of(scope)
                if problem is None:
                    await self._app(scope, receive, send_on)
                else:
                    self._metrics.count_refusal(problem.reason)
                    await _refuse(problem, send_on)
        finally:
            self._under_way -= 1
            self._metrics.count_request(
                route=scope.get("path_template") or UNMATCHED,
                method=scope["method"],
                status=status,
                seconds=time.monotonic() - began_at,
            )

    def _problem_of(self, scope: HTTPScope) -> Problem | None:
        """Return why a request is refused before anything of it is looked at, or None."""
        if self._under_way > self._requests_max:
            return Problem(
                "busy",
                "Too many requests are under way: send this one again after the time in Retry-After.",
                headers={"retry-after": str(RETRY_AFTER_SECONDS)},
            )
        if not is_target_bounded(scope["path"], scope["query_string"]):
            return Problem(
                "target_too_long",
                f"The path and the query have at most {TARGET_LENGTH_MAX} characters and {PARAMETERS_MAX} parameters.",
            )
        return None


async def _refuse(problem: Problem, send: Send) -> None:
    body = msgspec.json.encode(
        {"status": problem.status_code, "title": problem.title, "detail": problem.detail, "reason": problem.reason}
    )
    headers = {"content-type": CONTENT_TYPE, "content-length": str(len(body)), **(problem.headers or {})}
    await send(
        {
            "type": "http.response.start",
            "status": problem.status_code,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
