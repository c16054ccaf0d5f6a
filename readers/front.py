"""What stands before the routes and holds for all of them: metrics, bounds, HEAD, and entity tags.

Plain ASGI around the application, because a path that matches no route never reaches the application's own middleware.
"""

import hashlib
import re
import time
from http import HTTPStatus
from typing import Final

import msgspec
from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send

from readers.answers import Problem
from readers.metrics import UNMATCHED, ReaderMetrics
from readers.problems import PROBLEM_MEDIA_TYPE
from schemas.http_bounds import PARAMETERS_MAX, TARGET_LENGTH_MAX, is_target_bounded

_ETAG: Final = re.compile(rb'"[^"]*"')
_KEPT_IN_304: Final = frozenset({b"etag", b"cache-control", b"cercles-as-of", b"vary"})
"""RFC 9110, section 15.4.5: what a 304 repeats."""

HEAD_EXTENSION: Final = "cercles.head"
"""Among the extensions of a request that was a HEAD: an answer without an end of its own is to end at once."""

EVENT_STREAM: Final = "text/event-stream"

_OK: Final = 200
_NOT_MODIFIED: Final = 304
_TOO_LONG: Final = HTTPStatus.REQUEST_URI_TOO_LONG
_TOO_LONG_CONTENT: Final = msgspec.json.encode(
    Problem(
        status=_TOO_LONG,
        title=_TOO_LONG.phrase,
        detail=f"the path and the query have at most {TARGET_LENGTH_MAX} characters and {PARAMETERS_MAX} parameters",
    )
)
_TOO_LONG_HEADERS: Final = (
    (b"content-type", PROBLEM_MEDIA_TYPE.encode()),
    (b"content-length", str(len(_TOO_LONG_CONTENT)).encode()),
    (b"cache-control", b"no-store"),
)


def measured(app: ASGIApp, metrics: ReaderMetrics) -> ASGIApp:
    """Count and time every request, by the template of its route; a stream is timed up to its beginning."""

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        began = time.perf_counter()
        ended: float | None = None
        status = 500

        async def sending(message: Message) -> None:
            nonlocal ended, status
            if message["type"] == "http.response.start":
                status = message["status"]
                ended = time.perf_counter() if _is_stream(message) else None
            await send(message)

        try:
            await app(scope, receive, sending)
        finally:
            metrics.count_request(
                route=scope.get("path_template") or UNMATCHED,
                method=scope["method"],
                status=status,
                seconds=(ended or time.perf_counter()) - began,
            )

    return front


def bounded(app: ASGIApp) -> ASGIApp:
    """Answer 414 to a path and a query that are longer than any that is served."""

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or is_target_bounded(scope["path"], scope["query_string"]):
            await app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": _TOO_LONG, "headers": _TOO_LONG_HEADERS})
        await send({"type": "http.response.body", "body": _TOO_LONG_CONTENT, "more_body": False})

    return front


def with_head(app: ASGIApp) -> ASGIApp:
    """Answer HEAD as GET is answered; the server leaves the content out (RFC 9110, section 9.3.2)."""

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] == HttpMethod.GET:
            await app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [_allowing_head(name, value) for name, value in message["headers"]]
            await send(message)

        # A copy: the server reads the method from its own scope when it leaves the content out.
        inner = scope.copy()
        if scope["method"] == HttpMethod.HEAD:
            inner["method"] = HttpMethod.GET
            inner["extensions"] = {**(scope.get("extensions") or {}), HEAD_EXTENSION: {}}
        try:
            await app(inner, receive, sending)
        finally:
            scope["path_template"] = inner.get("path_template", "")

    return front


def _allowing_head(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    return (name, value.replace(b"GET", b"GET, HEAD")) if name.lower() == b"allow" else (name, value)


def with_entity_tags(app: ASGIApp) -> ASGIApp:
    """Give every answer a strong entity tag, and say 304 to who has it already (RFC 9110, section 13.1.2).

    The tag is a digest of the content: whatever may change an answer (a rebuild under a new fold version, a gap, a
    new release of the reader) changes it, which a tag made of positions would have to foresee. A stream has no content
    to digest before it ends, and passes.
    """

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "GET":
            await app(scope, receive, send)
            return
        known = [value for name, value in scope["headers"] if name == b"if-none-match"]
        start: HTTPResponseStartEvent | None = None
        content = bytearray()

        async def sending(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] == _OK and not _is_stream(message):
                start = message
                return
            if start is None or message["type"] != "http.response.body":
                await send(message)
                return
            content.extend(message["body"])
            if not message["more_body"]:
                await _send_tagged(start, bytes(content), known, send)

        await app(scope, receive, sending)

    return front


def _is_stream(start: HTTPResponseStartEvent) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(EVENT_STREAM.encode()) for name, value in start["headers"]
    )


async def _send_tagged(start: HTTPResponseStartEvent, content: bytes, known: list[bytes], send: Send) -> None:
    tag = b'"' + hashlib.blake2b(content, digest_size=16).hexdigest().encode() + b'"'
    headers = [*start["headers"], (b"etag", tag), (b"cache-control", b"no-cache")]
    if _has(known, tag):
        kept = [(name, value) for name, value in headers if name.lower() in _KEPT_IN_304]
        await send({"type": "http.response.start", "status": _NOT_MODIFIED, "headers": kept})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    await send({"type": "http.response.start", "status": _OK, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": False})


def _has(known: list[bytes], tag: bytes) -> bool:
    """Compare weakly, as If-None-Match is to be: a `W/` before a tag makes no difference."""
    return any(value.strip() == b"*" or tag in _ETAG.findall(value) for value in known)
