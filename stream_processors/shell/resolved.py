"""Sends what the resolver has to say, and waits for the broker's word on every record."""

import asyncio
from typing import Any, Final

from schemas.events import CONTENT_TYPE
from schemas.failure_points import reach
from schemas.topics import LOG
from schemas.updates import Progress
from stream_processors.resolver.batch import Outputs
from stream_processors.shell.outputs import OutputProducer

_HEADERS: Final = (("content-type", CONTENT_TYPE.encode()),)


class ResolvedProducer(OutputProducer):
    """Appends to the campaigns' log, as a gateway does. Which event stands first there makes no difference."""

    batch_bytes_max = 64 * 1024
    """With one event more this stays below the log's `max.message.bytes`."""

    async def send(self, outputs: Outputs, progress: Progress) -> int:  # type: ignore[override]
        """Send a batch's outputs; return when the broker has acknowledged every one.

        Nobody follows how far the payments' log is folded: the group's offsets say it. Returns and raises as the
        worker's does.
        """
        reach("resolver.before_outputs")
        waiting: list[asyncio.Future[Any]] = []
        for key, value in outputs.resolved:
            waiting.append(await self._connected().send(LOG.name, value=value, key=key, headers=list(_HEADERS)))
            reach("resolver.record_handed_over")
        dead_letters_end = 0
        if outputs.dead_letters:
            dead_letters_end = await self._send_dead_letters(progress.partition, outputs.dead_letters)
        await asyncio.gather(*waiting)
        reach("resolver.outputs_acknowledged")
        return dead_letters_end
