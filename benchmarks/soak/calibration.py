"""The highest rate that holds: raised until one does not, then halved in between."""

from collections.abc import Callable
from typing import Final

FIRST_RATE: Final = 500.0
RAISE: Final = 1.5
HALVINGS: Final = 2


def highest_rate(holds: Callable[[float], bool], first: float = FIRST_RATE) -> float:
    """Return the highest rate found to hold. Raises RuntimeError when not even the first one does."""
    held, rate = 0.0, first
    while holds(rate):
        held, rate = rate, rate * RAISE
    if not held:
        raise RuntimeError(f"{first:g} events/s are too many already")
    too_much = rate
    for _ in range(HALVINGS):
        middle = (held + too_much) / 2
        if holds(middle):
            held = middle
        else:
            too_much = middle
    return held
