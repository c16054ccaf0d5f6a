"""The read key: who may see single entries and events."""

import secrets
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import Guard
from pydantic import SecretStr

SCHEME: Final = "readKey"
COMPONENTS: Final = Components(
    security_schemes={
        SCHEME: SecurityScheme(type="http", scheme="bearer", description="The key set as CERCLES_READER_KEY")
    }
)


def read_key_guard(key: SecretStr | None) -> Guard:
    """Return a guard that lets those pass who bring the key as a bearer token (RFC 6750, section 2.1).

    Without a configured key nobody passes.
    """

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _route: BaseRouteHandler) -> None:
        if key is None:
            raise PermissionDeniedException("no read key is configured: set CERCLES_READER_KEY for this reader")
        # Of two tokens, which one counts is not for us to choose.
        given = connection.headers.getall("authorization", [])
        scheme, _, token = (given[0] if len(given) == 1 else "").partition(" ")
        expected = key.get_secret_value().encode()
        # Bytes: of texts, compare_digest takes only ASCII ones, and what a client sends may be anything.
        matches = secrets.compare_digest(token.strip().encode(errors="surrogateescape"), expected)
        if scheme.lower() != "bearer" or not matches:
            raise NotAuthorizedException(
                "this needs the read key, as Authorization: Bearer KEY", headers={"www-authenticate": "Bearer"}
            )

    return guard
