"""A worker: folds the log into updates."""

from cercles.process import Process
from stream_processors.settings import WorkerSettings
from stream_processors.shell.process import WorkerProcess


def make() -> Process:
    """Return it as the environment says. Raises pydantic's ValidationError for a wrong setting."""
    return WorkerProcess(WorkerSettings())
