"""A resolver: finds the campaign of what names only its payment."""

from cercles.process import Process
from stream_processors.settings import ResolverSettings
from stream_processors.shell.resolver_process import ResolverProcess


def make() -> Process:
    """Return it as the environment says. Raises pydantic's ValidationError for a wrong setting."""
    return ResolverProcess(ResolverSettings())
