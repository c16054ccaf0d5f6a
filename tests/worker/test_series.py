"""However many campaigns, payments and links the logs name that nobody has launched, the metrics keep their series."""

from prometheus_client import CollectorRegistry

from schemas.events import LogEvent, encode
from stream_processors.ledger.batch import Outputs
from stream_processors.ledger.state import PartitionState
from stream_processors.metrics import ResolverMetrics, WorkerMetrics
from stream_processors.resolver.state import ResolverState
from tests.ledger.batches import Record, batch_of, fold
from tests.ledger.events import CAMPAIGN, SOURCE, capture, fail, launch, moved, share, visit
from tests.resolver import events as payments
from tests.series import series_of, unknown_ids

BATCH_EVENTS = 2_000
OTHERS = 2_000


def _folded(metrics: WorkerMetrics, state: PartitionState, *events: LogEvent) -> Outputs:
    """Fold a batch and count it as a lane does."""
    outputs = fold(state, *events)
    metrics.count(outputs)
    metrics.observe(3, state)
    return outputs


def test_unknown_campaigns_add_neither_series_nor_state() -> None:
    """100,000 captures of campaigns that were never launched: each is refused, and nothing of it is kept."""
    registry, state = CollectorRegistry(), PartitionState()
    metrics, pledge, ids = WorkerMetrics(registry), capture("pledge-1", 100), unknown_ids()
    _folded(metrics, state, moved(pledge, "first"))
    before = series_of(registry)
    for start in range(0, len(ids), BATCH_EVENTS):
        outputs = _folded(metrics, state, *(moved(pledge, one) for one in ids[start : start + BATCH_EVENTS]))
        assert {letter.reason for letter in outputs.dead_letters} == {"campaign_unknown"}
    assert series_of(registry) == before
    assert state.campaigns == {}
    refused = registry.get_sample_value("cercles_worker_refusals_total", {"reason": "campaign_unknown"})
    assert refused == len(ids) + 1


def test_links_sources_and_records_that_nobody_knows_add_no_series() -> None:
    """Of a campaign that is there: tokens, sharers, networks, senders, reasons of failures; and keys and bytes."""
    registry, state = CollectorRegistry(), PartitionState()
    metrics = WorkerMetrics(registry)

    def tell(name: str) -> None:
        _folded(
            metrics,
            state,
            capture(name, 100, share_token=name, backer_id=name, reward_id=name),
            capture(f"{name}-again", 100, source=f"sources/{name}"),
            share(name, parent=f"of-{name}", sharer=name, network=name),
            visit(name, 1, counter=name),
            fail(name, reason=name),
        )
        value = encode(capture(name, 100))
        records = [Record(state.next_offset, value, name.encode()), Record(state.next_offset + 1, name.encode())]
        metrics.count(batch_of(state).fold(records))

    _folded(metrics, state, launch())
    tell("first")
    before = series_of(registry)
    for name in unknown_ids(OTHERS):
        tell(name)
    assert series_of(registry) == before
    assert list(state.campaigns) == [CAMPAIGN]
    for reason in ("source_not_allowed", "misrouted", "invalid_event"):
        refused = registry.get_sample_value("cercles_worker_refusals_total", {"reason": reason})
        assert refused == OTHERS + 1, (reason, SOURCE)


def test_unknown_payments_add_no_series() -> None:
    """Refunds of payments that nobody has linked wait, and are counted together."""
    registry, state = CollectorRegistry(), ResolverState()
    metrics = ResolverMetrics(registry)

    def tell(number: int, name: str) -> None:
        event = payments.refund(name, refund_id=name, source=f"stripe/{name}/live")
        metrics.count(payments.fold(state, payments.Record(number, encode(event), name.encode())))
        metrics.observe(3, state)

    tell(0, "first")
    before = series_of(registry)
    for number, name in enumerate(unknown_ids(OTHERS), 1):
        tell(number, name)
    assert series_of(registry) == before
    assert registry.get_sample_value("cercles_resolver_waiting_facts", {"partition": "3"}) == OTHERS + 1
