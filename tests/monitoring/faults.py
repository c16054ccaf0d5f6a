"""What goes wrong, made really, and the alerts that have to tell of it."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import Final

from kafka import KafkaProducer
from sqlalchemy import text, update

from schemas.events import encode
from schemas.tables import campaign_totals
from schemas.topics import PAYMENTS
from tests.gateway.knocking import ACCOUNT, captured, payment_intent, refund, webhook
from tests.monitoring.scene import Scene
from tests.resolver import events as payments

BACKLOG_EVENTS: Final = 4_000
BACKLOG_BATCH_EVENTS: Final = 500
"""Events of one request."""

FIRST_NUMBER: Final = 1_000_000
"""Of the backlog's pledges: above all those of the traffic."""

GAP: Final = "campaign-with-a-gap"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong. Others than its `alerts` may fire too."""

    name: str
    inflict: Callable[[Scene], AbstractContextManager[None]]
    alerts: frozenset[str]


@contextmanager
def _no_exporter(scene: Scene) -> Iterator[None]:
    scene.processes["exporter"].kill()
    try:
        yield
    finally:
        scene.start("exporter")


@contextmanager
def _silent_broker(scene: Scene) -> Iterator[None]:
    """Let the broker fall silent while worker and resolver know of more than they have folded."""
    for start in range(0, BACKLOG_EVENTS, BACKLOG_BATCH_EVENTS):
        scene.send([captured(FIRST_NUMBER + start + number) for number in range(BACKLOG_BATCH_EVENTS)])
    with closing(KafkaProducer(bootstrap_servers=scene.broker.bootstrap_servers)) as producer:
        # Each is told at once, and waits for the broker: what tells nothing would be folded from memory.
        for number in range(BACKLOG_EVENTS):
            event = payments.refund(refund_id=f"stripe:re_{number}", source=f"stripe/{ACCOUNT}/live", amount_minor=1)
            producer.send(PAYMENTS.name, key=event.data.payment_id.encode(), value=encode(event))
        producer.flush()
    # At first they know only of what their first fetch saw, which may be done before the broker is silent.
    known = BACKLOG_EVENTS // 4
    scene.until_told(f"cercles_worker_lag_events > {known} and on () cercles_resolver_lag_events > {known}")
    os.kill(scene.broker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(scene.broker.pid, signal.SIGCONT)


@contextmanager
def _locked_positions(scene: Scene) -> Iterator[None]:
    """Hold a lock that lets everybody read and the sink wait, as a migration or somebody's open session would."""
    with scene.engine.begin() as connection:
        connection.execute(text("LOCK TABLE sink_positions IN EXCLUSIVE MODE"))
        yield


@contextmanager
def _no_database(scene: Scene) -> Iterator[None]:
    scene.postgresql.stop()
    try:
        yield
    finally:
        scene.postgresql.start()


@contextmanager
def _no_room_for_checkpoints(scene: Scene) -> Iterator[None]:
    """Let a file stand where the directory was: nothing can be written in it, not even by root."""
    aside = scene.checkpoints.with_name("checkpoints-aside")
    scene.checkpoints.rename(aside)
    scene.checkpoints.touch()
    try:
        yield
    finally:
        scene.checkpoints.unlink()
        aside.rename(scene.checkpoints)


@contextmanager
def _older_row(scene: Scene) -> Iterator[None]:
    """Put a campaign's row back to an earlier position, as a restored table would; its next update leaves a gap."""
    scene.launch(GAP)
    scene.until_told(f'cercles_campaign_goal_minor{{campaign_id="{GAP}"}}')
    totals = campaign_totals.c
    earlier = update(campaign_totals).where(totals.campaign_id == GAP)
    with scene.engine.begin() as connection:
        connection.execute(earlier.values(position_offset=totals.position_offset - 1))
    scene.send(captured(campaign_id=GAP, capture_id="after-the-gap"))
    try:
        yield
    finally:
        scene.command("rebuild", "--campaign", GAP)


@contextmanager
def _refused_event(scene: Scene) -> Iterator[None]:
    scene.send(captured(capture_id="in-dollars", currency="USD"))
    try:
        yield
    finally:
        letters = [json.loads(line) for line in scene.command("dead-letters", "list", "--json").splitlines()]
        ids = [str(letter["dead_letter_id"]) for letter in letters]
        scene.command("dead-letters", "drop", *ids, "--why", "sent by a test")


@contextmanager
def _refund_without_payment(scene: Scene) -> Iterator[None]:
    names = {"payment_intent": "pi_late", "charge": "ch_late"}
    scene.send_webhook(webhook("refund.created", refund(id="re_early", **names)))
    try:
        yield
    finally:
        scene.send_webhook(
            webhook("payment_intent.succeeded", payment_intent(id="pi_late", latest_charge="ch_late"), id="evt_late")
        )


FAULTS: Final = (
    Fault(
        "the exporter is killed",
        _no_exporter,
        frozenset({"CerclesTargetDown", "CerclesProcessMissing", "CerclesExporterNotScraped"}),
    ),
    Fault(
        "the broker falls silent",
        _silent_broker,
        frozenset(
            {
                "CerclesWorkerLagWithoutProgress",
                "CerclesResolverLagWithoutProgress",
                "CerclesProcessStalled",
                "CerclesGatewayErrors",
            }
        ),
    ),
    Fault(
        "somebody locks the sink out",
        _locked_positions,
        frozenset({"CerclesSinkLagWithoutProgress", "CerclesAcceptedEventsDoNotArrive"}),
    ),
    Fault(
        "the database is stopped",
        _no_database,
        frozenset({"CerclesExporterCannotRead", "CerclesReaderErrors", "CerclesSinkHeldUp"}),
    ),
    Fault("checkpoints can't be written", _no_room_for_checkpoints, frozenset({"CerclesCheckpointsFailing"})),
    Fault("a campaign's row is an older one", _older_row, frozenset({"CerclesCampaignGap"})),
    Fault("a refund comes without its payment", _refund_without_payment, frozenset({"CerclesPaymentNotSeen"})),
    Fault(
        "an event is refused",
        _refused_event,
        frozenset({"CerclesDeadLettersGrowing", "CerclesDeadLettersLeftOpen"}),
    ),
)
