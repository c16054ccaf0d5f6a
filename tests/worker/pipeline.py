"""What worker tests need: events onto the log, workers as processes, and a reader that believes nothing twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from schemas.dead_letters import DeadLetter, from_record
from schemas.events import (
    CampaignLaunched,
    CampaignLaunchedData,
    PledgeCaptured,
    PledgeCapturedData,
    encode,
)
from schemas.topics import DEAD_LETTERS, LOG, PARTITIONS_EMBEDDED, UPDATES, Topic
from schemas.updates import BEFORE_EVERYTHING, Position, Progress, Update, decoder

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
SOURCE = "sources/test"
GROUP = "worker-test"
POISON = b'{"type":"cercles.pledge.captured","data":{}}'


def launch(campaign_id: str) -> bytes:
    """Return a launch of a campaign with a goal of 15 000 €."""
    data = CampaignLaunchedData(
        campaign_id=campaign_id,
        title="Les Anges Anonymes",
        owner_id="owner-1",
        currency="EUR",
        goal_minor=1_500_000,
        opens_at=START,
        closes_at=START + timedelta(days=60),
        timezone="Europe/Paris",
        sources=[SOURCE],
    )
    return encode(
        CampaignLaunched(specversion="1.0", id=f"launch-{campaign_id}", source="admin", time=START, data=data)
    )


def capture(campaign_id: str, number: int, amount_minor: int) -> bytes:
    """Return the capture of a pledge of its own."""
    data = PledgeCapturedData(
        campaign_id=campaign_id,
        pledge_id=f"pledge-{number}",
        capture_id=f"capture-{number}",
        amount_minor=amount_minor,
        currency="EUR",
        backer_id=f"backer-{number % 997}",
    )
    return encode(
        PledgeCaptured(
            specversion="1.0", id=f"event-{number}", source=SOURCE, time=START + timedelta(seconds=number), data=data
        )
    )


@dataclass
class Load:
    """Sends captures to a number of campaigns, some of them twice, some of them poison, and keeps the true totals."""

    bootstrap: str
    campaigns: int = 12
    seed: int = 1
    totals_minor: dict[str, int] = field(default_factory=dict)
    captures: int = 0
    poison: int = 0
    records: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all", linger_ms=5)
        for number in range(self.campaigns):
            self._send(f"campaign-{number}", launch(f"campaign-{number}"))
        self._producer.flush()

    def send(self, captures: int) -> None:
        """Send that many different captures, a tenth of them twice, and a poison record for every fiftieth."""
        for _ in range(captures):
            campaign_id = f"campaign-{self._random.randrange(self.campaigns)}"
            amount_minor = self._random.randrange(100, 20_000)
            self.totals_minor[campaign_id] = self.totals_minor.get(campaign_id, 0) + amount_minor
            value = capture(campaign_id, self.captures, amount_minor)
            self.captures += 1
            for _again in range(2 if self._random.random() < 0.1 else 1):
                self._send(campaign_id, value)
            if self._random.random() < 0.02:
                self._send(campaign_id, POISON)
                self.poison += 1
        self._producer.flush()

    def close(self) -> None:
        """Disconnect."""
        self._producer.close()

    def _send(self, campaign_id: str, value: bytes) -> None:
        self._producer.send(LOG.name, key=campaign_id.encode(), value=value)
        self.records += 1


class Worker:
    """A worker process, or one that another program makes of it."""

    def __init__(
        self, bootstrap: str, log: Path, program: Sequence[str] = ("-m", "tests.worker.run_worker"), **environment: str
    ) -> None:
        self._output = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, *program],
            env=os.environ
            | {
                "CERCLES_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
                "CERCLES_WORKER_GROUP": GROUP,
                "CERCLES_WORKER_SESSION_TIMEOUT_SECONDS": "6",
            }
            | environment,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.process.kill()
        self.process.wait()
        self._output.close()

    def stop(self) -> tuple[int, float]:
        """End it by SIGTERM; return its exit code and the seconds it took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.wait(), time.monotonic() - started

    def wait(self) -> int:
        """Wait until it ends; return its exit code."""
        code = self.process.wait(timeout=60)
        self._output.close()
        return code


@dataclass
class Story:
    """What a sink makes of the updates: it applies entries above the campaign's position, and nothing else."""

    positions: dict[str, Position] = field(default_factory=dict)
    totals_minor: dict[str, int] = field(default_factory=dict)
    entries_minor: dict[str, int] = field(default_factory=dict)
    gaps: list[Update] = field(default_factory=list)
    said_again: int = 0
    progress: dict[int, int] = field(default_factory=dict)
    milestones: list[tuple[str, str, int | None, int | None, str | None]] = field(default_factory=list)

    def hear(self, update: Update) -> None:
        """Apply what is new in an update."""
        here = self.positions.get(update.campaign_id, BEFORE_EVERYTHING)
        if update.after <= here:
            self.said_again += 1
            return
        if update.before > here:
            self.gaps.append(update)
            return
        for entry in update.entries:
            if Position(entry.offset, entry.number) > here:
                known = self.entries_minor.get(update.campaign_id, 0)
                self.entries_minor[update.campaign_id] = known + entry.pledged_minor
        self.milestones += [
            (update.campaign_id, milestone.type, milestone.step, milestone.occurrence, milestone.circle)
            for milestone in update.milestones
            if Position(milestone.offset, milestone.number) > here
        ]
        self.positions[update.campaign_id] = update.after
        self.totals_minor[update.campaign_id] = update.totals.pledged_minor


def read_story(bootstrap: str) -> Story:
    """Read all updates that there are."""
    story = Story()
    for _, _, value, _ in read_all(bootstrap, UPDATES):
        said = decoder.decode(value or b"")
        if isinstance(said, Progress):
            story.progress[said.partition] = max(said.next_offset, story.progress.get(said.partition, 0))
        else:
            story.hear(said)
    return story


def read_dead_letters(bootstrap: str) -> list[DeadLetter]:
    """Read all dead letters that there are."""
    return [from_record(key, value, headers) for _, key, value, headers in read_all(bootstrap, DEAD_LETTERS)]


Record = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes]]]


def read_all(bootstrap: str, topic: Topic) -> Iterator[Record]:
    """Yield every record of a topic, partition by partition in order."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)) as consumer:
        partitions = [TopicPartition(topic.name, number) for number in range(PARTITIONS_EMBEDDED)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for batch in consumer.poll(timeout_ms=500).values():
                for record in batch:
                    yield record.partition, record.key, record.value, list(record.headers)


@contextmanager
def group_position(bootstrap: str, partitions: int = PARTITIONS_EMBEDDED) -> Iterator[Callable[[], dict[int, int]]]:
    """Give a function that asks the broker for the group's committed offsets."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, group_id=GROUP, enable_auto_commit=False)) as consumer:
        sources = [TopicPartition(LOG.name, number) for number in range(partitions)]
        yield lambda: {source.partition: consumer.committed(source) or 0 for source in sources}


def log_ends(bootstrap: str, partitions: int = PARTITIONS_EMBEDDED, topic: Topic = LOG) -> dict[int, int]:
    """Return the end of each partition of the log, or of another topic."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap)) as consumer:
        sources = [TopicPartition(topic.name, number) for number in range(partitions)]
        return {source.partition: end for source, end in consumer.end_offsets(sources).items()}


def wait_until_committed(bootstrap: str, seconds_max: float = 90, partitions: int = PARTITIONS_EMBEDDED) -> None:
    """Wait until the group has acknowledged the whole log. Raises TimeoutError with both positions."""
    deadline = time.monotonic() + seconds_max
    ends = log_ends(bootstrap, partitions)
    with group_position(bootstrap, partitions) as committed:
        while committed() != ends:
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {seconds_max} s the group is at {committed()} of {ends}")
            time.sleep(0.2)
