"""Reads the body of a request, and no more of it than its door takes."""

import asyncio
from typing import Any, Final

from litestar import Request

from producers.gateway.problems import Problem

EVENT_BYTES_MAX: Final = 64 * 1024
BATCH_BYTES_MAX: Final = 1024 * 1024
WEBHOOK_BYTES_MAX: Final = 512 * 1024
JSON: Final = "application/json"


def content_type(request: Request[Any, Any, Any], *allowed: str) -> str:
    """Return the media type of the body, one of those allowed.

    Raises Problem (415) for another one, for two of them, for a charset other than UTF-8 and for an encoded body.
    """
    refuse_encoded(request)
    if len(request.headers.getall("content-type", [])) > 1:
        raise Problem("wrong_content_type", "Say once what the body is.")
    name, options = request.content_type
    if name not in allowed:
        raise Problem("wrong_content_type", f"Send the body as {' or '.join(allowed)}.")
    if options.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        raise Problem("wrong_content_type", "JSON is UTF-8: leave the charset out.")
    return name


def refuse_encoded(request: Request[Any, Any, Any]) -> None:
    """Raise Problem (415) for a compressed body: its size could not be bounded by what arrives."""
    encodings = request.headers.getall("content-encoding", [])
    if any(encoding.strip().lower() not in {"", "identity"} for encoding in encodings):
        raise Problem("wrong_content_type", "Send the body as it is, without a Content-Encoding.")


async def read_body(request: Request[Any, Any, Any], bytes_max: int, seconds_max: float) -> bytes:
    """Return the body.

    Raises Problem: 413 as soon as more than `bytes_max` is announced or has come, 408 when it is not complete after
    `seconds_max`, 400 when the client leaves before its end.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > bytes_max:
        raise _too_large(bytes_max)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds_max):
            while True:
                message = await request.receive()
                if message["type"] != "http.request":
                    raise Problem("unreadable_request", "The request ended before its body did.")
                size += len(message["body"])
                if size > bytes_max:
                    raise _too_large(bytes_max)
                chunks.append(message["body"])
                if not message["more_body"]:
                    return b"".join(chunks)
    except TimeoutError:
        # What of it still comes must not be taken for the next request.
        raise Problem(
            "body_too_slow",
            f"The body did not arrive within {seconds_max:g} s: send it again, faster or in smaller parts.",
            headers={"connection": "close"},
        ) from None


def _too_large(bytes_max: int) -> Problem:
    return Problem("too_large", f"This door takes at most {bytes_max} bytes: send less at once.")
