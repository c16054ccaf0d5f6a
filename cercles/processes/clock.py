"""The clock: closes campaigns whose time has passed."""

from cercles.process import Process
from producers.clock.process import ClockProcess
from producers.settings import ClockSettings


def make() -> Process:
    """Return it as the environment says. Raises pydantic's ValidationError for a wrong setting."""
    return ClockProcess(ClockSettings())
