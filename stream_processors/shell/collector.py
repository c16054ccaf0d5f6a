"""How often Python's garbage collector looks for cycles in a worker."""

import gc
from typing import Final

_YOUNG_OBJECTS: Final = 50_000
"""New containers, such as the dictionaries of a campaign, after which the youngest are looked at. The fold makes no
cycles, and nearly everything it makes is freed, or not followed by the collector at all (`gc=False` of its structs)."""


def settle() -> None:
    """Leave what has been imported out of every collection, and look for cycles more seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])
