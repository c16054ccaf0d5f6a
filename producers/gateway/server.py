"""Serves the application over HTTP until it is asked to stop, with uvicorn."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn
from litestar.types import ASGIApp

from schemas.http_bounds import PunctualH11

KEEP_ALIVE_SECONDS: Final = 5
FINISH_SECONDS_MAX: Final = 7
"""Longest that requests under way may take to finish once the server stops; a publication takes at most 6 s."""

BACKLOG: Final = 2048
CONNECTIONS_PER_REQUEST: Final = 4
"""Connections for each request that may be under way: most of a client's connections are idle."""


class Server(uvicorn.Server):
    """uvicorn, stopped by an event of ours instead of by signals, which belong to whoever runs the process."""

    def __init__(
        self, app: ASGIApp, requests_max: int, stop: threading.Event, *, each_tick: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on",
                http=PunctualH11,
                ws="none",
                loop="asyncio",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                limit_concurrency=requests_max * CONNECTIONS_PER_REQUEST,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=FINISH_SECONDS_MAX,
            )
        )
        self._stop = stop
        self._each_tick = each_tick

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether to stop."""
        self._each_tick()
        self.should_exit = self.should_exit or self._stop.is_set()
        return await super().on_tick(counter)
