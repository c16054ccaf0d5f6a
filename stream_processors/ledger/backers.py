"""Counts distinct backers."""

from collections.abc import Iterable
from typing import Final

from schemas.fields import CIRCLES
from stream_processors.ledger.by_id import by_id

_BACKER_BITS: Final = 32
_BACKER_MASK: Final = (1 << _BACKER_BITS) - 1
_BACKER_ONES: Final = tuple(1 << (circle * _BACKER_BITS) for circle in range(len(CIRCLES)))
_BACKER_MASKS: Final = tuple(_BACKER_MASK * one for one in _BACKER_ONES)


class Backers:
    """Distinct backers of a campaign and of each circle: one counts while one of their pledges is above 0.

    For each backer one integer holds the number of such pledges in every circle, 32 bits for each.
    """

    __slots__ = ("_pledges", "in_circle", "total")

    def __init__(self) -> None:
        self._pledges: dict[str, int] = by_id()
        self.in_circle = [0] * len(CIRCLES)
        self.total = 0

    def add(self, told: Iterable[tuple[str | None, int]]) -> None:
        """Count one pledge above 0 for each backer and circle. Without an id, the pledge is a backer of its own."""
        pledges, in_circle, total = self._pledges, self.in_circle, self.total
        for backer_id, circle in told:
            if backer_id is not None:
                before = pledges.get(backer_id)
                if before is not None:
                    pledges[backer_id] = before + _BACKER_ONES[circle]
                    if not before & _BACKER_MASKS[circle]:
                        in_circle[circle] += 1
                    continue
                # Most backers have one pledge, and then the number is one object for all of them.
                pledges[backer_id] = _BACKER_ONES[circle]
            total += 1
            in_circle[circle] += 1
        self.total = total

    def remove(self, backer_id: str | None, circle: int) -> None:
        """Take back one `add` of the same backer and circle."""
        after = 0
        if backer_id is not None:
            after = self._pledges[backer_id] - _BACKER_ONES[circle]
            if after:
                self._pledges[backer_id] = after
            else:
                del self._pledges[backer_id]
        if not after:
            self.total -= 1
        if not after & _BACKER_MASKS[circle]:
            self.in_circle[circle] -= 1

    def save(self) -> list[tuple[str, list[int]]]:
        """Return each backer with the number of their pledges above 0 in every circle."""
        shifts = [circle * _BACKER_BITS for circle in range(len(CIRCLES))]
        return [
            (backer_id, [(packed >> shift) & _BACKER_MASK for shift in shifts])
            for backer_id, packed in self._pledges.items()
        ]

    def restore(self, pledges: list[tuple[str, list[int]]], in_circle: list[int], total: int) -> None:
        """Take over what `save`, `in_circle` and `total` said."""
        self._pledges = by_id()
        for backer_id, counts in pledges:
            self._pledges[backer_id] = sum(count << (circle * _BACKER_BITS) for circle, count in enumerate(counts))
        self.in_circle = in_circle
        self.total = total
