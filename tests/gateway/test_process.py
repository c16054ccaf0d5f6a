"""The gateway as the process that `cercles gateway` runs: with a real broker, from start to stop."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from pydantic import ValidationError

from producers.blocking import CLOSE_SECONDS_MAX
from producers.gateway.process import GatewayProcess
from producers.gateway.server import FINISH_SECONDS_MAX
from producers.lane import END_SECONDS_MAX
from producers.settings import GatewaySettings, PseudonymSettings, SourceSecrets, StripeSecrets
from schemas.connections import KafkaConnection
from tests.gateway import knocking
from tests.gateway.knocking import captured, send
from tests.gateway.test_publisher import wait_until

STOP_SECONDS_MAX = 10


@contextmanager
def running(process: GatewayProcess) -> Iterator[httpx.Client]:
    """Run the process, and check that it stops in time."""
    host, port = process.bind()
    stop = threading.Event()
    thread = threading.Thread(target=process.run, args=(stop,))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=10) as client:
            yield client
    finally:
        began = time.monotonic()
        stop.set()
        thread.join(STOP_SECONDS_MAX)
        assert not thread.is_alive(), f"not stopped after {time.monotonic() - began} s"


def test_events_go_through_to_the_broker(topics: str) -> None:
    """Ready once the broker is there; a batch is accepted with positions of the real log; metrics say so."""
    process = GatewayProcess(knocking.settings(kafka=KafkaConnection(bootstrap_servers=topics)))
    assert process.not_ready() is not None
    with running(process) as client:
        wait_until(lambda: process.not_ready() is None)
        answer = send(client, [captured(number) for number in range(20)])
        assert answer.status_code == 202
        offsets = [int(one["position"].split(":")[1]) for one in answer.json()["accepted"]]
        assert offsets == list(range(20))
    published = process.registry.get_sample_value(
        "cercles_published_events_total", {"topic": "cercles.campaign-events"}
    )
    assert published == 20


def test_visits_are_told_before_it_ends(topics: str) -> None:
    """What was counted since the last turn goes to the broker with the stop."""
    process = GatewayProcess(knocking.settings(kafka=KafkaConnection(bootstrap_servers=topics)))
    with running(process) as client:
        wait_until(lambda: process.not_ready() is None)
        minted = client.post(
            f"/v1/campaigns/{knocking.CAMPAIGN}/shares",
            json={"sharer_id": "sharer-1", "network": "mail"},
            headers=knocking.admin_headers(),
        )
        for _ in range(3):
            assert client.get(minted.raise_for_status().json()["path"]).status_code == 302
    published = process.registry.get_sample_value(
        "cercles_published_events_total", {"topic": "cercles.campaign-events"}
    )
    assert published == 2, "the link, and its visits in one event"


def test_without_a_broker_it_serves_and_says_why_it_is_not_ready() -> None:
    """Starting before its broker, the gateway answers 503 and comes up by itself later."""
    process = GatewayProcess(knocking.settings(kafka=KafkaConnection(bootstrap_servers="127.0.0.1:9")))
    with running(process) as client:
        wait_until(lambda: "127.0.0.1:9" in (process.not_ready() or ""))
        assert send(client, captured()).status_code == 503


def test_all_that_a_stop_waits_for_fits_into_its_bound() -> None:
    """Requests under way first, then what the lane does; for who has a thread, a publication and then the lane."""
    assert FINISH_SECONDS_MAX + END_SECONDS_MAX < STOP_SECONDS_MAX
    assert CLOSE_SECONDS_MAX < STOP_SECONDS_MAX


def test_a_socket_can_be_given() -> None:
    """Whoever starts the gateway may have bound its address already."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = listening.getsockname()
    process = GatewayProcess(knocking.settings(), listening)
    assert process.bind() == address
    stopped = threading.Event()
    stopped.set()
    process.run(stopped)


def test_a_taken_address_ends_the_process() -> None:
    """There is nothing to wait for."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = GatewayProcess(knocking.settings(port=taken.getsockname()[1]))
        with pytest.raises(OSError, match="in use"):
            process.run(threading.Event())


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "whsec_not base64 at all!!!!!!!!!!!!!!", "whsec_c2hvcnQ="],
)
def test_secrets_of_sources_are_checked_at_the_start(secret: str) -> None:
    """A secret that could verify nothing, or everything, is refused, and not shown."""
    with pytest.raises(ValidationError) as caught:
        SourceSecrets.model_validate({"current": secret})
    assert secret in {"", "whsec_"} or secret not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "whsec_", "sk_live_0123456789abcdef"])
def test_secrets_of_stripe_are_checked_at_the_start(secret: str) -> None:
    """An API key is no signing secret."""
    with pytest.raises(ValidationError):
        StripeSecrets.model_validate({"current": secret})


@pytest.mark.parametrize("name", ["", "a/b", "a b", "x" * 65, "a\n"])
def test_names_of_sources_are_checked_at_the_start(name: str) -> None:
    """They stand in paths, on the log and in metrics."""
    with pytest.raises(ValidationError):
        knocking.settings(sources={name: {"current": knocking.SOURCE_SECRET}})


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/reference/settings.md has them."""
    monkeypatch.setenv("CERCLES_GATEWAY_ADMIN_KEY", knocking.ADMIN_KEY)
    monkeypatch.setenv("CERCLES_PSEUDONYM_KEY", knocking.PSEUDONYM_KEY)
    monkeypatch.setenv("CERCLES_GATEWAY_SOURCES", f'{{"shop": {{"current": "{knocking.SOURCE_SECRET}"}}}}')
    monkeypatch.setenv("CERCLES_GATEWAY_STRIPE_ACCOUNTS", f'{{"acme": {{"current": "{knocking.STRIPE_SECRET}"}}}}')
    found = GatewaySettings()  # type: ignore[call-arg]  # from the environment
    assert list(found.sources) == ["shop"]
    assert list(found.stripe_accounts) == ["acme"]
    assert knocking.SOURCE_SECRET not in repr(found)


def test_the_pseudonym_key_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it people could not be kept apart, or not kept secret."""
    monkeypatch.delenv("CERCLES_PSEUDONYM_KEY", raising=False)
    with pytest.raises(ValidationError):
        PseudonymSettings.model_validate({})
