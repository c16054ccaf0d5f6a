"""What tests of the resolver's process need: events onto both logs, resolvers as processes, and what they have said."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from schemas.events import Decoding, LogEvent, encode
from schemas.failure_points import VARIABLE, FailurePoint
from schemas.payments import PaymentEvent
from schemas.topics import LOG, PARTITIONS_EMBEDDED, PAYMENTS
from tests.worker.pipeline import Worker, read_all

GROUP = "resolver-test"


@dataclass
class Resolvers:
    """Starts resolvers, and ends those that are left."""

    bootstrap: str
    directory: Path
    _started: list[Worker] = field(default_factory=list)

    def start(self, point: FailurePoint | None = None) -> Worker:
        """Start one as operations does; one that is given a failure point dies when it first gets there."""
        armed = {} if point is None else {VARIABLE: f"{point}=1"}
        settings = {
            "CERCLES_RESOLVER_GROUP": GROUP,
            "CERCLES_RESOLVER_SESSION_TIMEOUT_SECONDS": "6",
            "CERCLES_OPERATIONS_PORT": "0",
        }
        log = self.directory / f"resolver-{len(self._started)}.log"
        process = Worker(self.bootstrap, log, program=("-m", "cercles", "resolver"), **settings, **armed)
        self._started.append(process)
        return process

    def stop(self, process: Worker) -> None:
        """End one by SIGTERM, which must do."""
        code, _ = process.stop()
        assert code == 0, "\n".join(log.read_text() for log in self.directory.glob("resolver-*.log"))

    def end(self) -> None:
        """Kill what is left."""
        for process in self._started:
            process.kill()


@dataclass
class Gateway:
    """Writes to the logs, as the gateway does."""

    producer: KafkaProducer

    def tell(self, *events: PaymentEvent, at_ms: int | None = None) -> None:
        """Append to the payments' log, as if at that time."""
        self.tell_all(events, at_ms)

    def tell_all(self, events: Iterable[PaymentEvent], at_ms: int | None = None) -> None:
        """Append to the payments' log, as if at that time."""
        for event in events:
            key = event.data.payment_id.encode()
            self.producer.send(PAYMENTS.name, key=key, value=encode(event), timestamp_ms=at_ms)
        self.producer.flush()

    def post(self, *events: LogEvent) -> None:
        """Append to the campaigns' log."""
        for event in events:
            self.producer.send(LOG.name, key=event.data.campaign_id.encode(), value=encode(event))
        self.producer.flush()


@contextmanager
def gateway(bootstrap: str) -> Iterator[Gateway]:
    """Give a gateway that writes to both logs."""
    with closing(KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)) as producer:
        yield Gateway(producer)


def campaigns_log(bootstrap: str) -> list[LogEvent]:
    """Return every event on the campaigns' log."""
    return [Decoding.log.decode(value or b"") for _, _, value, _ in read_all(bootstrap, LOG)]


def wait_until_resolved(bootstrap: str, seconds_max: float = 90) -> None:
    """Wait until the group has acknowledged the whole payments' log. Raises TimeoutError with both positions."""
    deadline = time.monotonic() + seconds_max
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, group_id=GROUP, enable_auto_commit=False)) as consumer:
        sources = [TopicPartition(PAYMENTS.name, number) for number in range(PARTITIONS_EMBEDDED)]
        ends = consumer.end_offsets(sources)
        while (committed := {source: consumer.committed(source) or 0 for source in sources}) != ends:
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {seconds_max} s the group is at {committed} of {ends}")
            time.sleep(0.2)
