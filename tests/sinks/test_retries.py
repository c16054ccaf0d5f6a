"""What is tried again, how often, and what is not."""

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schemas.topics import DEAD_LETTERS, UPDATES
from sinks.database import is_transient
from sinks.positions import TopicPartition
from sinks.process import transactions
from sinks.retries import Retries
from tests.sinks.stories import FakeRecord


class _Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_delays_double_up_to_the_maximum_and_start_over_after_a_success() -> None:
    """Half of each is left to chance, so that many sinks do not come back in step."""
    retries = Retries(delay_seconds_max=1.0, outage_seconds_max=60, clock=_Clock())
    delays = [retries.delay_seconds(OSError()) for _ in range(8)]
    for delay, most in zip(delays, (0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0), strict=True):
        assert most / 2 <= delay <= most
    retries.succeeded()
    assert retries.delay_seconds(OSError()) <= 0.1


def test_an_outage_that_lasts_too_long_is_raised() -> None:
    """The error itself, so that the log says what was in the way."""
    clock = _Clock()
    retries = Retries(delay_seconds_max=1.0, outage_seconds_max=60, clock=clock)
    retries.delay_seconds(OSError("first"))
    clock.seconds = 60
    retries.delay_seconds(OSError("still"))
    clock.seconds = 61
    with pytest.raises(OSError, match="at last"):
        retries.delay_seconds(OSError("at last"))


def _sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("words")
    error.sqlite_errorcode = code
    return error


def _wrapped(cause: Exception) -> DBAPIError:
    return OperationalError("SELECT 1", {}, cause)


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (PoolTimeoutError(), True),
        (_wrapped(psycopg.OperationalError("the server closed the connection")), True),
        (psycopg.OperationalError("the server closed the connection"), True),
        (_wrapped(psycopg.errors.SerializationFailure()), True),
        (_wrapped(psycopg.errors.DeadlockDetected()), True),
        (_wrapped(psycopg.errors.LockNotAvailable()), True),
        (_wrapped(psycopg.errors.QueryCanceled()), True),
        (_wrapped(psycopg.errors.AdminShutdown()), True),
        (_wrapped(psycopg.errors.DiskFull()), True),
        (psycopg.errors.ReadOnlySqlTransaction(), True),
        (_wrapped(psycopg.errors.UndefinedTable()), False),
        (IntegrityError("INSERT", {}, psycopg.errors.UniqueViolation()), False),
        (psycopg.errors.UniqueViolation(), False),
        (psycopg.DataError("NUL"), False),
        (_wrapped(_sqlite(sqlite3.SQLITE_BUSY)), True),
        (_wrapped(_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT)), True),
        (_wrapped(_sqlite(sqlite3.SQLITE_FULL)), True),
        (_wrapped(_sqlite(sqlite3.SQLITE_ERROR)), False),
        (_wrapped(_sqlite(sqlite3.SQLITE_CORRUPT)), False),
        (_wrapped(ValueError("a driver's own")), False),
        (ValueError("ours"), False),
    ],
    ids=repr,
)
def test_only_what_may_pass_is_tried_again(error: Exception, *, transient: bool) -> None:
    """Away, locked, full or stopping may pass; a wrong table or a key that stands already will not."""
    assert is_transient(error) is transient


def test_transactions_are_bounded_by_records_and_by_bytes() -> None:
    """One record above the bound is a transaction by itself: it must be taken some time."""
    place = TopicPartition(UPDATES.name, 0)
    records = [FakeRecord(offset, b"x" * size) for offset, size in enumerate((10, 10, 10, 500, 10, 10))]
    cut = list(transactions({place: records}, 2, 100))
    assert [len(taken[place]) for taken in cut] == [2, 1, 1, 2]
    assert [record for taken in cut for record in taken[place]] == records
    assert list(transactions({}, 2, 100)) == []


def test_partitions_share_transactions_and_topics_do_not() -> None:
    """Dead letters go first, since progress tells that those before it are stored."""
    updates = [TopicPartition(UPDATES.name, partition) for partition in range(3)]
    letters = TopicPartition(DEAD_LETTERS.name, 0)
    found = {place: [FakeRecord(offset, b"x") for offset in range(2)] for place in (*updates, letters)}
    cut = [{place: len(records) for place, records in taken.items()} for taken in transactions(found, 3, 100)]
    assert cut == [{letters: 2}, {updates[0]: 2, updates[1]: 1}, {updates[1]: 1, updates[2]: 2}]
