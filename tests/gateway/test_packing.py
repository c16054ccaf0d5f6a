"""What a partition's queue says of records whose sending ends in an unusual way."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from producers.packing import PartitionQueue
from producers.publication import BrokerAwayError, Position, Publication, Record


class Batch:
    """A record batch with room for everything."""

    def append(self, **_: Any) -> object:
        return object()

    def close(self) -> None:
        """Nothing to do."""


class Producer:
    """Keeps the future of each record batch that it is given, for the test to settle."""

    def __init__(self) -> None:
        self.sent: list[asyncio.Future[Any]] = []

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Any]:  # noqa: ARG002
        self.sent.append(asyncio.get_running_loop().create_future())
        return self.sent[-1]


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_records_whose_sending_was_canceled_are_no_part_of_the_next_record_batch() -> None:
    """They would be told the position of somebody else's record, and be lost with a 202."""

    async def scene() -> None:
        producer, failures = Producer(), list[BaseException]()
        queue = PartitionQueue(producer, "topic", 0, failures.append)
        first, second = (
            Publication([Record(topic="topic", key=b"k", value=b"v", headers=())], lambda _: None) for _ in range(2)
        )
        queue.put(first, 0)
        await _turns()
        producer.sent[0].cancel()
        await _turns()
        assert [type(failure) for failure in failures] == [asyncio.CancelledError]
        queue.put(second, 0)
        await _turns()
        producer.sent[1].set_result(SimpleNamespace(offset=7))
        assert await second.future == [Position(0, 7)]
        with pytest.raises(BrokerAwayError):
            await first.future

    asyncio.run(scene())
