"""The metrics of a reader. Every label has a bounded set of values."""

from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

WaitOutcome = Literal[
    "at_once",  # the position had been passed before the wait began
    "passed",  # it was passed within the time
    "timed_out",  # it was not: 504
    "turned_away",  # too many were waiting: 503
    "left",  # the client went away
    "interrupted",  # the database went away, or this reader was stopping: 503
]

StreamOutcome = Literal[
    "aged",  # it was as old as a stream may become: the client comes back
    "left",  # the client went away
    "interrupted",  # the database or the campaign went away, or this reader was stopping
    "turned_away",  # there were too many: 503
]

UNMATCHED: Final = "unmatched"
"""The route of a request that matches none; its path is the client's and has no bound."""

_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class ReaderMetrics:
    """Everything a reader counts, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # Looked for once: finding what has the labels takes longer than counting.
        self._kept: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.requests = Counter(
            "cercles_reader_requests_total",
            "Requests by route, method and class of status",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "cercles_reader_request_seconds",
            "Time from a request to the end of its answer, a wait for a position included; of a stream, to its start",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.read_seconds = Histogram(
            "cercles_reader_read_seconds",
            "Time of one snapshot of the database, standing in line for it included",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.reads_refused = Counter(
            "cercles_reader_reads_refused_total",
            "Reads turned away because too many stood in line",
            registry=self.registry,
        )
        self.reads_outstanding = Gauge(
            "cercles_reader_reads_outstanding",
            "Reads of the database under way or in line for a thread",
            registry=self.registry,
        )
        self.waiters = Gauge("cercles_reader_waiters", "Requests that wait for a position", registry=self.registry)
        self.waits = Counter(
            "cercles_reader_waits_total", "Ends of waits for a position", ("outcome",), registry=self.registry
        )
        self.streams = Gauge("cercles_reader_streams", "Streams that follow a campaign", registry=self.registry)
        self.stream_events = Counter(
            "cercles_reader_stream_events_total",
            "Events sent by streams, without heartbeats",
            registry=self.registry,
        )
        self.stream_ends = Counter(
            "cercles_reader_stream_ends_total", "Ends of streams", ("outcome",), registry=self.registry
        )

    def count_request(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request. `route` is a template of ours or `UNMATCHED`."""
        known = method if method in _METHODS else "other"
        key = route, known, status // 100
        kept = self._kept.get(key)
        if kept is None:
            requests = self.requests.labels(route, known, f"{status // 100}xx")
            kept = self._kept[key] = requests, self.request_seconds.labels(route)
        requests, request_seconds = kept
        requests.inc()
        request_seconds.observe(seconds)

    def count_wait(self, outcome: WaitOutcome) -> None:
        """Count the end of one wait."""
        self.waits.labels(outcome).inc()

    def count_stream_end(self, outcome: StreamOutcome) -> None:
        """Count the end of one stream, or that it could not begin."""
        self.stream_ends.labels(outcome).inc()
