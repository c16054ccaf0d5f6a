"""Lets a command write records: a publisher that is connected, for as long as the command needs it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry

from producers.blocking import BlockingPublisher
from producers.metrics import PublisherMetrics
from producers.publishing import BrokerAwayError, Publisher
from schemas.connections import KafkaConnection
from schemas.topics import Topic

CONNECT_SECONDS_MAX: Final = 15.0
_LOOK_SECONDS: Final = 0.05


@contextmanager
def publisher(connection: KafkaConnection, *topics: Topic) -> Iterator[BlockingPublisher]:
    """Give a publisher that can write to the topics. Raises BrokerAwayError when it can't within a bounded time."""
    names = [topic.name for topic in topics]
    publishing = BlockingPublisher(Publisher(connection, names, PublisherMetrics(CollectorRegistry())))
    publishing.start()
    try:
        deadline = time.monotonic() + CONNECT_SECONDS_MAX
        while (why := publishing.not_ready()) is not None:
            if time.monotonic() > deadline:
                raise BrokerAwayError(why)
            time.sleep(_LOOK_SECONDS)
        yield publishing
    finally:
        publishing.close()
