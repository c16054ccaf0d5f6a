"""The Faust application: one agent that hands every batch to the lane of its partition."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
from faust.types import TP

from schemas.connections import KafkaConnection
from stream_processors.settings import LaneSettings
from stream_processors.shell.lane import Delivery
from stream_processors.shell.log_reader import FETCH_BYTES_MAX
from stream_processors.shell.transport import BatchSchema


def make_application(settings: LaneSettings, data_directory: Path) -> faust.App:
    """Return the application, not started. Its settings answer the traps of Faust that docs/adr/0002 lists.

    Faust makes `data_directory`, for tables that we do not have; nothing is ever in it.
    """
    kafka = settings.kafka
    return faust.App(
        settings.group,
        broker=";".join(f"cercles://{server}" for server in kafka.bootstrap_servers.split(",")),
        broker_credentials=_credentials(kafka),
        store="memory://",
        datadir=data_directory,
        consumer_auto_offset_reset="earliest",
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        stream_wait_empty=False,
        stream_buffer_maxsize=settings.queued_batches_max * 64,
        broker_max_poll_records=settings.batch_events_max,
        consumer_max_fetch_size=FETCH_BYTES_MAX,
        broker_commit_interval=settings.commit_interval_seconds,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=settings.session_timeout_seconds / 5,
        broker_request_timeout=max(90.0, settings.session_timeout_seconds),
    )


def add_agent(application: faust.App, topic: str, deliver: Callable[[TP, Delivery], None]) -> None:
    """Let every batch of the topic be handed to `deliver`.

    The agent does nothing that can fail, and acknowledges nothing: what is committed, the transport asks the lanes.
    """
    batches = application.topic(topic, schema=BatchSchema())

    async def aggregate(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message

            def is_stale(generation: int = message.generation_id) -> bool:
                # While the group is being formed anew, what was delivered may be another worker's by the end of it.
                return bool(application.rebalancing or application.consumer_generation_id != generation)

            deliver(message.tp, Delivery(records=event.value, is_stale=is_stale))

    application.agent(batches, name="cercles.aggregate")(aggregate)


def _credentials(kafka: KafkaConnection) -> Any:
    context = kafka.ssl_context()
    if kafka.sasl_mechanism is not None and kafka.sasl_password is not None:
        # Without an SSL context Faust falls back to plain text, silently: right only for SASL_PLAINTEXT.
        return faust.SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password.get_secret_value(),
            mechanism=kafka.sasl_mechanism,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)
