"""What the resolver shows of itself: how much it knows, how much waits, and for how long."""

import time

import pytest
from prometheus_client import CollectorRegistry

from stream_processors.metrics import ResolverMetrics
from tests.resolver.events import Partition, fold, link, refund


def test_what_waits_is_counted_and_has_an_age() -> None:
    """By the clock here, so that it grows although nothing comes; 0 when nothing waits."""
    registry, partition = CollectorRegistry(), Partition(time_ms=int((time.time() - 3600) * 1000))
    metrics = ResolverMetrics(registry)

    def shown(name: str) -> float | None:
        return registry.get_sample_value(f"cercles_resolver_{name}", {"partition": "3"})

    partition.append(refund("stripe:pi_1"), refund("stripe:pi_2"), link("stripe:pi_3"))
    metrics.observe(3, partition.state)
    assert (shown("payments"), shown("waiting_facts")) == (3, 2)
    assert shown("waiting_seconds") == pytest.approx(3600, abs=60)
    partition.append(link("stripe:pi_1"), link("stripe:pi_2"))
    metrics.observe(3, partition.state)
    assert (shown("payments"), shown("waiting_facts"), shown("waiting_seconds")) == (3, 0, 0)
    metrics.forget_partition(3)
    assert (shown("payments"), shown("waiting_facts"), shown("waiting_seconds")) == (None, None, None)
    metrics.forget_partition(3)


def test_what_was_said_is_counted() -> None:
    """Resolved events, and dead letters by reason."""
    registry, partition = CollectorRegistry(), Partition()
    metrics = ResolverMetrics(registry)
    for record in (link(), refund(), refund(refund_id="stripe:re_2")):
        partition.append(record)
    outputs = fold(Partition().state, *partition.records)
    metrics.count(outputs)
    assert registry.get_sample_value("cercles_resolver_resolved_total") == 2
    partition.append(link(pledge_id="another"))
    metrics.count(fold(partition.state))
    metrics.count(fold(Partition().state, *partition.records))
    assert registry.get_sample_value("cercles_resolver_refusals_total", {"reason": "conflicting_duplicate"}) == 1
