"""How to reach Kafka and the database, from the environment."""

import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from schemas.connections import DatabaseConnection, KafkaConnection

SASL = {"SASL_MECHANISM": "SCRAM-SHA-512", "SASL_USERNAME": "cercles", "SASL_PASSWORD": "a-secret"}


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("BOOTSTRAP_SERVERS", "SECURITY_PROTOCOL", "CA_FILE", *SASL):
        monkeypatch.delenv(f"CERCLES_KAFKA_{name}", raising=False)
    monkeypatch.delenv("CERCLES_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)


def _set(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"CERCLES_KAFKA_{name}", value)


def test_without_settings_it_is_the_broker_of_this_machine() -> None:
    """In plain text, to the loopback address."""
    connection = KafkaConnection()
    assert connection.client_options() == {
        "bootstrap_servers": ["127.0.0.1:9092"],
        "security_protocol": "PLAINTEXT",
    }
    assert connection.ssl_context() is None


def test_brokers_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Kafka's own clients write them."""
    _set(monkeypatch, BOOTSTRAP_SERVERS="one:9092,two:9092")
    assert KafkaConnection().client_options()["bootstrap_servers"] == ["one:9092", "two:9092"]


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("missing", SASL)
def test_a_sasl_protocol_needs_all_of_its_settings(
    monkeypatch: pytest.MonkeyPatch, protocol: str, missing: str
) -> None:
    """Half of a login is a mistake, said at the start and not by the broker."""
    _set(monkeypatch, SECURITY_PROTOCOL=protocol, **{name: value for name, value in SASL.items() if name != missing})
    with pytest.raises(ValidationError, match="CERCLES_KAFKA_SASL_PASSWORD"):
        KafkaConnection()


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_a_sasl_protocol_logs_in(monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    """By the names that kafka-python and aiokafka share."""
    _set(monkeypatch, SECURITY_PROTOCOL=protocol, **SASL)
    options = KafkaConnection().client_options()
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["sasl_plain_username"] == "cercles"
    assert options["sasl_plain_password"] == "a-secret"


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_a_protocol_with_tls_has_a_context_that_verifies(monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    """Without one, SASL would silently mean plain text."""
    _set(monkeypatch, SECURITY_PROTOCOL=protocol, **SASL)
    context = KafkaConnection().client_options()["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_a_protocol_without_tls_has_none(monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    """Nothing pretends to be encrypted."""
    _set(monkeypatch, SECURITY_PROTOCOL=protocol, **SASL)
    assert "ssl_context" not in KafkaConnection().client_options()


def test_the_authority_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that is not there is an error at the start."""
    _set(monkeypatch, SECURITY_PROTOCOL="SSL", CA_FILE=str(tmp_path / "ca.pem"))
    with pytest.raises(FileNotFoundError):
        KafkaConnection().ssl_context()


@pytest.mark.parametrize(("name", "value"), [("SECURITY_PROTOCOL", "TLS"), ("SASL_MECHANISM", "GSSAPI")])
def test_an_unknown_choice_is_an_error(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """What no client of ours can do is not accepted."""
    _set(monkeypatch, **{name: value})
    with pytest.raises(ValidationError):
        KafkaConnection()


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the password nor the database's URL, which may hold one, in logs or errors."""
    _set(monkeypatch, SECURITY_PROTOCOL="SASL_PLAINTEXT", **SASL)
    monkeypatch.setenv("CERCLES_DATABASE_URL", "postgresql+psycopg://cercles:a-secret@db/cercles")
    shown = f"{KafkaConnection()!r} {KafkaConnection()} {DatabaseConnection()!r} {DatabaseConnection()}"
    assert "a-secret" not in shown
    assert DatabaseConnection().url.get_secret_value().endswith("@db/cercles")


def test_the_database_is_a_file_by_default() -> None:
    """SQLite, in the working directory."""
    assert DatabaseConnection().url == SecretStr("sqlite:///cercles.db")
