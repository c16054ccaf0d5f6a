"""Errors as the API says them: application/problem+json (RFC 9457), whatever went wrong and wherever."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import structlog
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.plugins.problem_details import ProblemDetailsConfig, ProblemDetailsException, ProblemDetailsPlugin
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from readers.answers import Problem
from readers.live.following import FollowingStoppedError, TooManyStreamsError
from readers.outcomes import EventElsewhereError
from readers.positions import NoSuchPositionError
from readers.queries import CampaignUnknownError
from readers.reading import MissedError
from readers.snapshots import ReadsQueueFullError
from readers.waiting import ClientLeftError, TooManyWaitersError, WaitInterruptedError, WaitTimedOutError

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1
CLIENT_CLOSED_REQUEST: Final = 499
"""What is counted when the client has gone; nobody receives it. Not a registered status."""

_OF_EVERY_ROUTE: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

_UNDEFINED_TABLE_OR_COLUMN: Final = frozenset({"42P01", "42703"})
"""PostgreSQL, appendix A: undefined_table, undefined_column."""

log: Final = structlog.get_logger(__name__)


def _problem(
    status: int, detail: str, *, headers: dict[str, str] | None = None, errors: list[dict[str, str]] | None = None
) -> ProblemDetailsException:
    title = "Client Closed Request" if status == CLIENT_CLOSED_REQUEST else HTTPStatus(status).phrase
    return ProblemDetailsException(
        status_code=status,
        title=title,
        detail=detail,
        headers={"cache-control": "no-store", **(headers or {})},
        extra=None if errors is None else {"errors": errors},
    )


def _retry_later(detail: str) -> ProblemDetailsException:
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"retry-after": str(RETRY_AFTER_SECONDS)})


def _of_http(error: HTTPException) -> ProblemDetailsException:
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _of_bug(error)
    errors = _faults(error) if isinstance(error, ValidationException) else None
    detail = "; ".join(f"{fault['parameter']}: {fault['detail']}" for fault in errors) if errors else error.detail
    return _problem(error.status_code, detail, headers=dict(error.headers or {}), errors=errors)


def _faults(error: ValidationException) -> list[dict[str, str]]:
    extra = error.extra if isinstance(error.extra, list) else []
    return [{"parameter": str(fault.get("key", "")), "detail": str(fault.get("message", ""))} for fault in extra]


def _of_database(error: DBAPIError) -> ProblemDetailsException:
    if not (
        isinstance(error, OperationalError | InterfaceError)
        or error.connection_invalidated
        or getattr(error.orig, "sqlstate", None) in _UNDEFINED_TABLE_OR_COLUMN
    ):
        return _of_bug(error)
    # The words may name hosts and users: they are for our log, not for whoever asks.
    log.warning("database_away", error=str(error.orig))
    return _retry_later("the database is away, too slow, or not migrated yet")


def _of_full_pool(error: PoolTimeoutError) -> ProblemDetailsException:
    log.warning("database_away", error=str(error))
    return _retry_later("the database is away")


def _of_bug(error: Exception) -> ProblemDetailsException:
    log.error("request_failed", exc_info=error)
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is a fault of ours; the log has more")


def _as(status: HTTPStatus) -> Callable[[Exception], ProblemDetailsException]:
    return lambda error: _problem(status, str(error))


_BY_ERROR: Final[dict[type[Exception], Callable[[Any], ProblemDetailsException]]] = {
    HTTPException: _of_http,
    CampaignUnknownError: _as(HTTPStatus.NOT_FOUND),
    EventElsewhereError: _as(HTTPStatus.NOT_FOUND),
    NoSuchPositionError: _as(HTTPStatus.NOT_FOUND),
    WaitTimedOutError: _as(HTTPStatus.GATEWAY_TIMEOUT),
    # Without Retry-After: somebody has to repair the campaign first.
    MissedError: _as(HTTPStatus.SERVICE_UNAVAILABLE),
    TooManyWaitersError: lambda error: _retry_later(str(error)),
    WaitInterruptedError: lambda error: _retry_later(str(error)),
    TooManyStreamsError: lambda error: _retry_later(str(error)),
    FollowingStoppedError: lambda error: _retry_later(str(error)),
    ReadsQueueFullError: lambda error: _retry_later(str(error)),
    ClientLeftError: lambda error: _problem(CLIENT_CLOSED_REQUEST, str(error)),
    DBAPIError: _of_database,
    PoolTimeoutError: _of_full_pool,
    Exception: _of_bug,
}


def documented_problems(*more: HTTPStatus) -> dict[int, ResponseSpec]:
    """Return what any route may answer with beside its own, and more of it, for the OpenAPI document."""
    words = {status: status.phrase for status in (*_OF_EVERY_ROUTE, *more)}
    # Its phrase is another one from Python 3.13 on.
    words[HTTPStatus.REQUEST_URI_TOO_LONG] = "The path and the query are too long"
    return {
        status: ResponseSpec(Problem, description=said, media_type=PROBLEM_MEDIA_TYPE, generate_examples=False)
        for status, said in words.items()
    }


ERRORS: Final = tuple(_BY_ERROR)
"""What can go wrong: every exception is one of these, by itself or by what it inherits from."""


def problem_of(error: Exception) -> ProblemDetailsException:
    """Return the problem that an exception is answered with."""
    kind = next(kind for kind in type(error).__mro__ if kind in _BY_ERROR)
    return _BY_ERROR[kind](error)


def problem_details() -> ProblemDetailsPlugin:
    """Return the plugin that turns every exception into a problem."""
    return ProblemDetailsPlugin(ProblemDetailsConfig(exception_to_problem_detail_map=_BY_ERROR))
