"""The metrics of the producers. Every label has a bounded set of values."""

from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from producers.refusals import DoorRefusal, UnmappableReason

UNKNOWN: Final = "unknown"
"""The sender of a request that no source or account of the settings has sent."""

UNMATCHED: Final = "unmatched"
"""The route of a request that matches none; its path is the client's and has no bound."""

StripeOutcome = Literal[
    "mapped",  # it became an event of a pledge
    "followed",  # it names only its payment: the resolver finds the pledge
    "said_elsewhere",  # other events say the same, and more exactly
    "released",  # a refund of money that was never captured
    "inquiry",  # a dispute that has moved no money
    "other_type",  # a type that says nothing of a pledge
    "not_ours",  # a payment that names no campaign, or a refund that names no payment
    "dead_letter",  # verified, but not to be mapped
]
VisitKind = Literal[
    "visit",
    "bot",  # a program: it says so in User-Agent, or has none
    "prefetch",  # a browser or a server that looks ahead, or asks for the head alone
]
PublishFailure = Literal[
    "away",  # refused at once: no broker is connected
    "full",  # refused at once: too much is in flight
    "timed_out",  # not acknowledged in time; the broker may still have it
    "refused",  # the broker would not take it
    "canceled",  # whoever asked no longer waits, as at the end of the process; the broker may still have it
]

_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_EVENTS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)


class PublisherMetrics:
    """What a publisher counts; the gateway and the clock each have one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "cercles_published_events_total", "Records that the broker has acknowledged", ("topic",), registry=registry
        )
        self.seconds = Histogram(
            "cercles_publish_seconds",
            "Time from handing records over to the acknowledgement of the last",
            buckets=_SECONDS,
            registry=registry,
        )
        self._failures = Counter(
            "cercles_publish_failures_total", "Publications that failed, whole", ("reason",), registry=registry
        )
        self.in_flight_events = Gauge(
            "cercles_publish_in_flight_events", "Records that wait for the broker", registry=registry
        )
        self.in_flight_bytes = Gauge(
            "cercles_publish_in_flight_bytes", "Bytes of the records that wait for the broker", registry=registry
        )
        self.connections = Counter(
            "cercles_publish_connections_total", "Producers made, the first one included", registry=registry
        )

    def count_failure(self, reason: PublishFailure) -> None:
        """Count one publication that failed."""
        self._failures.labels(reason).inc()


class GatewayMetrics:
    """Everything the gateway counts, in the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.publisher = PublisherMetrics(registry)
        self.requests = Counter(
            "cercles_gateway_requests_total",
            "Requests by route, method and class of status",
            ("route", "method", "status"),
            registry=registry,
        )
        self.request_seconds = Histogram(
            "cercles_gateway_request_seconds",
            "Time from a request's head to the end of its answer",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.requests_under_way = Gauge(
            "cercles_gateway_requests_under_way", "Requests that are being answered", registry=registry
        )
        self.batch_events = Histogram(
            "cercles_gateway_batch_events", "Events of one accepted request", buckets=_EVENTS, registry=registry
        )
        self.accepted = Counter(
            "cercles_gateway_accepted_events_total", "Events accepted, by source", ("source",), registry=registry
        )
        self._visits = Counter(
            "cercles_gateway_visits_total", "Requests to share links, by what they are", ("kind",), registry=registry
        )
        for kind in get_args(VisitKind):
            self._visits.labels(kind)
        self.visits_uncounted = Counter(
            "cercles_gateway_visits_uncounted_total",
            "Requests to share links that were led on, but not counted, since too many links are visited at a time",
            registry=registry,
        )
        self.visit_counts = Gauge(
            "cercles_gateway_visit_counts", "Links and origins whose visits are counted in memory", registry=registry
        )
        self._refusals = Counter(
            "cercles_gateway_refusals_total", "Requests refused, by reason", ("reason",), registry=registry
        )
        self._stripe = Counter(
            "cercles_gateway_stripe_events_total",
            "Verified events of Stripe by what became of them",
            ("account", "outcome"),
            registry=registry,
        )
        self._unmappable = Counter(
            "cercles_gateway_dead_letters_total",
            "Verified gateway events that became dead letters, by reason",
            ("reason",),
            registry=registry,
        )

    def count_request(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request. `route` is a template of ours or `UNMATCHED`."""
        known = method if method in _METHODS else "other"
        self.requests.labels(route, known, f"{status // 100}xx").inc()
        self.request_seconds.labels(route).observe(seconds)

    def count_visit(self, kind: VisitKind) -> None:
        """Count one request to a share link."""
        self._visits.labels(kind).inc()

    def count_refusal(self, reason: DoorRefusal) -> None:
        """Count one request that was refused."""
        self._refusals.labels(reason).inc()

    def count_stripe(self, account: str, outcome: StripeOutcome) -> None:
        """Count one verified event of an account that stands in the settings."""
        self._stripe.labels(account, outcome).inc()

    def count_unmappable(self, reason: UnmappableReason) -> None:
        """Count one dead letter of the gateway's own."""
        self._unmappable.labels(reason).inc()


class ClockMetrics:
    """Everything the clock counts, in the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.publisher = PublisherMetrics(registry)
        self.closings = Counter(
            "cercles_clock_closings_total", "Closings of campaigns appended to the log", registry=registry
        )
        self.looks = Counter(
            "cercles_clock_looks_total",
            "Looks at the campaigns' deadlines, by how they ended",
            ("outcome",),
            registry=registry,
        )
        self.due = Gauge("cercles_clock_due_campaigns", "Campaigns that wait for their closing", registry=registry)

    def count_look(self, outcome: Literal["done", "database_away", "broker_away"]) -> None:
        """Count one look at the deadlines."""
        self.looks.labels(outcome).inc()
