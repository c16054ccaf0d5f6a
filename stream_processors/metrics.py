"""Every metric of the worker. Labels: `partition` (as many as the log has) and `reason` (the refusal reasons)."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class WorkerMetrics:
    """The worker's operational metrics, in a registry of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "cercles_worker_events_total", "Events folded live, refused ones included", registry=registry
        )
        self.aligned_events = Counter(
            "cercles_worker_aligned_events_total", "Events read from the log to catch up with it", registry=registry
        )
        self.unchanged = Counter(
            "cercles_worker_unchanged_total", "Events that were known already or have no effect", registry=registry
        )
        self.entries = Counter("cercles_worker_entries_total", "Ledger entries sent", registry=registry)
        self.updates = Counter("cercles_worker_updates_total", "Updates sent", registry=registry)
        self.refusals = Counter(
            "cercles_worker_refusals_total", "Events refused, by reason", ["reason"], registry=registry
        )
        self.batch_events = Histogram(
            "cercles_worker_batch_events",
            "Events in a batch",
            buckets=(1, 10, 50, 100, 250, 500, 1000, 2000, 4000, 8000),
            registry=registry,
        )
        self.fold_seconds = Histogram(
            "cercles_worker_fold_seconds", "Time to fold one batch", buckets=_SECONDS, registry=registry
        )
        self.acknowledgement_seconds = Histogram(
            "cercles_worker_acknowledgement_seconds",
            "Time from sending a batch's outputs to the acknowledgement of the last",
            buckets=_SECONDS,
            registry=registry,
        )
        self.next_offset = Gauge(
            "cercles_worker_next_offset",
            "Offset of the next event whose outputs are not yet acknowledged",
            ["partition"],
            registry=registry,
        )
        self.lag_events = Gauge(
            "cercles_worker_lag_events", "Events of the log not yet acknowledged", ["partition"], registry=registry
        )
        self.lag_seconds = Gauge(
            "cercles_worker_lag_seconds",
            "Age of the newest event folded, while there are newer ones; 0 when there are none",
            ["partition"],
            registry=registry,
        )
        self.aligning = Gauge(
            "cercles_worker_aligning_partitions", "Partitions being brought up to the log", registry=registry
        )
        self.queued_batches = Gauge(
            "cercles_worker_queued_batches", "Batches fetched and not yet folded", ["partition"], registry=registry
        )

        self.checkpoints = Counter("cercles_worker_checkpoints_total", "Checkpoints written", registry=registry)
        self.checkpoints_failed = Counter(
            "cercles_worker_checkpoints_failed_total", "Checkpoints that the disk did not take", registry=registry
        )
        self.checkpoints_ignored = Counter(
            "cercles_worker_checkpoints_ignored_total",
            "Checkpoints left aside when a partition was restored, by reason (damaged, other_fold, other_log)",
            ["reason"],
            registry=registry,
        )
        self.checkpoint_bytes = Gauge(
            "cercles_worker_checkpoint_bytes", "Size of the last checkpoint", ["partition"], registry=registry
        )

    def forget_partition(self, partition: int) -> None:
        """Drop the series of a partition that is another worker's now."""
        for gauge in (self.next_offset, self.lag_events, self.lag_seconds, self.queued_batches, self.checkpoint_bytes):
            if (str(partition),) in gauge._metrics:  # noqa: SLF001 (the library offers no way to ask)
                gauge.remove(str(partition))
