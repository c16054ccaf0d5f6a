"""A real Prometheus scrapes the real processes: every panel has data, every alert fires under its fault and clears."""

import math
import shutil
import time
from collections.abc import Callable, Iterator

import pytest

from cercles.embedded.kafka import EmbeddedKafka
from tests.conftest import make_topics
from tests.monitoring.faults import FAULTS, Fault
from tests.monitoring.files import alerts, expressions
from tests.monitoring.scene import Scene
from tests.monitoring.scene import scene as set_scene

VARIABLES = {"$__rate_interval": "5s", "$campaign": ".*"}
"""What Grafana puts in their place."""


@pytest.fixture(scope="module")
def scene(kafka_broker: EmbeddedKafka) -> Iterator[Scene]:
    """Every process on real servers, with traffic, and nothing wrong."""
    if shutil.which("prometheus") is None:
        pytest.skip("needs Prometheus (Debian, Ubuntu: apt-get install prometheus)")
    make_topics(kafka_broker.bootstrap_servers)
    with set_scene(kafka_broker) as everything:
        everything.until_quiet()
        yield everything


def test_every_expression_of_a_dashboard_returns_data(scene: Scene) -> None:
    """No panel stays empty while everything is as it should be."""
    empty = dict(expressions())
    deadline = time.monotonic() + 30
    while empty and time.monotonic() < deadline:
        empty = {name: expression for name, expression in empty.items() if not has_data(scene, expression)}
        time.sleep(0.2)
    assert empty == {}


def has_data(scene: Scene, expression: str) -> bool:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return any(not math.isnan(float(sample["value"][1])) for sample in scene.prometheus.ask(expression))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_alerts_fire_under_their_fault_and_clear_after_it(
    scene: Scene, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    """Nothing fires before; then what has to; and nothing any more once the fault is gone."""
    scene.until_quiet()
    started = time.monotonic()
    with fault.inflict(scene):
        scene.until_firing(set(fault.alerts))
        fired = time.monotonic()
        record_property("fired_seconds", round(fired - started, 1))
    mended = time.monotonic()
    scene.until_quiet()
    record_property("cleared_seconds", round(time.monotonic() - mended, 1))


def test_every_alert_has_a_fault() -> None:
    """No alert is left that nobody has seen firing."""
    assert {alert for fault in FAULTS for alert in fault.alerts} == alerts().keys()
