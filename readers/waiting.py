"""`wait_for`: a request waits until the log is folded and stored past a position.

Whoever waits holds neither a thread nor a connection to the database. One task looks at the database once per
interval on behalf of all, and only while somebody waits.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import structlog
from litestar.types import Receive

from readers.metrics import ReaderMetrics
from readers.positions import Position
from readers.progress import has_passed, read_progress
from readers.settings import ReaderSettings
from readers.snapshots import ReadsQueueFullError, Snapshots

log: Final = structlog.get_logger(__name__)


class WaitTimedOutError(Exception):
    """The position was not passed within the time."""


class TooManyWaitersError(Exception):
    """No further request may wait."""


class WaitInterruptedError(Exception):
    """Waiting ended before its time: the database went away, or this reader is stopping."""


class ClientLeftError(Exception):
    """The client closed its connection; nobody is there to answer."""


@dataclass(frozen=True, eq=False, slots=True)
class _Waiter:
    position: Position
    passed: asyncio.Future[None]


class Waiting:
    """All who wait for a position, at most `waiters` of them, each for at most `wait_seconds`."""

    def __init__(self, snapshots: Snapshots, metrics: ReaderMetrics, settings: ReaderSettings) -> None:
        self._snapshots = snapshots
        self._metrics = metrics
        self._seconds = settings.wait_seconds
        self._poll_seconds = settings.wait_poll_seconds
        self._waiters_max = settings.waiters
        self._waiters: set[_Waiter] = set()
        self._looking: asyncio.Task[None] | None = None
        self._stopping = False

    async def until_passed(self, position: Position, receive: Receive) -> None:
        """Return once the event at `position` has left in the database all it ever will.

        `receive` is the request's, to learn that the client has gone. Raises WaitTimedOutError, TooManyWaitersError,
        WaitInterruptedError, ClientLeftError, and what Snapshots.read raises.
        """
        if has_passed(await self._snapshots.read(read_progress), position):
            self._metrics.count_wait("at_once")
            return
        if self._stopping:
            self._metrics.count_wait("interrupted")
            raise WaitInterruptedError("this reader is stopping")
        if len(self._waiters) >= self._waiters_max:
            self._metrics.count_wait("turned_away")
            raise TooManyWaitersError(f"{self._waiters_max} requests are waiting already")
        with self._registered(position) as waiter:
            await self._wait(waiter, receive)

    def stop(self) -> None:
        """End every wait, and let none begin."""
        self._stopping = True
        self._interrupt("this reader is stopping")

    @contextlib.contextmanager
    def _registered(self, position: Position) -> Iterator[_Waiter]:
        waiter = _Waiter(position, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        self._metrics.waiters.set(len(self._waiters))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_until_nobody_waits())
        try:
            yield waiter
        finally:
            self._waiters.discard(waiter)
            self._metrics.waiters.set(len(self._waiters))

    async def _wait(self, waiter: _Waiter, receive: Receive) -> None:
        leaving = asyncio.create_task(_until_client_leaves(receive))
        try:
            await asyncio.wait((waiter.passed, leaving), timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
        if waiter.passed.done():
            interrupted = waiter.passed.exception() is not None
            self._metrics.count_wait("interrupted" if interrupted else "passed")
            waiter.passed.result()
            return
        if leaving.done():
            self._metrics.count_wait("left")
            raise ClientLeftError
        self._metrics.count_wait("timed_out")
        raise WaitTimedOutError(f"{waiter.position} was not folded and stored within {self._seconds:g} s")

    async def _look_until_nobody_waits(self) -> None:
        while self._waiters:
            await asyncio.sleep(self._poll_seconds)
            try:
                progress = await self._snapshots.read(read_progress)
            except ReadsQueueFullError:
                continue  # counted where it was refused; the next look may find room
            except Exception:
                # Whatever it is, it concerns all who wait, and each of them hears of it.
                log.exception("wait_interrupted", waiters=len(self._waiters))
                self._interrupt("the database could not be asked")
                continue
            for waiter in self._waiters:
                if not waiter.passed.done() and has_passed(progress, waiter.position):
                    waiter.passed.set_result(None)

    def _interrupt(self, why: str) -> None:
        for waiter in self._waiters:
            if not waiter.passed.done():
                waiter.passed.set_exception(WaitInterruptedError(why))


async def _until_client_leaves(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
