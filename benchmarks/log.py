"""Puts events onto a real log."""

from collections.abc import Iterable
from contextlib import closing
from typing import Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from benchmarks.events import Record
from schemas.topics import LOG

_BATCH_BYTES: Final = 65_536
"""As the gateway sends them."""

_LINGER_MS: Final = 20
_METADATA_SECONDS_MAX: Final = 30


def fill_log(bootstrap: str, records: Iterable[Record]) -> int:
    """Append the records, each to its key's partition, and return how many. Raises kafka-python's KafkaError."""
    count = 0
    failed: list[BaseException] = []
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        batch_size=_BATCH_BYTES,
        linger_ms=_LINGER_MS,
        max_block_ms=_METADATA_SECONDS_MAX * 1000,
    )
    with closing(producer):
        for count, record in enumerate(records, 1):  # noqa: B007 (the last number is the count)
            producer.send(LOG.name, key=record.key, value=record.value).add_errback(failed.append)
        producer.flush()
    for error in failed:
        raise error
    return count


def log_ends(bootstrap: str, partitions: int) -> dict[int, int]:
    """Return the offset after the last event of each partition."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap)) as consumer:
        sources = [TopicPartition(LOG.name, number) for number in range(partitions)]
        return {source.partition: end for source, end in consumer.end_offsets(sources).items()}
