"""A publisher for whoever has no event loop: it runs in a thread that has one, and its callers wait."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

from producers.lane import DISCARD_SECONDS_MAX, STOPPING
from producers.publication import BrokerAwayError, Position, Record
from producers.publishing import Publisher
from producers.settings import PUBLISH_SECONDS_MAX

CLOSE_SECONDS_MAX: Final = PUBLISH_SECONDS_MAX + 2 * DISCARD_SECONDS_MAX


class BlockingPublisher:
    """Lets any thread publish. `start` it before use and `close` it afterwards."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="publisher", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._running = threading.Event()

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._thread.start()
        self._running.wait()

    def close(self) -> None:
        """Wait for what is under way, for as long as a publication may take at most, and end."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(CLOSE_SECONDS_MAX)

    def not_ready(self) -> str | None:
        """Return why nothing can be written just now, or None."""
        return self._publisher.not_ready()

    def under_way(self) -> dict[str, int]:
        """Return what must move on, by name, as the publisher does."""
        return self._publisher.under_way()

    def submit(self, records: Sequence[Record]) -> "Future[list[Position]]":
        """Begin to write the records. The future has the outcome of `Publisher.publish`, as bounded in time."""
        if self._loop is None or not self._thread.is_alive():
            raise BrokerAwayError(STOPPING)
        return asyncio.run_coroutine_threadsafe(self._publisher.publish(records), self._loop)

    def publish_and_wait(self, records: Sequence[Record]) -> list[Position]:
        """Write the records in this order and return the position of each, after all have been acknowledged.

        Raises BrokerAwayError in bounded time when that can't be had.
        """
        return self.submit(records).result()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running.set()
        async with self._publisher:
            await self._stop.wait()
