"""What every process of Cercles looks like to whoever runs it."""

import threading
from typing import Protocol

from prometheus_client import CollectorRegistry

from schemas.headway import Headway


class Process(Protocol):
    """One process: the gateway, a resolver, a worker, a sink, the exporter, a reader or the clock.

    The folder that owns it knows nothing of signals, logging set-up or operations addresses: `cercles.running` brings
    those.
    """

    @property
    def name(self) -> str:
        """The word after `cercles` that starts it, such as `gateway`."""
        ...

    @property
    def registry(self) -> CollectorRegistry:
        """Its own metrics; never the library's global registry."""
        ...

    @property
    def headway(self) -> Headway:
        """What it notes of its work, at least every few seconds; noting nothing for long is a stall, and ends it."""
        ...

    def not_ready(self) -> str | None:
        """Return why it can't do its work just now, in words, or None when it can."""
        ...

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then finish cleanly within 10 s.

        Raises on an error that trying again can't cure; the process then ends with a non-zero exit code.
        """
        ...
