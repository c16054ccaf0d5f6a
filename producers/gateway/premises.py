"""What all doors share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from producers.gateway.posting import Posting
from producers.metrics import GatewayMetrics
from producers.pseudonyms import Pseudonyms


@dataclass(frozen=True, kw_only=True, slots=True)
class Premises:
    """The way to the log, the pseudonyms, the metrics, the clock, and how long a body may take."""

    posting: Posting
    pseudonyms: Pseudonyms
    metrics: GatewayMetrics
    now: Callable[[], datetime]
    body_seconds: float
