"""How often Python's garbage collector looks for cycles in a process that handles events in bulk."""

import gc
from typing import Final

_YOUNG_OBJECTS: Final = 50_000
"""New containers, such as the dictionaries of a campaign or the rows of a transaction, after which the youngest are
looked at. Nothing that is made of events has cycles, and nearly all of it is freed, or not followed by the collector at
all (`gc=False` of the structs)."""


def settle() -> None:
    """Leave what has been imported out of every collection, and look for cycles more seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])
