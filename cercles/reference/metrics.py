"""The page of the metrics: those that each process registers, and those that the exporter reads from the database."""

from collections.abc import Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase
from sqlalchemy import create_engine

from cercles.processes import DESCRIPTIONS, ProcessName
from cercles.reference.forms import cell
from producers.metrics import ClockMetrics, GatewayMetrics
from readers.metrics import ReaderMetrics
from schemas.tables import metadata
from sinks.exporter import CampaignCollector
from sinks.metrics import ExporterMetrics, SinkMetrics
from sinks.settings import ExporterSettings
from stream_processors.metrics import ResolverMetrics, WorkerMetrics

HEAD: Final = """\
# Metrics

This page is written by `python -m cercles.reference` from the metrics themselves; a check keeps it so. Every label has
a bounded set of values. A histogram has the series `…_bucket`, `…_sum` and `…_count`.

Every process serves its own metrics at `/metrics` of its operations address (`CERCLES_OPERATIONS_HOST` and
`CERCLES_OPERATIONS_PORT`), together with those of the Python process (`process_…`, `python_…`) and with
`cercles_process_stalled_seconds`, a gauge of the time without progress although there is something to do
([what that is](../runbook-stalls.md)). [ops/runbook.md](../../ops/runbook.md) has the alerts.
"""
CAMPAIGNS: Final = """\
## The campaigns

The exporter serves them at an address of their own (`CERCLES_EXPORTER_HOST` and `CERCLES_EXPORTER_PORT`). Each scrape
reads the database once, in one transaction.
"""


def page() -> str:
    """Return the whole page, as Markdown."""
    lines = [HEAD, CAMPAIGNS, *_table(campaign_metrics()), ""]
    for process, metrics in process_metrics().items():
        lines += [f"## {process}", "", DESCRIPTIONS[process], "", *_table(metrics), ""]
    return "\n".join(lines).rstrip() + "\n"


def process_metrics() -> dict[ProcessName, list[MetricWrapperBase]]:
    """Return what each process registers, in the order in which it declares it."""
    held: dict[ProcessName, Any] = {
        "gateway": GatewayMetrics(CollectorRegistry()),
        "resolver": ResolverMetrics(CollectorRegistry()),
        "worker": WorkerMetrics(CollectorRegistry()),
        "sink": SinkMetrics(CollectorRegistry()),
        "exporter": ExporterMetrics(CollectorRegistry()),
        "reader": ReaderMetrics(),
        "clock": ClockMetrics(CollectorRegistry()),
    }
    return {process: list(_held_by(holder)) for process, holder in held.items()}


def campaign_metrics() -> list[Metric]:
    """Return what the exporter serves of an empty database: every family, without a sample."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    top_campaigns = ExporterSettings.model_fields["top_campaigns"].default
    collector = CampaignCollector(engine, ExporterMetrics(CollectorRegistry()), top_campaigns=top_campaigns)
    families = list(collector.collect())
    engine.dispose()
    return families


def _held_by(holder: object) -> Iterator[MetricWrapperBase]:
    """Yield the metrics among an object's attributes, and among those of the holders of metrics in it."""
    for value in vars(holder).values():
        if isinstance(value, MetricWrapperBase):
            yield value
        elif type(value).__module__ == type(holder).__module__:
            yield from _held_by(value)


def _table(metrics: list[Any]) -> Iterator[str]:
    yield "| metric | kind | labels | meaning |"
    yield "|---|---|---|---|"
    for metric in metrics:
        [family] = metric.describe() if isinstance(metric, MetricWrapperBase) else [metric]
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 (the library offers no way to ask)
        yield f"| `{name}` | {family.type} | {labels} | {cell(family.documentation)} |"
