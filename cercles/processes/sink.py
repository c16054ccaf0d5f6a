"""A sink: updates become rows."""

from cercles.process import Process
from sinks.process import SinkProcess
from sinks.settings import SinkSettings


def make() -> Process:
    """Return it as the environment says. Raises pydantic's ValidationError for a wrong setting."""
    return SinkProcess(SinkSettings())
