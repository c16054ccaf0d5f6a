"""Following: everybody who follows a campaign hears of each change, from one look per campaign and interval.

Who follows holds neither a thread nor a connection to the database, and is told the campaign as it is, not each step
on the way there: who reads slowly misses steps, never the last one.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

import msgspec
import structlog
from litestar.response import ServerSentEventMessage

from readers.live.whole import Look, WholeCampaign, look_again, look_at, read_whole
from readers.metrics import ReaderMetrics, StreamOutcome
from readers.queries import CampaignUnknownError
from readers.settings import ReaderSettings
from readers.snapshots import ReadsQueueFullError, Snapshots

CAMPAIGN_EVENT: Final = "campaign"
HEARTBEAT: Final = ServerSentEventMessage(event="heartbeat", data="")
"""Comments would keep the connection alive as well, but no script in a browser ever sees them."""

LOOK_SHARE_MAX: Final = 0.2
"""Largest part of the time that looking at one campaign may take: a larger one is looked at more seldom."""

LOOK_AGE_SECONDS_MAX: Final = 60.0
"""How old a look may be that is kept since the campaign's mark has not changed: a repair may leave the mark."""

log: Final = structlog.get_logger(__name__)


class TooManyStreamsError(Exception):
    """No further stream may begin."""


class FollowingStoppedError(Exception):
    """No stream begins at a reader that is stopping."""


def event_id(campaign: WholeCampaign) -> str:
    """Return the id of the event that tells of a campaign: its position, and after a `-` a digest of the content.

    The position alone would not do: a repair changes totals and leaves the position where it is.
    """
    return f"{campaign.as_of}-{hashlib.blake2b(msgspec.json.encode(campaign), digest_size=8).hexdigest()}"


class _Followed:
    """A campaign, as the latest look found it. `changed` is set, and replaced by another, whenever that is news."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.message = _message(look)
        self.changed = asyncio.Event()
        self.followers = 0
        self.interrupted = False

    def show(self, look: Look) -> None:
        self.look, self.message = look, _message(look)
        self._wake()

    def interrupt(self) -> None:
        self.interrupted = True
        self._wake()

    def _wake(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


def _message(look: Look) -> ServerSentEventMessage:
    return ServerSentEventMessage(
        event=CAMPAIGN_EVENT, id=event_id(look.campaign), data=msgspec.json.encode(look.campaign)
    )


class Stream(AsyncIterator[ServerSentEventMessage]):
    """What one follower is told, from what it has not heard yet on."""

    def __init__(self, followed: _Followed, following: "Following", last_event_id: str | None) -> None:
        self._followed = followed
        self._following = following
        self._last_event_id = last_event_id
        self._ends_at = asyncio.get_running_loop().time() + following.seconds_max
        self._outcome: StreamOutcome = "left"

    async def __anext__(self) -> ServerSentEventMessage:
        while (left_seconds := self._ends_at - asyncio.get_running_loop().time()) > 0:
            if self._followed.interrupted:
                self._outcome = "interrupted"
                raise StopAsyncIteration
            message = self._followed.message
            if message.id != self._last_event_id:
                self._last_event_id = str(message.id)
                self._following.metrics.stream_events.inc()
                return message
            silence_seconds = min(self._following.heartbeat_seconds, left_seconds)
            try:
                async with asyncio.timeout(silence_seconds):
                    await self._followed.changed.wait()
            except TimeoutError:
                if silence_seconds < left_seconds:
                    return HEARTBEAT
        self._outcome = "aged"
        raise StopAsyncIteration

    def end(self) -> None:
        """Give its place to another. To be called once, however the stream ended, and even if it never began."""
        self._following.leave(self._followed, self._outcome)


class Following:
    """All streams, at most `streams` of them, each for at most `stream_seconds`."""

    def __init__(self, snapshots: Snapshots, metrics: ReaderMetrics, settings: ReaderSettings) -> None:
        self.metrics = metrics
        self.heartbeat_seconds = settings.stream_heartbeat_seconds
        self.seconds_max = settings.stream_seconds
        self._snapshots = snapshots
        self._poll_seconds = settings.stream_poll_seconds
        self._streams_max = settings.streams
        self._streams = 0
        self._followed: dict[str, _Followed] = {}
        self._looking: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def follow(self, campaign_id: str, last_event_id: str | None) -> Stream:
        """Begin a stream that tells of a campaign; who has heard `last_event_id` is not told that again.

        Raises CampaignUnknownError, TooManyStreamsError, FollowingStoppedError, and what Snapshots.read raises.
        """
        if self._stopping:
            raise FollowingStoppedError("this reader is stopping")
        if self._streams >= self._streams_max:
            self.metrics.count_stream_end("turned_away")
            raise TooManyStreamsError(f"{self._streams_max} streams are open already")
        self._count(+1)
        try:
            followed = self._followed.get(campaign_id) or await self._begin(campaign_id)
        except BaseException:
            self._count(-1)
            raise
        followed.followers += 1
        return Stream(followed, self, last_event_id)

    async def whole(self, campaign_id: str, heard_event_id: str | None = None) -> WholeCampaign:
        """Return a campaign as it is now.

        Who has just heard of `heard_event_id` from a stream is given what was told with it, if that is still the last
        word: so a change that a thousand pages hear of, and ask for, is read once. Raises CampaignUnknownError, and
        what Snapshots.read raises.
        """
        followed = self._followed.get(campaign_id)
        if followed is not None and followed.message.id == heard_event_id:
            return followed.look.campaign
        return await self._snapshots.read(partial(read_whole, campaign_id=campaign_id))

    def leave(self, followed: _Followed, outcome: StreamOutcome) -> None:
        """Take note of the end of a stream."""
        followed.followers -= 1
        self._count(-1)
        self.metrics.count_stream_end(outcome)

    def stop(self) -> None:
        """End every stream, and let none begin."""
        self._stopping = True
        for followed in self._followed.values():
            followed.interrupt()

    async def _begin(self, campaign_id: str) -> _Followed:
        look = await self._snapshots.read(partial(look_at, campaign_id=campaign_id))
        if self._stopping:
            raise FollowingStoppedError("this reader is stopping")
        followed = self._followed.get(campaign_id)
        if followed is None:
            followed = self._followed[campaign_id] = _Followed(look)
            looking = asyncio.create_task(self._look_while_followed(campaign_id, followed))
            self._looking.add(looking)
            looking.add_done_callback(self._looking.discard)
        return followed

    async def _look_while_followed(self, campaign_id: str, followed: _Followed) -> None:
        took_seconds = 0.0
        clock = asyncio.get_running_loop().time
        looked_at = clock()
        while not followed.interrupted:
            await asyncio.sleep(max(self._poll_seconds, took_seconds * (1 / LOOK_SHARE_MAX - 1)))
            if not followed.followers:
                break
            began = clock()
            is_old = began - looked_at > LOOK_AGE_SECONDS_MAX
            look_now = look_at if is_old else partial(look_again, last=followed.look)
            try:
                look = await self._snapshots.read(partial(look_now, campaign_id=campaign_id))
            except ReadsQueueFullError:
                continue  # counted where it was refused; the next look may find room
            except CampaignUnknownError:
                break
            except Exception:
                # Whatever it is, it concerns all who follow: their streams end, and who comes back hears of it.
                log.exception("streams_interrupted", campaign_id=campaign_id, streams=followed.followers)
                break
            took_seconds = clock() - began
            if look is not followed.look:
                looked_at = began
                followed.show(look)
        followed.interrupt()
        del self._followed[campaign_id]

    def _count(self, change: int) -> None:
        self._streams += change
        self.metrics.streams.set(self._streams)
