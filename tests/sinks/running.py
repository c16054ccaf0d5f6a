"""A sink in a thread or in a process of its own, and what to do to it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final

from kafka import KafkaProducer
from pydantic import SecretStr
from sqlalchemy import text

from schemas.connections import DatabaseConnection, KafkaConnection
from schemas.topics import UPDATES
from schemas.updates import Progress, Update, encoder
from sinks.database import writing_engine
from sinks.process import SinkProcess
from sinks.settings import SinkSettings

WAIT_SECONDS_MAX: Final = 40.0
STOP_SECONDS_MAX: Final = 10.0

_PROGRAM: Final = """
import json, sys, threading
from pydantic import SecretStr
from schemas.connections import DatabaseConnection, KafkaConnection
from sinks.process import SinkProcess
from sinks.settings import SinkSettings
bootstrap, url, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
SinkProcess(
    SinkSettings(
        kafka=KafkaConnection(bootstrap_servers=bootstrap), database=DatabaseConnection(url=SecretStr(url)), **options
    )
).run(threading.Event())
"""


def sink_settings(bootstrap: str, url: str, **options: Any) -> SinkSettings:
    """Return settings of a quick sink in a group of that database's own."""
    return SinkSettings(
        kafka=KafkaConnection(bootstrap_servers=bootstrap),
        database=DatabaseConnection(url=SecretStr(url)),
        **_quick(url) | options,
    )


def _quick(url: str) -> dict[str, Any]:
    return {
        "group_id": f"sinks-of-{abs(hash(url))}",
        "poll_seconds": 0.1,
        "lag_seconds": 0.2,
        "retry_delay_seconds_max": 0.5,
    }


class RunningSink:
    """A sink in a thread."""

    def __init__(self, settings: SinkSettings) -> None:
        self.process = SinkProcess(settings)
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.process.run(self._stop)
        except BaseException as error:  # noqa: BLE001 - the test asks for it
            self.error = error

    def ended(self) -> BaseException | None:
        """Wait until it ends by itself; return with what."""
        self._thread.join(WAIT_SECONDS_MAX)
        alive = self._thread.is_alive()
        self.give_up()
        assert not alive, "the sink has not ended by itself"
        return self.error

    def give_up(self) -> None:
        """Stop it without a look at how: the test has failed already."""
        self._stop.set()
        self._thread.join(STOP_SECONDS_MAX)

    def stop(self) -> None:
        """Stop it in order. Fails when that takes too long, or when it ended with an error before."""
        self._stop.set()
        self._thread.join(STOP_SECONDS_MAX)
        assert not self._thread.is_alive(), "the sink did not stop in time"
        assert self.error is None, self.error

    def value(self, metric: str, **labels: str) -> float | None:
        """Return one of its metrics."""
        return self.process.registry.get_sample_value(metric, labels)

    def until_ready(self) -> None:
        until(lambda: self.error is not None or self.process.not_ready() is None)
        assert self.error is None, self.error


@contextmanager
def running(settings: SinkSettings) -> Iterator[RunningSink]:
    """Run a sink until the end of the block, and see it stop in time."""
    sink = RunningSink(settings)
    try:
        yield sink
    except BaseException:
        sink.give_up()
        raise
    sink.stop()


@contextmanager
def sink_program(bootstrap: str, url: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a sink in a process of its own, that can be killed; at the end of the block it is."""
    program = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, bootstrap, url, json.dumps(_quick(url) | options)],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield program
    finally:
        program.kill()
        program.wait(WAIT_SECONDS_MAX)


def produce(bootstrap: str, topic: str, partition: int, records: Sequence[tuple[Any, ...]]) -> list[int]:
    """Append records (value, key, headers) to a partition; return their offsets."""
    with closing(KafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)) as producer:
        futures = [
            producer.send(topic, value=value, key=key, headers=headers, partition=partition)
            for value, key, headers in records
        ]
        producer.flush(WAIT_SECONDS_MAX)
        return [future.get(WAIT_SECONDS_MAX).offset for future in futures]


def say(bootstrap: str, *messages: Update | Progress) -> list[int]:
    """Append updates and progress records, each to its partition."""
    offsets = []
    for partition in sorted({message.partition for message in messages}):
        values = [encoder.encode(message) for message in messages if message.partition == partition]
        offsets += produce(bootstrap, UPDATES.name, partition, [(value, None, []) for value in values])
    return offsets


def until(condition: Callable[[], object]) -> None:
    """Wait for it, for a bounded time."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def positions_of(url: str, topic: str = UPDATES.name) -> dict[int, int]:
    """Return the next offsets that the database has for a topic."""
    engine = writing_engine(url)
    try:
        with engine.connect() as connection:
            found = connection.execute(
                text("SELECT partition_number, next_offset FROM sink_positions WHERE topic = :topic"), {"topic": topic}
            ).all()
    finally:
        engine.dispose()
    return {partition: next_offset for partition, next_offset in found if next_offset}
