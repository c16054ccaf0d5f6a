"""The oracle is itself tested: it must notice a worker from which one of the things that make it exact was taken."""

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from kafka import KafkaProducer
from sqlalchemy import Engine

from schemas.failure_points import FailurePoint
from schemas.topics import LOG
from tests.faults.oracle import Oracle, Verdict
from tests.faults.processes import Fleet
from tests.faults.receipts import Receipt, Receipts
from tests.faults.saboteur import RUNNER, VARIABLE
from tests.faults.stored import has_applied
from tests.pipeline.stories import story
from tests.worker.pipeline import log_ends

SEED = 20_260_401
CAMPAIGNS = 8
PLEDGES = 12
ARRIVAL_SECONDS_MAX = 60


@pytest.fixture
def database_kind() -> str:
    """The worker is what is wrong here: any database shows it."""
    return "sqlite"


@pytest.fixture
def fleet(topics: str, migrated_url: str, tmp_path: Path) -> Iterator[Fleet]:
    """A sink, and room for workers; gone afterwards, whatever happens."""
    kafka = {"CERCLES_KAFKA_BOOTSTRAP_SERVERS": topics}
    environments = {
        "sink": kafka | {"CERCLES_DATABASE_URL": migrated_url},
        "worker": kafka
        | {
            "CERCLES_WORKER_SESSION_TIMEOUT_SECONDS": "6",
            "CERCLES_WORKER_BATCH_EVENTS_MAX": "40",
            "CERCLES_WORKER_CHECKPOINT_DIRECTORY": str(tmp_path / "checkpoints"),
        },
    }
    fleet = Fleet(environments, tmp_path)
    fleet.start(["sink"])
    yield fleet
    fleet.kill()


def tell(bootstrap: str, receipts: Receipts, campaign_prefix: str) -> None:
    """Write some campaigns to the log, and keep the broker's word for each record."""
    chance = random.Random(f"{SEED} {campaign_prefix}")
    with closing(KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)) as producer:
        sent = [
            (value, producer.send(LOG.name, key=key.encode(), value=value))
            for number in range(CAMPAIGNS)
            for key, value in story(f"{campaign_prefix}-{number}", PLEDGES, chance)
        ]
        producer.flush()
    receipts.add([Receipt.of(value, future.get()) for value, future in sent])


Trial = Callable[[str, dict[FailurePoint, int]], Verdict]


@pytest.fixture
def trial(fleet: Fleet, topics: str, engine: Engine, tmp_path: Path) -> Trial:
    """Put a sabotage on trial: tell of it, and of the points at which the first worker is killed."""
    return partial(verdict_on, fleet=fleet, bootstrap=topics, engine=engine, directory=tmp_path)


def verdict_on(
    sabotage: str, points: dict[FailurePoint, int], *, fleet: Fleet, bootstrap: str, engine: Engine, directory: Path
) -> Verdict:
    """Let a worker with that sabotage work until it dies, and another like it after that; then ask the oracle."""
    receipts = Receipts(directory / "receipts")
    with closing(receipts):
        tell(bootstrap, receipts, "first")
        environment = {VARIABLE: sabotage}
        victim = fleet.add("worker", program=RUNNER, environment=environment, points=points)
        if points:
            fleet.wait_until(lambda: victim.exit_code() is not None, "the worker is dead", ARRIVAL_SECONDS_MAX)
            assert victim.exit_code() == -9, victim.log.read_text(encoding="utf-8")[-2000:]
            fleet.add("worker", program=RUNNER, environment=environment)
        tell(bootstrap, receipts, "second")
        ends = log_ends(bootstrap)
        fleet.wait_until(lambda: has_applied(engine, ends), f"the database has {ends}", ARRIVAL_SECONDS_MAX)
        return Oracle(bootstrap, engine).judge(receipts.read())


SABOTAGES: list[tuple[str, dict[FailurePoint, int]]] = [
    ("without_deduplication", {}),
    ("acknowledged_before_the_outputs", {"worker.before_outputs": 2}),
    ("silent_up_to_the_batch", {"worker.before_outputs": 2}),
    ("checkpoint_before_the_outputs", {"worker.before_outputs": 2}),
]


@pytest.mark.parametrize(("sabotage", "points"), SABOTAGES, ids=[name for name, _ in SABOTAGES])
def test_the_oracle_notices_a_sabotaged_worker(sabotage: str, points: dict[FailurePoint, int], trial: Trial) -> None:
    """Something accepted is lost, or something counts twice, and the complaints say so."""
    verdict = trial(sabotage, points)
    assert not verdict.is_good
    assert verdict.complaints
    assert verdict.duplicated if sabotage == "without_deduplication" else verdict.lost


def test_the_oracle_is_content_with_an_honest_worker(trial: Trial) -> None:
    """Killed at the same point, and with Faust dropping deliveries, it loses nothing: the sabotage is what shows."""
    verdict = trial("skipping_deliveries", {"worker.before_outputs": 2})
    assert verdict.is_good, verdict
    assert verdict.accepted == verdict.applied + verdict.dead > 0


def test_the_oracle_misses_what_was_accepted_and_never_came(topics: str, engine: Engine) -> None:
    """A receipt for what the log does not hold, or holds as another event, is a loss."""
    verdict = Oracle(topics, engine).judge([Receipt(0, 5, "event-1"), Receipt(0, 5, "event-2")])
    assert (verdict.accepted, verdict.lost) == (1, 1)
    assert any("two events" in complaint for complaint in verdict.complaints)
