"""The operational metrics of the sink and of the exporter: every one of them, with its labels' bounds."""

import contextlib
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REASONS_MAX: Final = 50
"""Most reasons of dead letters that are shown by name."""

OTHER: Final = "other"
"""What every bounded label calls the rest."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_RECORDS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000)


class SinkMetrics:
    """Metrics of one sink. Labels: `topic` has 2 values, `partition` as many as a topic has, the others are named."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, words: str, *labels: str) -> Counter:
            return Counter(name, words, labels, registry=registry)

        def gauge(name: str, words: str, *labels: str) -> Gauge:
            return Gauge(name, words, labels, registry=registry)

        self.records = counter("cercles_sink_records_total", "Records whose transaction is committed", "topic")
        # result: applied, known (the rows were past it already), gap.
        self.updates = counter("cercles_sink_updates_total", "Updates, by what became of them", "result")
        self.entries = counter("cercles_sink_entries_total", "Ledger entries written")
        self.milestones = counter("cercles_sink_milestones_total", "Milestones written")
        # kind: sinks.plan.GapKind.
        self.gaps = counter(
            "cercles_sink_gaps_total", "Campaigns marked because an update did not continue from their rows", "kind"
        )
        # reason: whatever the headers say, through `count_dead_letters`: at most REASONS_MAX and `other`.
        self.dead_letters = counter(
            "cercles_sink_dead_letters_total", "Dead letters taken over, repeated ones included", "reason"
        )
        self.transactions = counter("cercles_sink_transactions_total", "Transactions committed", "topic")
        self.transaction_seconds = Histogram(
            "cercles_sink_transaction_seconds",
            "Time of a transaction, from its beginning to the end of COMMIT",
            ("topic",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch_records = Histogram(
            "cercles_sink_batch_records", "Records of a transaction", ("topic",), buckets=_RECORDS, registry=registry
        )
        self.fenced = counter(
            "cercles_sink_fenced_total", "Transactions given up because another sink had moved the position"
        )
        # cause: broker, database, schema.
        self.retries = counter("cercles_sink_retries_total", "Attempts that failed and are made again", "cause")
        self.partitions = gauge("cercles_sink_partitions", "Partitions assigned to this sink", "topic")
        self.lag_records = gauge(
            "cercles_sink_lag_records", "Records that stand in the topic and are not applied", "topic", "partition"
        )
        self.lag_seconds = gauge(
            "cercles_sink_lag_seconds",
            "Age of the newest applied record where others wait behind it; 0 where none does",
            "topic",
            "partition",
        )
        self._reasons: set[str] = set()
        for result in ("applied", "known", "gap"):
            self.updates.labels(result)
        for kind in ("missed", "disagreeing"):
            self.gaps.labels(kind)
        for cause in ("broker", "database", "schema"):
            self.retries.labels(cause)

    def count_dead_letters(self, reason: str, number: int) -> None:
        """Count dead letters of a reason; once there are REASONS_MAX of them, further reasons are `other`."""
        if len(self._reasons) < REASONS_MAX:
            self._reasons.add(reason)
        self.dead_letters.labels(reason if reason in self._reasons else OTHER).inc(number)

    def forget_partition(self, topic: str, partition: int) -> None:
        """Stop showing the lag of a partition that now belongs to another sink."""
        for gauge in (self.lag_records, self.lag_seconds):
            with contextlib.suppress(KeyError):  # it had none yet
                gauge.remove(topic, str(partition))


class ExporterMetrics:
    """Operational metrics of the exporter, beside the campaigns' own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.scrapes = Counter("cercles_exporter_scrapes_total", "Scrapes answered", ("result",), registry=registry)
        self.scrape_seconds = Histogram(
            "cercles_exporter_scrape_seconds",
            "Time that reading the database took for one scrape",
            buckets=_SECONDS,
            registry=registry,
        )
        for result in ("read", "failed"):
            self.scrapes.labels(result)
