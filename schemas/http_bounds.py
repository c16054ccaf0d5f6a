"""What bounds a request to any of our HTTP servers before an application sees it."""

import asyncio
from typing import ClassVar, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

TARGET_LENGTH_MAX: Final = 1024
"""Longest path and query together, in characters. The longest that any route of ours asks for has some 900."""

PARAMETERS_MAX: Final = 16
"""Most parameters of a query; no route of ours has more than four."""

HEAD_SECONDS_MAX: Final = 10.0
"""Longest time from a connection, or from an answer, to the whole head of the next request."""


def is_target_bounded(path: str, query: bytes) -> bool:
    """Whether a request's path and query are as short as all that we serve.

    Litestar keeps the last 1,024 paths and queries, and what it made of them (litestar/_parsers.py): with a head of
    64 KiB full of parameters that is gigabytes.
    """
    return len(path) + len(query) <= TARGET_LENGTH_MAX and query.count(b"&") < PARAMETERS_MAX


class PunctualH11(H11Protocol):
    """uvicorn's HTTP/1.1, at which nobody keeps a connection without asking for something.

    uvicorn alone gives up only where no byte comes after an answer. Here a head that drips in, one that never begins,
    and a refused body that never ends take their connection for `head_seconds_max` and no longer.
    """

    head_seconds_max: ClassVar[float] = HEAD_SECONDS_MAX

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin the time of the first request's head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self._forget_deadline()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin the time of the next request's head: it may be there already, and is then answered by uvicorn here."""
        self._expect_head()
        super().on_response_complete()

    def _expect_head(self) -> None:
        self._forget_deadline()
        self._deadline = self.loop.call_later(self.head_seconds_max, self._give_up)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        # A request that is under way has bounds of its own.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
