"""Settings of the gateway and of the clock, all from the environment."""

import base64
import binascii
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.connections import DatabaseConnection, KafkaConnection

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how every secret begins, not one
SOURCE_SECRET_BYTES_MIN: Final = 24
SOURCE_SECRET_BYTES_MAX: Final = 64
STRIPE_SECRET_LENGTH_MIN: Final = 16
KEY_LENGTH_MIN: Final = 16
PUBLISH_SECONDS_MAX: Final = 6.0
"""Longest that an answer may wait for the broker: a stopping gateway still finishes what is under way within 10 s."""


def _standard_webhooks_secret(secret: SecretStr) -> SecretStr:
    """Refuse what is not a secret as Standard Webhooks writes it: `whsec_` and the base64 of 24 to 64 bytes.

    Source: the Standard Webhooks specification, section "Signature scheme".
    """
    text = secret.get_secret_value()
    encoded = text.removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(SECRET_PREFIX) or not SOURCE_SECRET_BYTES_MIN <= len(key) <= SOURCE_SECRET_BYTES_MAX:
        raise ValueError(
            f"a secret is {SECRET_PREFIX} and the base64 of {SOURCE_SECRET_BYTES_MIN} to "
            f"{SOURCE_SECRET_BYTES_MAX} bytes"
        )
    return secret


def _stripe_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text.startswith(SECRET_PREFIX) or len(text) < len(SECRET_PREFIX) + STRIPE_SECRET_LENGTH_MIN:
        raise ValueError(f"a signing secret of Stripe begins with {SECRET_PREFIX}, as its dashboard shows it")
    return secret


def _pages(url: HttpUrl) -> HttpUrl:
    if url.query is not None or url.fragment is not None:
        raise ValueError("the address of the campaigns' pages has neither a query nor a fragment")
    return url


NAME_PATTERN: Final = r"^[A-Za-z0-9._-]{1,64}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""A source or an account, as it stands in paths, in the `source` of events and in metrics."""


class SourceSecrets(BaseModel):
    """What a source signs with. `previous` is accepted too, so that a secret can be changed without losing an event."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    current: Annotated[SecretStr, AfterValidator(_standard_webhooks_secret)]
    previous: Annotated[SecretStr, AfterValidator(_standard_webhooks_secret)] | None = None


class StripeSecrets(BaseModel):
    """The signing secrets of an account's webhook endpoint: Stripe too keeps the previous one alive for a while."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    current: Annotated[SecretStr, AfterValidator(_stripe_secret)]
    previous: Annotated[SecretStr, AfterValidator(_stripe_secret)] | None = None


class PseudonymSettings(BaseSettings):
    """`CERCLES_PSEUDONYM_KEY`: the one key of all pseudonyms. A new key makes every backer another one."""

    model_config = SettingsConfigDict(
        env_prefix="CERCLES_PSEUDONYM_", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    key: SecretStr = Field(
        min_length=KEY_LENGTH_MIN, description="Key of the pseudonyms of backers, sharers and owners; never change it"
    )


class GatewaySettings(BaseSettings):
    """`CERCLES_GATEWAY_…`: where the doors listen, who may knock, and their bounds."""

    model_config = SettingsConfigDict(
        env_prefix="CERCLES_GATEWAY_", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on; loopback unless told otherwise")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0: a free one, which the log names")
    admin_key: SecretStr = Field(
        min_length=KEY_LENGTH_MIN, description="Bearer token for launching campaigns and for minting share links"
    )
    sources: dict[Name, SourceSecrets] = Field(
        default={},
        description='Sources by name, with their secrets: {"NAME": {"current": "whsec_…", "previous": "whsec_…"}}',
    )
    stripe_accounts: dict[Name, StripeSecrets] = Field(
        default={},
        description='Stripe accounts by a name of ours, with the signing secrets of their webhook endpoint: {"NAME": '
        '{"current": "whsec_…", "previous": "whsec_…"}}',
    )
    campaign_pages: Annotated[HttpUrl, AfterValidator(_pages)] | None = Field(
        default=None,
        description="Where the campaigns' own pages are, such as https://cercles.example/campaigns: share links lead "
        "to this address with a slash, the campaign's id and `?share_token=`, which the page has to hand on to its "
        "checkout, so that it comes back with the pledge (the reader's live page does not); without it there are no "
        "such links",
    )
    publish_seconds: float = Field(
        default=PUBLISH_SECONDS_MAX,
        gt=0,
        le=PUBLISH_SECONDS_MAX,
        description="Longest wait for the broker's acknowledgement; then 503",
    )
    in_flight_events_max: int = Field(
        default=50_000, ge=1, le=1_000_000, description="Most events that wait for the broker at once; beyond it 503"
    )
    in_flight_bytes_max: int = Field(
        default=64 * 1024 * 1024,
        ge=2 * 1024 * 1024,
        le=1024**3,
        description="Most bytes of events that wait for the broker at once; beyond it 503",
    )
    requests_max: int = Field(
        default=256, ge=1, le=10_000, description="Most requests under way at once; beyond it 503"
    )
    body_seconds: float = Field(
        default=5.0, gt=0, le=60, description="Longest that a request's body may take; then 408"
    )
    kafka: KafkaConnection = Field(default_factory=KafkaConnection)
    # The environment gives the key, which mypy does not know.
    pseudonym: PseudonymSettings = Field(default_factory=lambda: PseudonymSettings())  # type: ignore[call-arg]  # noqa: PLW0108


class ClockSettings(BaseSettings):
    """`CERCLES_CLOCK_…`: how often the clock looks for campaigns whose settling time has passed."""

    model_config = SettingsConfigDict(env_prefix="CERCLES_CLOCK_", frozen=True, env_ignore_empty=True)

    interval_seconds: float = Field(
        default=5.0, gt=0, le=3600, description="Seconds between two looks at the campaigns' deadlines"
    )
    republish_after_seconds: float = Field(
        default=60.0,
        gt=0,
        le=24 * 3600,
        description="Seconds after which a close whose outcome is still not in the database is said again",
    )
    publish_seconds: float = Field(
        default=PUBLISH_SECONDS_MAX,
        gt=0,
        le=PUBLISH_SECONDS_MAX,
        description="Longest wait for the broker's acknowledgement before the clock tries again at its next look",
    )
    kafka: KafkaConnection = Field(default_factory=KafkaConnection)
    database: DatabaseConnection = Field(default_factory=DatabaseConnection)
