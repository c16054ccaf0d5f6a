"""Settings of the sink and of the exporter, all from the environment."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.connections import DatabaseConnection, KafkaConnection


class SinkSettings(BaseSettings):
    """`CERCLES_SINK_…`: how the sink takes updates and dead letters over into the database."""

    model_config = SettingsConfigDict(env_prefix="CERCLES_SINK_", frozen=True, env_ignore_empty=True)

    kafka: KafkaConnection = Field(default_factory=KafkaConnection)
    database: DatabaseConnection = Field(default_factory=DatabaseConnection)
    group_id: str = Field(default="cercles-sinks", description="Consumer group that shares the partitions out")
    transaction_records_max: int = Field(default=2_000, ge=1, le=10_000, description="Most records of one transaction")
    transaction_bytes_max: int = Field(
        default=16 * 1024 * 1024,
        ge=1024 * 1024,
        le=256 * 1024 * 1024,
        description="Most bytes of one transaction's records; a single larger record is still taken. Those of two are "
        "in memory: one that ends, and the next",
    )
    session_timeout_seconds: float = Field(
        default=15.0, ge=2, le=300, description="Silence after which the group gives a sink's partitions to others"
    )
    poll_seconds: float = Field(default=0.5, gt=0, le=5, description="Longest wait for new records")
    lag_seconds: float = Field(
        default=5.0, gt=0, le=300, description="Seconds between two looks at how far behind the sink is"
    )
    retry_delay_seconds_max: float = Field(
        default=5.0, gt=0, le=60, description="Longest wait before trying again while a broker or database is away"
    )
    outage_seconds_max: float = Field(
        default=900.0,
        gt=0,
        description="How long a broker or database may be away before the sink ends with that error",
    )


class ExporterSettings(BaseSettings):
    """`CERCLES_EXPORTER_…`: where the metrics of the campaigns are served, and how many campaigns by name."""

    model_config = SettingsConfigDict(env_prefix="CERCLES_EXPORTER_", frozen=True, env_ignore_empty=True)

    database: DatabaseConnection = Field(default_factory=DatabaseConnection)
    host: str = Field(default="127.0.0.1", description="Address on which the campaigns' metrics are served")
    port: int = Field(default=9108, ge=0, le=65535, description="Port of the campaigns' metrics; 0: a free one")
    top_campaigns: int = Field(
        default=50,
        ge=0,
        le=1_000,
        description="Campaigns with series of their own, by pledged amount; the rest are summed as `other`",
    )
