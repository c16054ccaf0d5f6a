"""Every metric of the worker and the resolver. Labels: `partition` (as many as a log has), `reason` (a refusal's)."""

import time
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class LaneMetrics:
    """What every process with lanes measures, in a registry of its own; `name` is the process's."""

    checkpoints: Counter
    checkpoints_failed: Counter
    checkpoints_ignored: Counter
    checkpoint_bytes: Gauge
    """Of a process that keeps checkpoints."""

    def __init__(self, name: str, registry: CollectorRegistry) -> None:
        prefix = f"cercles_{name}"
        self.events = Counter(f"{prefix}_events_total", "Events folded live, refused ones included", registry=registry)
        self.aligned_events = Counter(
            f"{prefix}_aligned_events_total", "Events read from the log to catch up with it", registry=registry
        )
        self.refusals = Counter(f"{prefix}_refusals_total", "Events refused, by reason", ["reason"], registry=registry)
        self.batch_events = Histogram(
            f"{prefix}_batch_events",
            "Events in a batch",
            buckets=(1, 10, 50, 100, 250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000),
            registry=registry,
        )
        self.fold_seconds = Histogram(
            f"{prefix}_fold_seconds", "Time to fold one batch", buckets=_SECONDS, registry=registry
        )
        self.acknowledgement_seconds = Histogram(
            f"{prefix}_acknowledgement_seconds",
            "Time from sending a batch's outputs to the acknowledgement of the last",
            buckets=_SECONDS,
            registry=registry,
        )
        self.next_offset = Gauge(
            f"{prefix}_next_offset",
            "Offset of the next event whose outputs are not yet acknowledged",
            ["partition"],
            registry=registry,
        )
        self.lag_events = Gauge(
            f"{prefix}_lag_events", "Events of the log not yet acknowledged", ["partition"], registry=registry
        )
        self.lag_seconds = Gauge(
            f"{prefix}_lag_seconds",
            "Age of the newest event folded, while there are newer ones; 0 when there are none",
            ["partition"],
            registry=registry,
        )
        self.aligning = Gauge(
            f"{prefix}_aligning_partitions", "Partitions being brought up to the log", registry=registry
        )
        self.queued_batches = Gauge(
            f"{prefix}_queued_batches", "Batches fetched and not yet folded", ["partition"], registry=registry
        )
        self._by_partition = [self.next_offset, self.lag_events, self.lag_seconds, self.queued_batches]

    def count(self, outputs: Any) -> None:
        """Count what a batch said, once the broker has it."""
        for letter in outputs.dead_letters:
            self.refusals.labels(letter.reason).inc()

    def observe(self, partition: int, state: Any) -> None:
        """Look at a partition's state after it was changed."""

    def forget_partition(self, partition: int) -> None:
        """Drop the series of a partition that is another process's now."""
        for gauge in self._by_partition:
            if (str(partition),) in gauge._metrics:  # noqa: SLF001 (the library offers no way to ask)
                gauge.remove(str(partition))


class WorkerMetrics(LaneMetrics):
    """The worker's operational metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__("worker", registry)
        self.unchanged = Counter(
            "cercles_worker_unchanged_total", "Events that were known already or have no effect", registry=registry
        )
        self.entries = Counter("cercles_worker_entries_total", "Ledger entries sent", registry=registry)
        self.updates = Counter("cercles_worker_updates_total", "Updates sent", registry=registry)
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
        self._by_partition.append(self.checkpoint_bytes)

    def count(self, outputs: Any) -> None:
        """Count updates and their entries, too."""
        super().count(outputs)
        self.updates.inc(len(outputs.updates))
        self.entries.inc(outputs.entries)
        self.unchanged.inc(outputs.unchanged)


class ResolverMetrics(LaneMetrics):
    """The resolver's operational metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__("resolver", registry)
        self.resolved = Counter(
            "cercles_resolver_resolved_total", "Events of pledges appended to the campaigns' log", registry=registry
        )
        self.payments = Gauge("cercles_resolver_payments", "Payments that are known", ["partition"], registry=registry)
        self.waiting = Gauge(
            "cercles_resolver_waiting_facts",
            "Facts that wait for their payment and are no dead letters yet",
            ["partition"],
            registry=registry,
        )
        self.waiting_seconds = Gauge(
            "cercles_resolver_waiting_seconds",
            "How long the oldest waiting fact has waited, 0 when none does",
            ["partition"],
            registry=registry,
        )
        self._by_partition += [self.payments, self.waiting, self.waiting_seconds]

    def count(self, outputs: Any) -> None:
        """Count what was resolved, too."""
        super().count(outputs)
        self.resolved.inc(len(outputs.resolved))

    def observe(self, partition: int, state: Any) -> None:
        """Note how much a partition knows, and how much waits in it."""
        label = str(partition)
        self.payments.labels(label).set(state.size)
        self.waiting.labels(label).set(len(state.waiting))
        since_ms = state.waiting_since_ms
        self.waiting_seconds.labels(label).set_function(
            lambda: 0.0 if since_ms is None else max(0.0, time.time() - since_ms / 1000)
        )
