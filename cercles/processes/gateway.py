"""The gateway: signed HTTP events in."""

from cercles.process import Process
from producers.gateway.process import GatewayProcess
from producers.settings import GatewaySettings


def make() -> Process:
    """Return it as the environment says. Raises pydantic's ValidationError for a wrong setting."""
    return GatewayProcess(GatewaySettings())  # type: ignore[call-arg]  # what is needed stands in the environment
