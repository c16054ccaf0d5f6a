"""What a sink notes of its work."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine

from schemas.topics import UPDATES
from sinks.positions import TopicPartition
from sinks.process import SinkProcess
from sinks.records import Record
from sinks.settings import SinkSettings

PLACE = TopicPartition(UPDATES.name, 3)
NOTES = 5


class FakeConsumer:
    """A consumer of one placed partition, whose polls bring nothing."""

    def __init__(self) -> None:
        self.position = 5
        self.end = 5

    def poll(self, *, wait: bool = True) -> dict[TopicPartition, Sequence[Record]]:
        """Return nothing."""
        assert wait, "no transaction is under way"
        return {}

    def unplaced(self) -> list[TopicPartition]:
        """Return nothing."""
        return []

    def positions(self) -> dict[TopicPartition, int]:
        """Return where the partition stands."""
        return {PLACE: self.position}

    def check_topics(self) -> None:
        """Do nothing."""

    def end_offsets(self) -> Mapping[TopicPartition, int]:
        """Return where its topic ends."""
        return {PLACE: self.end}

    def commit(self) -> None:
        """Do nothing."""

    def unplace(self, places: Iterable[TopicPartition]) -> None:
        """Do nothing."""


class Turning:
    """A sink whose turns the test takes."""

    def __init__(self, engine: Engine) -> None:
        self.sink = SinkProcess(SinkSettings(lag_seconds=1e-9))
        self.consumer = FakeConsumer()
        self._engine = engine

    def headway_of(self, turns: int) -> int:
        """Take so many turns, and return how many of them were headway."""
        before = self.sink.headway.made
        consumer: Any = self.consumer
        for _ in range(turns):
            self.sink._turn(consumer, self._engine, threading.Event())
        return self.sink.headway.made - before


@pytest.fixture
def turning(engine: Engine) -> Turning:
    return Turning(engine)


def test_a_turn_that_finds_nothing_to_do_is_headway(turning: Turning) -> None:
    """However long no update comes."""
    assert turning.headway_of(NOTES) == NOTES


def test_polls_that_bring_nothing_although_there_is_lag_are_none(turning: Turning) -> None:
    """Known lag and a partition that does not move: it is named; once it has moved all is well."""
    turning.consumer.end = 9
    turning.headway_of(1)
    assert turning.headway_of(NOTES) == 0
    assert turning.sink.headway.standing == {"cercles.campaign-updates, partition 3": 5}
    turning.consumer.position = 9
    assert turning.headway_of(NOTES) == NOTES
