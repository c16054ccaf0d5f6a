"""The worker's floor, a process of its own: read the log by aiokafka, decode by msgspec, add to a dictionary.

It remembers no pledge, follows no rule, says nothing and acknowledges nothing: `python -m benchmarks.floor
BOOTSTRAP PARTITIONS` reads the log from its beginning to its end and prints what it measured, as JSON.
"""

import asyncio
import json
import logging
import sys
import time
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.workers import WARM_SHARE
from schemas.connections import KafkaConnection
from schemas.events import Decoding, PledgeCaptured
from schemas.topics import LOG

_RECORDS_MAX: Final = 40_000
"""As many at a time as the worker takes."""


async def read(bootstrap: str, partitions: int) -> dict[str, float]:
    """Read the whole log; return count, seconds and CPU seconds of what comes after its first fifth."""
    kafka = KafkaConnection(bootstrap_servers=bootstrap)
    sources = [TopicPartition(LOG.name, number) for number in range(partitions)]
    consumer = AIOKafkaConsumer(**kafka.client_options(), enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign(sources)
    total = sum((await consumer.end_offsets(sources)).values())
    totals_minor: dict[str, int] = {}
    count = warm = 0
    started = started_cpu = 0.0
    while count < total:
        batches = await consumer.getmany(timeout_ms=500, max_records=_RECORDS_MAX)
        for records in batches.values():
            for record in records:
                event = Decoding.log.decode(record.value)
                if isinstance(event, PledgeCaptured):
                    data = event.data
                    totals_minor[data.campaign_id] = totals_minor.get(data.campaign_id, 0) + data.amount_minor
            count += len(records)
        if not warm and count >= WARM_SHARE * total:
            warm, started, started_cpu = count, time.perf_counter(), time.process_time()
    measured = {"count": count - warm, "seconds": time.perf_counter() - started}
    measured["cpu_seconds"] = time.process_time() - started_cpu
    await consumer.stop()
    return measured


if __name__ == "__main__":
    logging.getLogger().setLevel(logging.WARNING)
    sys.stdout.write(json.dumps(asyncio.run(read(sys.argv[1], int(sys.argv[2])))) + "\n")
