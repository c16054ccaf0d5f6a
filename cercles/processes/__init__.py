"""One module for each process, so that starting one imports no other: Faust alone takes a second.

Each has `make()`, which returns the process from the settings in the environment.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Final, Literal, cast

from cercles.process import Process

ProcessName = Literal["gateway", "resolver", "worker", "sink", "exporter", "reader", "clock"]

DESCRIPTIONS: Final[dict[ProcessName, str]] = {
    "gateway": "Take signed events over HTTP and put them on the log.",
    "resolver": "Find the campaign of refunds and disputes that name only their payment.",
    "worker": "Fold the log into totals, ledger entries and milestones.",
    "sink": "Write what the workers say to the database, exactly once.",
    "exporter": "Turn the database's rows into Prometheus metrics.",
    "reader": "Answer questions about campaigns over HTTP.",
    "clock": "Close campaigns once their time and their settling time have passed.",
}


def make(name: ProcessName) -> Process:
    """Import that process, and only that one, and return it. Raises pydantic's ValidationError for a wrong setting."""
    make_it = cast("Callable[[], Process]", import_module(f"cercles.processes.{name}").make)
    return make_it()
