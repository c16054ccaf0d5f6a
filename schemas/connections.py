"""How to reach Kafka and the database: the settings that several folders need, read from the environment."""

import ssl
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class KafkaConnection(BaseSettings):
    """`CERCLES_KAFKA_…`: the brokers and how to prove who we are."""

    model_config = SettingsConfigDict(env_prefix="CERCLES_KAFKA_", frozen=True)

    bootstrap_servers: str = Field(default="127.0.0.1:9092", description="Brokers, as host:port, separated by commas")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How to talk to the brokers"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, description="How to log in, when the protocol is SASL"
    )
    sasl_username: str | None = Field(default=None, description="Who logs in")
    sasl_password: SecretStr | None = Field(default=None, description="The password")
    ca_file: Path | None = Field(default=None, description="The brokers' certificate authority; none: the system's")

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> "KafkaConnection":
        if self.security_protocol.startswith("SASL") and None in (
            self.sasl_mechanism,
            self.sasl_username,
            self.sasl_password,
        ):
            raise ValueError(
                "a SASL protocol needs CERCLES_KAFKA_SASL_MECHANISM, CERCLES_KAFKA_SASL_USERNAME and "
                "CERCLES_KAFKA_SASL_PASSWORD"
            )
        return self

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return the TLS context, or None where the protocol has no TLS."""
        if not self.security_protocol.endswith("SSL"):
            return None
        return ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))

    def client_options(self) -> dict[str, Any]:
        """Return what every client of kafka-python and of aiokafka takes: both use the same names."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "security_protocol": self.security_protocol,
        }
        context = self.ssl_context()
        if context is not None:
            options["ssl_context"] = context
        if self.sasl_mechanism is not None and self.sasl_password is not None:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password.get_secret_value(),
            }
        return options


class DatabaseConnection(BaseSettings):
    """`CERCLES_DATABASE_URL`: where the rows are."""

    model_config = SettingsConfigDict(env_prefix="CERCLES_DATABASE_", frozen=True)

    url: SecretStr = Field(
        default=SecretStr("sqlite:///cercles.db"),
        description="SQLAlchemy URL: sqlite:///PATH, or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME",
    )
