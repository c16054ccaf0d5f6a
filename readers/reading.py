"""What a request reads by: snapshots, all of them past the position that the request has waited for."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from readers.answers import Standing
from readers.positions import Position, parse_position
from readers.snapshots import Snapshots

_Answer = TypeVar("_Answer")


class MissedError(Exception):
    """The campaign has missed something before the position that was waited for: no answer is past it."""


class Reading:
    """One request's way to the snapshots. `past` is the position that it has waited for, if it has."""

    def __init__(self, snapshots: Snapshots, past: Position | None = None) -> None:
        self._snapshots = snapshots
        self._past = past

    async def read(self, question: Callable[[Connection], _Answer]) -> _Answer:
        """Return what `question` answers from one snapshot.

        Raises MissedError for a campaign whose gap keeps what was waited for from being applied, and what
        `Snapshots.read` raises.
        """
        answer = await self._snapshots.read(question)
        if self._past is not None and isinstance(answer, Standing) and answer.gap_at is not None:
            stands = parse_position(answer.as_of)
            if stands.partition == self._past.partition and stands.offset < self._past.offset:
                raise MissedError(
                    f"campaign {answer.campaign_id!r} has a gap at {answer.gap_at} that is not repaired yet: "
                    f"nothing after {answer.as_of} is applied to it"
                )
        return answer
