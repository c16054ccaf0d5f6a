"""Asks the reader what became of every event that a door has accepted."""

import threading
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import httpx
import msgspec

from readers.answers import Event, EventStatus

ANSWER_SECONDS_MAX: Final = 2.0
"""Longest wait for one answer, so that a demo that is interrupted does not have to wait for the reader's patience."""

RETRY_SECONDS: Final = 0.25
_LATER: Final = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT, HTTPStatus.NOT_FOUND})
"""Answers that may be another one soon: busy, still waiting, a campaign that is not stored yet."""


class UnansweredError(Exception):
    """The reader can't say what became of an event; the message has its answer."""


class Follower:
    """Follows positions in their order. `counts` may be read from any thread meanwhile."""

    def __init__(self, reader_url: str, read_key: str, campaign_id: str) -> None:
        headers = {"authorization": f"Bearer {read_key}"}
        self._client = httpx.Client(base_url=reader_url, headers=headers, timeout=ANSWER_SECONDS_MAX)
        self._campaign_id = campaign_id
        self.counts: Counter[EventStatus] = Counter()
        self.reasons: Counter[str] = Counter()

    def close(self) -> None:
        self._client.close()

    def follow(self, positions: Sequence[str], complete: threading.Event, stop: threading.Event) -> None:
        """Follow positions as they are appended, until `complete` is set and all are followed, or `stop` is set.

        Raises UnansweredError.
        """
        followed = 0
        while not stop.is_set():
            ended = complete.is_set()  # asked before the length: nothing is appended after it is set
            if followed < len(positions):
                self._follow_one(positions[followed], stop)
                followed += 1
            elif ended:
                return
            else:
                stop.wait(RETRY_SECONDS)

    def _follow_one(self, position: str, stop: threading.Event) -> None:
        while not stop.is_set():
            event = self._ask(position)
            if event is not None and event.status != "pending":
                if event.reason is not None:
                    self.reasons[event.reason] += 1
                self.counts[event.status] += 1
                return
            stop.wait(RETRY_SECONDS)

    def _ask(self, position: str) -> Event | None:
        path = f"/v1/campaigns/{self._campaign_id}/events/{position}"
        try:
            answer = self._client.get(path, params={"wait_for": position})
        except httpx.TransportError:
            return None  # the reader is being restarted; whoever runs the demo has a limit for this
        if answer.status_code in _LATER:
            return None
        if not answer.is_success:
            raise UnansweredError(f"{path}: HTTP {answer.status_code} {answer.text}")
        return msgspec.json.decode(answer.content, type=Event)
