"""The pipeline in the hands of a test: log, worker and sink on a real broker, each moving when it is told to."""

import random
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any, Self

from kafka import KafkaProducer
from sqlalchemy import Engine

from cercles.audit.report import Report
from cercles.audit.run import Scope, audit
from cercles.topic_reader import TopicReader, partitioner
from schemas.connections import KafkaConnection
from schemas.dead_letters import to_record
from schemas.topics import DEAD_LETTERS, LOG, PARTITIONS_EMBEDDED, UPDATES, Topic
from schemas.updates import Progress, encoder
from sinks import positions
from sinks.apply import apply
from sinks.database import reading_engine
from sinks.positions import TopicPartition
from sinks.records import Batch as SinkBatch
from stream_processors.ledger.batch import FOLD_VERSION, Batch
from stream_processors.ledger.state import PartitionState
from tests.pipeline.stories import story

SEED = 20_260_405
PARTITIONS = range(PARTITIONS_EMBEDDED)


class Stage:
    """A log, the worker's states, and what has been said of it. `batch_events`: records that a worker folds at once."""

    def __init__(self, bootstrap: str, *, batch_events: int = 50) -> None:
        self.connection = KafkaConnection(bootstrap_servers=bootstrap)
        self._open = ExitStack()
        self.reader = self._open.enter_context(TopicReader(self.connection))
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)
        self._open.callback(self._producer.close)
        self._batch_events = batch_events
        self.partition_of = partitioner(PARTITIONS_EMBEDDED)
        self._states = {partition: PartitionState() for partition in PARTITIONS}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def append(self, records: Iterable[tuple[str, bytes]], partition: int | None = None) -> list[tuple[int, int]]:
        """Append records, key and value, to the log; return where each stands."""
        sent = [
            self._producer.send(
                LOG.name,
                key=key.encode(),
                value=value,
                headers=[("content-type", b"application/cloudevents+json")],
                partition=partition,
            )
            for key, value in records
        ]
        self._producer.flush()
        return [(future.get().partition, future.get().offset) for future in sent]

    def end(self, topic: Topic, partition: int) -> int:
        return self.reader.range(topic, partition)[1]

    def read(self, topic: Topic, partition: int, start: int = 0, end: int | None = None) -> list[Any]:
        """Return the records of a stretch."""
        until = self.end(topic, partition) if end is None else end
        return [record for records, _ in self.reader.read(topic, partition, start, until) for record in records]

    def work(self, *, losing: Sequence[str] = (), progress: bool = True) -> None:
        """Fold what is new on the log and say it. Of the campaigns in `losing`, every second update is lost."""
        log_id, _ = self.reader.describe(LOG)
        lost = 0
        for partition, state in self._states.items():
            records = self.read(LOG, partition, state.next_offset)
            for start in range(0, len(records), self._batch_events):
                batch = Batch(state, partition, LOG.name, self.partition_of)
                outputs = batch.fold(records[start : start + self._batch_events])
                for letter in outputs.dead_letters:
                    key, value, headers = to_record(letter)
                    self._send(DEAD_LETTERS, partition, key, value, headers)
                for key, value in outputs.updates:
                    if key.decode() in losing:
                        lost += 1
                        if lost % 2 == 0:
                            continue
                    self._send(UPDATES, partition, key, value)
                self._producer.flush()
                if progress:
                    self._say_progress(partition, state.next_offset, log_id)

    def _say_progress(self, partition: int, next_offset: int, log_id: str) -> None:
        record = Progress(
            partition=partition,
            next_offset=next_offset,
            dead_letters_next_offset=self.end(DEAD_LETTERS, partition),
            fold_version=FOLD_VERSION,
            log_id=log_id,
        )
        self._send(UPDATES, partition, None, encoder.encode(record))
        self._producer.flush()

    def _send(self, topic: Topic, partition: int, key: Any, value: Any, headers: Any = ()) -> None:
        self._producer.send(topic.name, key=key, value=value, headers=list(headers), partition=partition)

    def put_aside(
        self, partition: int, value: bytes, headers: Sequence[tuple[str, bytes]], key: bytes | None = None
    ) -> None:
        """Append a record to the dead letters, as a gateway does, or with a key as the resolver."""
        self._send(DEAD_LETTERS, partition, key, value, headers)
        self._producer.flush()

    def sink(self, engine: Engine, *, records_max: int | None = None) -> None:
        """Apply what is new: dead letters first, then at most `records_max` records of each partition's updates."""
        ids = {topic.name: self.reader.describe(topic)[0] for topic in (UPDATES, DEAD_LETTERS)}
        for topic in (DEAD_LETTERS, UPDATES):
            places = [TopicPartition(topic.name, partition) for partition in PARTITIONS]
            for place, position in positions.read(engine, places, ids).items():
                records = self.read(topic, place.partition, position)
                if topic is UPDATES and records_max is not None:
                    records = records[:records_max]
                if records:
                    apply(engine, SinkBatch(topic.name, place.partition, position, records))


def many_stories(campaigns: int, pledges: int, seed: int = SEED) -> list[tuple[str, bytes]]:
    """Return the records of several campaigns, mixed."""
    chance = random.Random(seed)
    stories = [iter(story(f"campaign-{number}", pledges, chance)) for number in range(campaigns)]
    mixed = []
    while stories:
        teller = chance.choice(stories)
        record = next(teller, None)
        if record is None:
            stories.remove(teller)
        else:
            mixed.append(record)
    return mixed


def audited(stage: Stage, url: str, **scope: Any) -> Report:
    """Return the report of an audit."""
    engine = reading_engine(url)
    try:
        return audit(engine, stage.reader, Scope(**scope), show_progress=lambda *_: None)
    finally:
        engine.dispose()
