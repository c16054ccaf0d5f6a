"""Settings of a reader, from the environment."""

from typing import Final

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.connections import DatabaseConnection

WAIT_SECONDS_MAX: Final = 60.0
"""Longest that `wait_for` may be set to wait: beyond it, proxies on the way give up first."""

HEARTBEAT_SECONDS_MAX: Final = 20.0
"""Rarest that heartbeats may be set to come: the live page takes 25 s of silence for a broken connection."""

PAGE_SIZE_DEFAULT: Final = 100
PAGE_SIZE_MAX: Final = 500
"""Most rows of one page, in the API and in the entries of one event."""


class ReaderSettings(BaseSettings):
    """`CERCLES_READER_…`: where the HTTP API listens, who may read entries, and its bounds."""

    # An empty variable, as compose files make them, is no variable: an empty key would let everybody in.
    model_config = SettingsConfigDict(env_prefix="CERCLES_READER_", frozen=True, env_ignore_empty=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on; loopback unless told otherwise")
    port: int = Field(default=8081, ge=0, le=65535, description="Port to listen on; 0: a free one, which the log names")
    key: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="Bearer token that /entries and /events ask for; none: both answer 403",
    )
    wait_seconds: float = Field(
        default=10.0, gt=0, le=WAIT_SECONDS_MAX, description="Longest wait of `wait_for`, in seconds; then 504"
    )
    wait_poll_seconds: float = Field(
        default=0.01, ge=0.005, le=5, description="Seconds between two looks at the database on behalf of all who wait"
    )
    waiters: int = Field(default=256, ge=0, le=10_000, description="Most requests that wait at once; beyond it 503")
    streams: int = Field(default=256, ge=0, le=10_000, description="Most streams at once; beyond it 503")
    stream_poll_seconds: float = Field(
        default=0.5,
        ge=0.01,
        le=60,
        description="Seconds between two looks at a campaign on behalf of all who follow it",
    )
    stream_heartbeat_seconds: float = Field(
        default=10.0,
        gt=0,
        le=HEARTBEAT_SECONDS_MAX,
        description="Longest silence of a stream, in seconds: then it sends a heartbeat",
    )
    stream_seconds: float = Field(
        default=3600.0,
        gt=0,
        le=86_400,
        description="Longest time of one stream, in seconds; the client then comes back",
    )
    reads_at_once: int = Field(default=8, ge=1, le=64, description="Threads, and connections to the database")
    reads_queued: int = Field(
        default=256, ge=0, le=10_000, description="Most reads that stand in line for a thread; beyond it 503"
    )
    read_seconds: float = Field(
        default=5.0, gt=0, le=60, description="Longest time for reaching the database, and for one statement in it"
    )
    connections: int = Field(default=1024, ge=1, le=65_535, description="Most HTTP connections; beyond it 503")
    database: DatabaseConnection = Field(default_factory=DatabaseConnection)
