"""The settings of the worker, read from `CERCLES_WORKER_…`, and of the resolver, from `CERCLES_RESOLVER_…`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.connections import KafkaConnection


class LaneSettings(BaseSettings):
    """How a process with lanes takes part in its group, and how much it takes at a time."""

    model_config = SettingsConfigDict(frozen=True)

    kafka: KafkaConnection = Field(default_factory=KafkaConnection)
    group: str
    batch_events_max: int = Field(
        default=40_000, gt=0, description="Most events taken from the log, and most folded, at a time"
    )
    queued_batches_max: int = Field(
        default=2, gt=0, description="Batches a partition may have waiting before fetching pauses"
    )
    session_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Silence after which the group gives a process's partitions to others"
    )
    commit_interval_seconds: float = Field(
        default=0.5, gt=0, description="How often acknowledged offsets are committed"
    )
    outage_seconds_max: float = Field(
        default=900.0, gt=0, description="How long brokers may be away when the process starts, before it ends"
    )
    acknowledgement_seconds_max: float = Field(
        default=300.0, gt=0, description="Longest wait for the broker to take outputs, before the process ends"
    )
    log_check_interval_seconds: float = Field(
        default=15.0, gt=0, description="How often to ask whether the log is still the same topic"
    )
    stop_seconds_max: float = Field(
        default=8.0, gt=0, description="Longest wait, when stopping, for what is being done to be finished"
    )


class WorkerSettings(LaneSettings):
    """The worker's own: its group, and its checkpoints."""

    model_config = SettingsConfigDict(env_prefix="CERCLES_WORKER_", frozen=True)

    group: str = Field(
        default="cercles-worker", description="Consumer group; workers of one group share the partitions"
    )
    checkpoint_directory: Path | None = Field(
        default=None, description="Where to keep checkpoints; none: a restart folds the log from its beginning"
    )
    checkpoint_interval_seconds: float = Field(
        default=60.0, gt=0, description="How often a partition that has changed is checkpointed"
    )


class ResolverSettings(LaneSettings):
    """The resolver's own: its group. It keeps no checkpoints: a restart folds the payments' log from its beginning."""

    model_config = SettingsConfigDict(env_prefix="CERCLES_RESOLVER_", frozen=True)

    group: str = Field(
        default="cercles-resolver", description="Consumer group; resolvers of one group share the partitions"
    )
