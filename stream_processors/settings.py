"""The worker's settings, read from `CERCLES_WORKER_…`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.connections import KafkaConnection


class WorkerSettings(BaseSettings):
    """How a worker takes part in its group, and how much it takes at a time."""

    model_config = SettingsConfigDict(env_prefix="CERCLES_WORKER_", frozen=True)

    kafka: KafkaConnection = Field(default_factory=KafkaConnection)
    group: str = Field(
        default="cercles-worker", description="Consumer group; workers of one group share the partitions"
    )
    batch_events_max: int = Field(default=4000, gt=0, description="Most events folded at a time")
    queued_batches_max: int = Field(
        default=2, gt=0, description="Batches a partition may have waiting before fetching pauses"
    )
    session_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Silence after which the group gives a worker's partitions to others"
    )
    commit_interval_seconds: float = Field(
        default=0.5, gt=0, description="How often acknowledged offsets are committed"
    )
    outage_seconds_max: float = Field(
        default=900.0, gt=0, description="How long brokers may be away when the worker starts, before it ends"
    )
    acknowledgement_seconds_max: float = Field(
        default=300.0, gt=0, description="Longest wait for the broker to take outputs, before the process ends"
    )
    checkpoint_directory: Path | None = Field(
        default=None, description="Where to keep checkpoints; none: a restart folds the log from its beginning"
    )
    checkpoint_interval_seconds: float = Field(
        default=60.0, gt=0, description="How often a partition that has changed is checkpointed"
    )
    log_check_interval_seconds: float = Field(
        default=15.0, gt=0, description="How often to ask whether the log is still the same topic"
    )
    stop_seconds_max: float = Field(
        default=8.0, gt=0, description="Longest wait, when stopping, for what is being done to be finished"
    )
