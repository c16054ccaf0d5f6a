"""Every refusal as a problem over HTTP (RFC 9457): what is wrong, where, and what to do about it."""

from http import HTTPStatus
from typing import Any, Final

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.plugins.problem_details import ProblemDetailsException

from producers.metrics import GatewayMetrics
from producers.publishing import BrokerAwayError, TooMuchInFlightError
from producers.refusals import DoorRefusal
from schemas.strictness import Fault

CONTENT_TYPE: Final = "application/problem+json"

_STATUS: Final[dict[DoorRefusal, HTTPStatus]] = {
    "unverified": HTTPStatus.UNAUTHORIZED,
    "not_json": HTTPStatus.BAD_REQUEST,
    "unreadable_request": HTTPStatus.BAD_REQUEST,
    "not_found": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "body_too_slow": HTTPStatus.REQUEST_TIMEOUT,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "target_too_long": HTTPStatus.REQUEST_URI_TOO_LONG,
    "wrong_content_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "invalid_event": HTTPStatus.UNPROCESSABLE_ENTITY,
    "broker_away": HTTPStatus.SERVICE_UNAVAILABLE,
    "busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "defect": HTTPStatus.INTERNAL_SERVER_ERROR,
}

_OF_FRAMEWORK: Final[dict[int, tuple[DoorRefusal, str]]] = {
    HTTPStatus.NOT_FOUND: ("not_found", "There is no such door. /openapi.json lists those there are."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "This path takes other methods: see the Allow header."),
}

log = structlog.get_logger(__name__)


class Problem(ProblemDetailsException):
    """A refusal on its way to the client."""

    def __init__(
        self, reason: DoorRefusal, detail: str, *, pointer: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        extra: dict[str, Any] = {"reason": reason}
        if pointer is not None:
            extra["pointer"] = pointer
        status = _STATUS[reason]
        super().__init__(detail=detail, status_code=status, title=status.phrase, headers=headers, extra=extra)
        self.reason = reason


def invalid(fault: Fault) -> Problem:
    """Return the problem for what an event may not say: 422 and where."""
    place = f" at {fault.pointer}" if fault.pointer else ""
    detail = f"{fault.detail}{place}. Nothing of this request was accepted: correct it and send it again."
    return Problem("invalid_event", detail, pointer=fault.pointer)


def unavailable(error: BrokerAwayError) -> Problem:
    """Return the problem for events that could not be written: 503 and when to come back."""
    reason: DoorRefusal = "busy" if isinstance(error, TooMuchInFlightError) else "broker_away"
    return Problem(
        reason,
        "The events could not be written to the log just now. Send the same request again after the time in "
        "Retry-After: an event that did arrive is not counted twice.",
        headers={"retry-after": str(error.retry_after_seconds)},
    )


class ProblemAnswers:
    """Turns whatever was raised into a problem, and counts it."""

    def __init__(self, metrics: GatewayMetrics) -> None:
        self._metrics = metrics

    def of_problem(self, request: Request[Any, Any, Any], problem: Problem) -> Response[dict[str, Any]]:
        """Answer with a refusal of our own."""
        self._metrics.count_refusal(problem.reason)
        log.debug("request_refused", reason=problem.reason, detail=problem.detail)
        return problem.to_response(request)

    def of_framework(self, request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
        """Answer with what the framework found wrong before any door was reached."""
        if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self.of_defect(request, error)
        reason, detail = _OF_FRAMEWORK.get(
            error.status_code, ("unreadable_request", "The request's path or its headers can't be read.")
        )
        return self.of_problem(request, Problem(reason, detail, headers=error.headers))

    def of_defect(self, request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
        """Answer for a bug of ours: the log has it under the request's id."""
        log.error("request_failed", exc_info=error)
        detail = "This is a defect of the gateway, not of the request. Its log has it under the id in X-Request-Id."
        return self.of_problem(request, Problem("defect", detail))
