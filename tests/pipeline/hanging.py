"""A process that hangs where a library or a bug might make it: `python -m tests.pipeline.hanging worker`.

It patches what is called at that place in its own process, and then runs as `cercles worker` does.
"""

import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NoReturn, cast

import pytest
from aiokafka import AIOKafkaProducer

from cercles.processes import ProcessName, make
from cercles.running import run_process
from producers import lane
from stream_processors.ledger.batch import Batch

PROGRAM: Final = ("-m", "tests.pipeline.hanging")
_patch: Final = pytest.MonkeyPatch()


def hang_for_ever(*_: Any, **__: Any) -> NoReturn:
    """Never return. The tests look for this name in the stacks."""
    while True:
        threading.Event().wait()


def folding() -> None:
    """The worker's event loop is blocked."""
    _patch.setattr(Batch, "steps", hang_for_ever)


def sending() -> None:
    """The gateway's event loop is blocked by what it was about to send."""
    _patch.setattr(AIOKafkaProducer, "send_batch", hang_for_ever)


def connecting() -> None:
    """The clock's lane never has a producer, nor hears that it can't have one."""
    _patch.setattr(lane, "AIOKafkaProducer", hang_for_ever)


HANGING_IN: Final[dict[str, Callable[[], None]]] = {"worker": folding, "gateway": sending, "clock": connecting}


def main(name: str) -> int:
    """Patch, and run that process."""
    HANGING_IN[name]()
    return run_process(name, partial(make, cast("ProcessName", name)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
