"""A publisher for whoever has no event loop: it runs in a thread that has one, and its callers wait."""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Sequence
from typing import Final

from producers.lane import END_SECONDS_MAX, STOPPING
from producers.publication import BrokerAwayError, Position, Record
from producers.publishing import Publisher
from producers.settings import PUBLISH_SECONDS_MAX

CLOSE_SECONDS_MAX: Final = PUBLISH_SECONDS_MAX + END_SECONDS_MAX
"""Longest that `close` takes; and longest that a caller waits, though the event loop hang or end meanwhile."""


class BlockingPublisher:
    """Lets any thread publish. `start` it before use and `close` it afterwards."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    def start(self) -> None:
        """Begin to connect, in the background. Raises OSError or RuntimeError for want of an event loop or a thread."""
        self._loop = self._runner.get_loop()
        try:
            self._thread.start()
        except RuntimeError:
            self._runner.close()
            raise

    def close(self) -> None:
        """Wait for what is under way, for as long as a publication may take at most, and end."""
        if self._loop is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile: nothing is left to be stopped
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(CLOSE_SECONDS_MAX)

    def not_ready(self) -> str | None:
        """Return why nothing can be written just now, or None."""
        return self._publisher.not_ready()

    def under_way(self) -> dict[str, int]:
        """Return what must move on, by name, as the publisher does."""
        return self._publisher.under_way()

    def submit(self, records: Sequence[Record]) -> "concurrent.futures.Future[list[Position]]":
        """Begin to write the records. The future has the outcome of `Publisher.publish`, unless the loop ends before.

        Raises BrokerAwayError when the loop has ended, or has not begun.
        """
        if self._loop is None or not self._thread.is_alive():
            raise BrokerAwayError(STOPPING)
        publishing = self._publisher.publish(records)
        try:
            return asyncio.run_coroutine_threadsafe(publishing, self._loop)
        except RuntimeError:  # the loop has closed since
            publishing.close()
            raise BrokerAwayError(STOPPING) from None

    def publish_and_wait(self, records: Sequence[Record]) -> list[Position]:
        """Write the records in this order and return the position of each, after all have been acknowledged.

        Raises BrokerAwayError within `CLOSE_SECONDS_MAX` when that can't be had.
        """
        try:
            return self.submit(records).result(CLOSE_SECONDS_MAX)
        except concurrent.futures.CancelledError:
            raise BrokerAwayError(STOPPING) from None
        except TimeoutError:
            raise BrokerAwayError(f"the publisher gave no answer within {CLOSE_SECONDS_MAX:g} s") from None

    def _run(self) -> None:
        with self._runner:
            self._runner.run(self._serve())

    async def _serve(self) -> None:
        async with self._publisher:
            await self._stop.wait()
