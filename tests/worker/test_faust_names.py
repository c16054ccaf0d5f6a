"""The names of Faust that the worker relies on though Faust calls them private. An upgrade must fail here, loudly."""

import asyncio
import inspect
from collections.abc import Callable
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition, conn
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.transport import by_url
from faust.transport.consumer import Consumer, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver

from stream_processors.shell.transport import BatchConsumer, BatchConsumerThread, BatchTransport, UncopiedRecords


def test_the_version_is_the_one_whose_source_was_read() -> None:
    """Everything below was read in the source of exactly this version."""
    assert metadata.version("faust-streaming") == "0.15.3"
    assert metadata.version("mode-streaming") == "0.7.1"


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        (Consumer.getmany, ["self", "timeout"]),
        (Consumer._wait_next_records, ["self", "timeout"]),
        (ThreadDelegateConsumer._getmany, ["self", "active_partitions", "timeout"]),
        (Consumer._new_offset, ["self", "tp"]),
        (Consumer._add_gap, ["self", "tp", "offset_from", "offset_to"]),
        (Consumer.perform_seek, ["self"]),
        (Consumer.commit_and_end_transactions, ["self"]),
        (Consumer.maybe_wait_for_commit_to_finish, ["self"]),
        (Consumer._filter_tps_with_pending_acks, ["self", "topics"]),
        (Consumer._should_commit, ["self", "tp", "offset"]),
        (ThreadDelegateConsumer._commit, ["self", "offsets"]),
        (driver.Consumer._new_consumer_thread, ["self"]),
        (driver.AIOKafkaConsumerThread._create_worker_consumer, ["self", "transport"]),
    ],
)
def test_a_method_that_is_overridden_or_called_takes_what_it_took(
    method: Callable[..., Any], parameters: list[str]
) -> None:
    """A changed signature would let an override pass by unseen."""
    assert list(inspect.signature(method).parameters) == parameters


def test_the_names_are_still_called_where_offsets_are_committed() -> None:
    """Overriding what nobody calls any more would commit by Faust's own bookkeeping again."""
    committing = inspect.getsource(Consumer._filter_committable_offsets)
    assert "self._new_offset(tp)" in committing
    assert "self._should_commit(tp, offset)" in committing
    assert "self._filter_tps_with_pending_acks(topics)" in inspect.getsource(Consumer.force_commit)
    assert "await self._commit(committable_offsets)" in inspect.getsource(Consumer._commit_offsets)
    assert "await self._add_gap(" in inspect.getsource(Consumer._drain_messages)
    assert "getmany = self.getmany" in inspect.getsource(Consumer._drain_messages)
    assert "await self._getmany(" in inspect.getsource(Consumer._wait_next_records)


def test_every_private_attribute_in_use_exists() -> None:
    """The bookkeeping that the transport leaves aside, and the sets it looks at."""
    initial = inspect.getsource(Consumer.__init__) + inspect.getsource(Consumer._reset_state)
    for attribute in ("_acked", "_buffered_partitions", "flow_active", "suspend_flow"):
        assert f"self.{attribute} = " in initial or f"self.{attribute}." in initial, attribute


@pytest.fixture
def adjusted(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What stands for aiokafka's consumer, once Faust's thread has adjusted it and aiokafka; undone afterwards."""
    made = SimpleNamespace(_fetch_max_wait_ms=1500)
    monkeypatch.setattr(fetcher, "PartitionRecords", fetcher.PartitionRecords)
    monkeypatch.setattr(conn, "READER_LIMIT", conn.READER_LIMIT)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_create_worker_consumer", lambda *_: made)
    consumer: object = BatchConsumerThread.__new__(BatchConsumerThread)._create_worker_consumer(None)
    assert consumer is made
    return made


def test_a_broker_holds_no_fetch_back_for_long(adjusted: SimpleNamespace) -> None:
    """The number that Faust gives aiokafka is replaced before anything is made of it."""
    assert adjusted._fetch_max_wait_ms == 50
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in inspect.getsource(AIOKafkaConsumer.start)
    assert "self._create_worker_consumer(" in inspect.getsource(driver.AIOKafkaConsumerThread._create_consumer)
    assert "self._new_consumer_thread()" in inspect.getsource(ThreadDelegateConsumer.__init__)


@pytest.mark.usefixtures("adjusted")
def test_an_answer_is_read_on_while_aiokafka_waits_for_its_end() -> None:
    """The number that aiokafka gives asyncio is replaced before it connects."""
    assert conn.READER_LIMIT == 16 * 1024 * 1024
    assert "StreamReader(limit=READER_LIMIT" in inspect.getsource(conn.AIOKafkaConnection.connect)
    assert "readexactly" in inspect.getsource(conn.AIOKafkaConnection._read)


@pytest.mark.usefixtures("adjusted")
def test_records_are_handed_over_as_they_were_parsed() -> None:
    """By an override that what aiokafka makes of an answer still calls; they have all that is read of a record."""
    parsing = UncopiedRecords.__base__
    assert fetcher.PartitionRecords is UncopiedRecords
    assert list(inspect.signature(parsing._consumer_record).parameters) == ["self", "tp", "record"]
    assert "self._consumer_record(tp, record)" in inspect.getsource(parsing._unpack_records)
    assert "PartitionRecords(" in inspect.getsource(fetcher.Fetcher._proc_fetch_request)
    source = TopicPartition("log", 0)
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 4096)
    builder.append(0, 1234, b"key", b"value", [("header", b"its value")])
    records = MemoryRecords(bytes(builder.build()))
    (record,) = UncopiedRecords(source, records, [], 0, None, None, True, 0)
    assert (record.offset, record.timestamp, record.key, record.value) == (0, 1234, b"key", b"value")
    assert list(record.headers) == [("header", b"its value")]


def test_the_transport_is_found_by_its_scheme(loop: asyncio.AbstractEventLoop) -> None:
    """Faust's own way to register a driver: an entry point, no patching."""
    assert by_url("cercles://127.0.0.1:9092") is BatchTransport
    application = faust.App("test", broker="cercles://127.0.0.1:9092", loop=loop)
    assert isinstance(application.transport, BatchTransport)
    assert issubclass(BatchConsumer, driver.Consumer)
