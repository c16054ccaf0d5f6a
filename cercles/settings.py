"""Settings of the command itself: operations address, logs, topics, `cercles send`. All from the environment."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.topics import PARTITIONS_DEFAULT


class OperationsSettings(BaseSettings):
    """`CERCLES_OPERATIONS_…`: where a process answers `/healthz`, `/readyz` and `/metrics`, and when it gives up."""

    model_config = SettingsConfigDict(env_prefix="CERCLES_OPERATIONS_", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address on which each process serves health and metrics")
    port: int = Field(
        default=0, ge=0, le=65535, description="Port of health and metrics; 0: a free one, which the log then names"
    )
    stall_seconds_max: float = Field(
        default=120.0,
        ge=1,
        description="Longest time without progress while there is something to do, before the process ends; well above "
        "the longest single wait, such as 30 s for a statement of the sink",
    )


class LogSettings(BaseSettings):
    """`CERCLES_LOG_…`: how a process writes its log, always to standard error."""

    model_config = SettingsConfigDict(env_prefix="CERCLES_LOG_", frozen=True)

    format: Literal["console", "json"] = Field(
        default="console", description="`console` for people, `json` (one object a line) for machines"
    )
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level of our own messages; libraries never go below INFO"
    )


class TopicsSettings(BaseSettings):
    """`CERCLES_TOPICS_…`: how `cercles topics` makes what schemas/topics.py declares. Defaults are for production."""

    model_config = SettingsConfigDict(env_prefix="CERCLES_TOPICS_", frozen=True)

    partitions: int = Field(
        default=PARTITIONS_DEFAULT, ge=1, le=10_000, description="Partitions of each topic; never changes afterwards"
    )
    replication_factor: int = Field(default=3, ge=1, le=10, description="Copies of each partition")
    min_insync_replicas: int = Field(
        default=2, ge=1, le=10, description="Copies that must have a record before it counts as written"
    )
    flush_messages: int | None = Field(
        default=None, ge=1, description="Records after which a broker forces the disk; 1 for a broker without replicas"
    )


class SendSettings(BaseSettings):
    """`CERCLES_SEND_…`: what `cercles send` and `cercles simulate` prove themselves with."""

    model_config = SettingsConfigDict(env_prefix="CERCLES_SEND_", frozen=True)

    secret: SecretStr | None = Field(
        default=None, description="The source's secret (`whsec_…`), with which events are signed"
    )
    admin_key: SecretStr | None = Field(
        default=None, description="The gateway's admin key, with which `cercles simulate` launches campaigns"
    )
