"""Visits, counted in memory and told to the log: a new count within ten seconds, an old one more and more seldom.

A count is cumulative: it is told again, higher, and of what one counter tells of a link the greatest counts. So nothing
is counted twice, whatever is repeated. What is lost with a gateway that is killed, or that can't reach the brokers when
it stops, is what was not told yet. A counter's id is of one run of the gateway, and of one time between two makings of
room.

Whoever has a public link can visit it for ever, and every telling is a record that the log keeps for ever. So a count
waits for a tenth of its age before it is told again, for an hour at most: however often a link is visited, a gateway
tells each of its origins some 90 times in the first day, and 24 times in each day that follows.

A count that is forgotten begins anew, at ten seconds and by another counter. What was told longest ago is forgotten
first, and a quarter of the room is left to what was told last: while fewer links and origins than that are visited
within some two hours, only a link that nobody has visited for an hour is forgotten, and once in two hours at most.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final

import structlog

from producers.gateway.posting import Posting
from producers.gateway.problems import Problem
from producers.gateway.share_links import ShareLink
from producers.metrics import GatewayMetrics, VisitKind
from schemas.events import ShareVisited, ShareVisitedData
from schemas.fields import VisitOrigin

SOURCE: Final = "admin"
"""The gateway itself: every campaign takes its word on links."""

TELL_SECONDS: Final = 10.0
"""How often what is due is told."""

AGE_SHARE: Final = 0.1
"""How long a count waits before it is told again, as a share of the time since it was told first."""

WAIT_SECONDS_MAX: Final = 3600.0
"""Longest that a count waits."""

COUNTS_MAX: Final = 50_000
"""Most links and origins that are counted at a time; beyond them a visit is led on, and counted as uncounted."""

EVENTS_MAX: Final = 500
"""Most events that are told at a time."""

LAST_SECONDS_MAX: Final = 2.0
"""Longest that a stopping gateway takes to tell what it has counted last."""

COUNTER_BYTES: Final = 8

log = structlog.get_logger(__name__)


class _Count:
    """What one link has got from one origin, by one counter, and how much of it is told."""

    __slots__ = ("counter_id", "due", "first_told", "link", "numbers", "origin", "told", "told_at")

    def __init__(self, counter_id: str, link: ShareLink, origin: VisitOrigin) -> None:
        self.counter_id = counter_id
        self.link = link
        self.origin: VisitOrigin = origin
        self.numbers: dict[VisitKind, int] = {"visit": 0, "bot": 0, "prefetch": 0}
        self.told: dict[VisitKind, int] = dict(self.numbers)
        self.first_told: float | None = None
        self.told_at = -math.inf
        self.due = 0.0
        """From when on it may be told, in seconds of the telling's clock."""

    @property
    def is_told(self) -> bool:
        """Whether nothing has come since."""
        return self.numbers == self.told

    @property
    def visits_untold(self) -> int:
        """How many visits have come since."""
        return self.numbers["visit"] - self.told["visit"]

    def tell(self, numbers: dict[VisitKind, int], seconds: float) -> None:
        """Note that these were told at that time."""
        self.told = numbers
        self.told_at = seconds
        if self.first_told is None:
            self.first_told = seconds
        self.due = seconds + min(WAIT_SECONDS_MAX, AGE_SHARE * (seconds - self.first_told))


class VisitCounts:
    """The counts of this gateway. Only its event loop touches them."""

    def __init__(self, metrics: GatewayMetrics, counts_max: int = COUNTS_MAX) -> None:
        self._metrics = metrics
        self._counts_max = counts_max
        self._counts: dict[tuple[ShareLink, VisitOrigin], _Count] = {}
        self._counter_id = _new_counter()
        metrics.visit_counts.set_function(lambda: len(self._counts))

    def add(self, link: ShareLink, origin: VisitOrigin, kind: VisitKind) -> None:
        """Count one request."""
        count = self._counts.get((link, origin))
        if count is None:
            if len(self._counts) >= self._counts_max:
                self._metrics.visits_uncounted.inc()
                return
            count = self._counts[link, origin] = _Count(self._counter_id, link, origin)
        count.numbers[kind] += 1
        self._metrics.count_visit(kind)

    def untold(self, seconds: float) -> list[_Count]:
        """Return the counts that have grown since they were told, and are due by that time.

        All that have grown are due where they take half the room: it is for those that come.
        """
        untold = [count for count in self._counts.values() if not count.is_told]
        return untold if self._is_half_taken(len(untold)) else [count for count in untold if count.due <= seconds]

    def make_room(self) -> None:
        """Once half the room is taken, forget what was told longest ago, until a quarter of it is taken.

        What was not told yet stays, and so does its age. What was forgotten and comes again has another counter.
        """
        if not self._is_half_taken(len(self._counts)):
            return
        told = sorted((count for count in self._counts.values() if count.is_told), key=lambda count: count.told_at)
        for count in told[: len(self._counts) - self._counts_max // 4]:
            del self._counts[count.link, count.origin]
        self._counter_id = _new_counter()

    def _is_half_taken(self, counts: int) -> bool:
        return counts * 2 >= self._counts_max


class VisitTelling:
    """Tells the counts, until it is stopped, and then once more.

    `seconds` is a clock that never goes back.
    """

    def __init__(
        self,
        counts: VisitCounts,
        posting: Posting,
        now: Callable[[], datetime],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counts = counts
        self._posting = posting
        self._now = now
        self._seconds = seconds
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let `run` end."""
        self._stopping.set()

    async def run(self, tell_seconds: float = TELL_SECONDS) -> None:
        """Tell what is due, every so many seconds; while no broker is there it waits and grows.

        A telling that the stop meets is ended: the last one tells the same again, with what has come meanwhile.
        """
        async with asyncio.TaskGroup() as group:
            turns = group.create_task(self._take_turns(tell_seconds))
            await self._stopping.wait()
            turns.cancel()
        await self._try_to_tell(seconds_max=LAST_SECONDS_MAX, by=math.inf)
        lost = self._counts.untold(math.inf)
        if lost:
            log.error("visits_lost", links=len(lost), visits=sum(count.visits_untold for count in lost))

    async def _take_turns(self, tell_seconds: float) -> None:
        while True:
            await asyncio.sleep(tell_seconds)
            await self._try_to_tell()

    async def _try_to_tell(self, *, seconds_max: float | None = None, by: float | None = None) -> None:
        try:
            async with asyncio.timeout(seconds_max):
                await self.tell(by)
        except Exception:  # payments must not end with it: the next turn tells the same again, and the log has it
            log.exception("visits_not_told")

    async def tell(self, by: float | None = None) -> None:
        """Tell what has grown and is due by now, or by another time. What could not be told is told the next time."""
        untold = self._counts.untold(self._seconds() if by is None else by)
        for start in range(0, len(untold), EVENTS_MAX):
            some = untold[start : start + EVENTS_MAX]
            numbers = [dict(count.numbers) for count in some]
            try:
                await self._posting.post(list(self._events(some)), SOURCE)
            except Problem as problem:
                log.warning("visits_wait", reason=problem.reason, links=len(some))
                return
            told_at = self._seconds()
            for count, told in zip(some, numbers, strict=True):
                count.tell(told, told_at)
        self._counts.make_room()

    def _events(self, counts: Iterable[_Count]) -> Iterator[ShareVisited]:
        now = self._now()
        for count in counts:
            numbers = count.numbers
            data = ShareVisitedData(
                campaign_id=count.link.campaign_id,
                share_token=count.link.share_token,
                counter_id=count.counter_id,
                visits=numbers["visit"],
                bots=numbers["bot"],
                prefetches=numbers["prefetch"],
                origin=count.origin,
            )
            name = f"visits:{count.counter_id}:{data.share_token}:{data.origin}:{sum(numbers.values())}"
            yield ShareVisited(specversion="1.0", id=name, source=SOURCE, time=now, data=data)


def _new_counter() -> str:
    return f"gateway:{secrets.token_hex(COUNTER_BYTES)}"
