"""The exporter: rows become metrics."""

from cercles.process import Process
from sinks.exporter import ExporterProcess
from sinks.settings import ExporterSettings


def make() -> Process:
    """Return it as the environment says. Raises pydantic's ValidationError for a wrong setting."""
    return ExporterProcess(ExporterSettings())
