"""Launching campaigns at a gateway, and holding back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from producers.sending import Gateway, GatewayAwayError, Launcher, Pace, RefusedError
from tests.ledger.events import launch

TERMS = launch(campaign="les-anges-anonymes").data


class Recorder:
    """A gateway that gives these answers, and keeps what it was asked."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answers.pop(0)

    @contextmanager
    def launcher(self) -> Iterator[Launcher]:
        with httpx.Client(transport=httpx.MockTransport(self)) as client:
            yield Launcher(Gateway(client, "http://gateway/", sleep=self.waits.append), "the-key")


def taken() -> httpx.Response:
    return httpx.Response(202, json={"accepted": [{"id": "launch:1", "position": "2:7"}]})


def test_a_campaign_is_put_under_its_id_with_the_admin_key() -> None:
    """The id stands in the path, all other terms in the body."""
    gateway = Recorder(taken())
    with gateway.launcher() as launcher:
        assert launcher.launch(TERMS).position == "2:7"
    [request] = gateway.asked
    assert (request.method, str(request.url)) == ("PUT", "http://gateway/v1/campaigns/les-anges-anonymes")
    assert request.headers["authorization"] == "Bearer the-key"
    body = json.loads(request.content)
    assert body["goal_minor"] == 1_500_000
    assert "campaign_id" not in body


def test_a_launch_is_repeated_while_the_gateway_asks_for_patience() -> None:
    """As long as it asks for."""
    gateway = Recorder(httpx.Response(503, headers={"retry-after": "3"}), httpx.Response(429), taken())
    with gateway.launcher() as launcher:
        launcher.launch(TERMS)
    assert gateway.waits == [3, 1.0]


def test_patience_ends() -> None:
    """After a bounded number of attempts, with the last answer."""
    gateway = Recorder(*[httpx.Response(503)] * 8)
    with gateway.launcher() as launcher, pytest.raises(GatewayAwayError, match="8 attempts; the last: HTTP 503"):
        launcher.launch(TERMS)


def test_a_refused_launch_names_the_campaign_and_the_reason() -> None:
    """It is not tried again."""
    gateway = Recorder(httpx.Response(401, json={"detail": "This door needs the admin key"}))
    with (
        gateway.launcher() as launcher,
        pytest.raises(RefusedError, match="campaign les-anges-anonymes: HTTP 401: This door needs the admin key"),
    ):
        launcher.launch(TERMS)


class FakeTime:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


def test_a_pace_is_kept_from_the_beginning() -> None:
    """What is sent takes its share of the second, and the next waits for it."""
    time = FakeTime()
    pace = Pace(50, clock=time.clock, sleep=time.sleep)
    for _ in range(3):
        pace.wait(100)
    assert time.slept == [2.0, 2.0]


def test_time_spent_otherwise_counts_and_lost_time_is_lost() -> None:
    """After a gateway's pause there is no burst."""
    time = FakeTime()
    pace = Pace(50, clock=time.clock, sleep=time.sleep)
    pace.wait(100)
    time.seconds += 1.5
    pace.wait(100)
    time.seconds += 60
    pace.wait(100)
    pace.wait(100)
    assert time.slept == [0.5, 2.0]
