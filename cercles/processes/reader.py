"""A reader: rows become HTTP answers."""

from cercles.process import Process
from readers.process import ReaderProcess
from readers.settings import ReaderSettings


def make() -> Process:
    """Return it as the environment says. Raises pydantic's ValidationError for a wrong setting."""
    return ReaderProcess(ReaderSettings())
