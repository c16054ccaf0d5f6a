"""The resolver process: the worker's lanes, with another fold between another log and another topic."""

from prometheus_client import CollectorRegistry

from stream_processors.metrics import ResolverMetrics
from stream_processors.settings import ResolverSettings
from stream_processors.shell.folding import RESOLVER
from stream_processors.shell.process import Kind, LaneProcess
from stream_processors.shell.resolved import ResolvedProducer


class ResolverProcess(LaneProcess):
    """Folds the payments' log into events of pledges."""

    def __init__(self, settings: ResolverSettings) -> None:
        registry = CollectorRegistry()
        super().__init__(Kind("resolver", RESOLVER, ResolvedProducer), settings, registry, ResolverMetrics(registry))
