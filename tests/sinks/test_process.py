"""The sink on a real broker and real databases."""

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from kafka import KafkaAdminClient, TopicPartition
from sqlalchemy import Engine, make_url, text

from cercles.embedded.kafka import EmbeddedKafka
from schemas.dead_letters import DeadLetter, Origin, to_record
from schemas.topics import DEAD_LETTERS, LOG, PARTITIONS_EMBEDDED, UPDATES
from sinks import migrate
from sinks.apply import Commit, begin
from sinks.database import writing_engine
from sinks.errors import OtherTopicError, PositionLostError, StalePositionError, UnreadableUpdateError
from sinks.records import Batch
from tests.sinks.running import (
    RunningSink,
    positions_of,
    produce,
    running,
    say,
    sink_program,
    sink_settings,
    until,
)
from tests.sinks.stories import Story, assert_rows_tell, progress, rows, story


@contextmanager
def _admin(bootstrap: str) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        yield admin


def _assert_told(url: str, *stories: Story) -> None:
    engine = writing_engine(url)
    for told in stories:
        assert_rows_tell(engine, told, len(told.lines))
    engine.dispose()


def _execute(url: str, statement: str) -> None:
    engine = writing_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement), {"topic": UPDATES.name})
    engine.dispose()


def test_updates_and_dead_letters_become_rows(topics: str, migrated_url: str) -> None:
    """Of all partitions; a sink that is started again goes on where the database is."""
    stories = [story(f"film-{number}", partition=number) for number in range(PARTITIONS_EMBEDDED)]
    letter = DeadLetter(reason="misrouted", detail="", key=b"k", value=b"v", origin=Origin(LOG.name, 2, 7))
    value_first = [to_record(letter)[index] for index in (1, 0, 2)]
    with running(sink_settings(topics, migrated_url)) as sink:
        say(topics, *[told.update(0, 3) for told in stories])
        produce(topics, DEAD_LETTERS.name, 2, [tuple(value_first)])
        until(lambda: len(positions_of(migrated_url)) == PARTITIONS_EMBEDDED)
        until(lambda: positions_of(migrated_url, DEAD_LETTERS.name) == {2: 1})
        sink.until_ready()
        # The database shows a transaction as soon as it is committed; the sink counts it in its next turn.
        until(lambda: sink.value("cercles_sink_updates_total", result="applied") == PARTITIONS_EMBEDDED)
        until(lambda: sink.value("cercles_sink_dead_letters_total", reason="misrouted") == 1)
        until(lambda: sink.value("cercles_sink_lag_records", topic=UPDATES.name, partition="0") == 0)
        assert sink.value("cercles_sink_partitions", topic=UPDATES.name) == PARTITIONS_EMBEDDED
    say(topics, *[told.update(3, len(told.lines)) for told in stories])
    with running(sink_settings(topics, migrated_url)) as sink:
        until(lambda: positions_of(migrated_url) == dict.fromkeys(range(PARTITIONS_EMBEDDED), 2))
        assert sink.value("cercles_sink_updates_total", result="known") == 0
    _assert_told(migrated_url, *stories)


def test_two_sinks_and_a_kill_9_apply_everything_once(topics: str, migrated_url: str) -> None:
    """One of two sinks is killed in the midst of small transactions; the other takes its partitions over."""
    stories = [story(f"film-{number}", facts=60, partition=number) for number in range(PARTITIONS_EMBEDDED)]
    options = {"transaction_records_max": 2}
    with (
        sink_program(topics, migrated_url, **options) as first,
        sink_program(topics, migrated_url, **options) as second,
    ):
        for start in range(0, len(stories[0].lines), 3):
            say(
                topics,
                *[
                    told.update(line, line + 1)
                    for told in stories
                    for line in range(start, min(start + 3, len(told.lines)))
                ],
            )
            if start == 30:
                until(lambda: positions_of(migrated_url))
                first.send_signal(signal.SIGKILL)
        every = dict.fromkeys(range(PARTITIONS_EMBEDDED), len(stories[0].lines))
        until(lambda: positions_of(migrated_url) == every)
        assert second.poll() is None
    _assert_told(migrated_url, *stories)


def test_a_fenced_sink_goes_on_from_the_databases_position(topics: str, migrated_url: str) -> None:
    """Another one has applied what it was about to apply."""
    told = story()
    with running(sink_settings(topics, migrated_url)) as sink:
        say(topics, told.update(0, 2))
        until(lambda: positions_of(migrated_url) == {0: 1})
        _execute(
            migrated_url, "UPDATE sink_positions SET next_offset = 2 WHERE topic = :topic AND partition_number = 0"
        )
        say(topics, told.update(3, 4), told.update(2, 4))
        until(lambda: positions_of(migrated_url)[0] == 3)
        assert sink.value("cercles_sink_fenced_total") == 1
        assert sink.value("cercles_sink_updates_total", result="gap") == 0
    engine = writing_engine(migrated_url)
    assert_rows_tell(engine, told, 4)
    engine.dispose()


def test_what_was_polled_beside_a_failed_batch_is_read_again(
    topics: str, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One poll brings records of several partitions; one of them fails: those of the others are not passed over."""
    stories = [story(f"film-{number}", partition=number) for number in range(PARTITIONS_EMBEDDED)]
    failures: list[int] = []

    def begin_or_fail(engine: Engine, *batches: Batch) -> Commit:
        if len(failures) < 3:
            failures.append(batches[0].partition)
            raise StalePositionError(batches[0].topic, batches[0].partition, batches[0].position)
        return begin(engine, *batches)

    monkeypatch.setattr("sinks.process.begin", begin_or_fail)
    say(topics, *[told.update(0, 3) for told in stories])
    with running(sink_settings(topics, migrated_url)) as sink:
        until(lambda: len(positions_of(migrated_url)) == PARTITIONS_EMBEDDED)
        say(topics, *[told.update(3, len(told.lines)) for told in stories])
        until(lambda: positions_of(migrated_url) == dict.fromkeys(range(PARTITIONS_EMBEDDED), 2))
        assert sink.value("cercles_sink_updates_total", result="gap") == 0
        assert sink.value("cercles_sink_fenced_total") == 3
    _assert_told(migrated_url, *stories)


def test_an_update_that_cannot_be_read_ends_the_sink(topics: str, migrated_url: str) -> None:
    """It would never become readable: the process says where it stands and ends."""
    told = story()
    say(topics, told.update(0, 2))
    produce(topics, UPDATES.name, 0, [(b"not an update", None, [])])
    assert isinstance(RunningSink(sink_settings(topics, migrated_url)).ended(), UnreadableUpdateError)


@pytest.mark.parametrize("new", [True, False])
def test_what_retention_has_dropped_ends_the_sink_with_instructions(
    topics: str, migrated_url: str, *, new: bool
) -> None:
    """A new database on an aged topic must be built from the log; so must one that was away for too long."""
    told = story()
    say(topics, told.update(0, 1))
    if not new:
        with running(sink_settings(topics, migrated_url)):
            until(lambda: positions_of(migrated_url) == {0: 1})
    say(topics, told.update(1, 2), told.update(2, 3))
    with _admin(topics) as admin:
        admin.delete_records({TopicPartition(UPDATES.name, 0): 2})
    error = RunningSink(sink_settings(topics, migrated_url)).ended()
    assert isinstance(error, PositionLostError)
    assert ("this database is new" if new else "the sink was away for too long") in str(error)
    assert "log" in str(error)


def test_a_position_beyond_the_topics_end_ends_the_sink(topics: str, migrated_url: str) -> None:
    """Waiting for the topic to grow there would leave out what comes before."""
    with running(sink_settings(topics, migrated_url)):
        say(topics, story().update(0, 1))
        until(lambda: positions_of(migrated_url) == {0: 1})
    _execute(migrated_url, "UPDATE sink_positions SET next_offset = 100 WHERE topic = :topic AND partition_number = 0")
    error = RunningSink(sink_settings(topics, migrated_url)).ended()
    assert isinstance(error, PositionLostError)
    assert "up to offset 100, but the topic ends at" in str(error)


def test_a_topic_made_again_ends_the_sink(topics: str, migrated_url: str) -> None:
    """Its offsets mean other records than the database's position."""
    with running(sink_settings(topics, migrated_url)):
        say(topics, story().update(0, 1))
        until(lambda: positions_of(migrated_url) == {0: 1})
    _execute(migrated_url, "UPDATE sink_positions SET topic_id = 'older' WHERE topic = :topic")
    assert isinstance(RunningSink(sink_settings(topics, migrated_url)).ended(), OtherTopicError)


def test_the_sink_waits_for_its_tables(topics: str, database_url: str) -> None:
    """It may be started before `cercles db upgrade`; until then it is not ready and says why."""
    with running(sink_settings(topics, database_url)) as sink:
        until(lambda: "cercles db upgrade" in (sink.process.not_ready() or ""))
        migrate.upgrade(database_url)
        sink.until_ready()


def test_the_sink_waits_for_its_topics(topics: str, migrated_url: str) -> None:
    """It never makes them itself, with the broker's defaults."""
    with _admin(topics) as admin:
        admin.delete_topics([UPDATES.name])
    with running(sink_settings(topics, migrated_url)) as sink:
        until(lambda: "`cercles topics` makes it" in (sink.process.not_ready() or ""))
        with _admin(topics) as admin:
            assert UPDATES.name not in admin.list_topics()


def test_an_outage_that_lasts_too_long_ends_the_sink(migrated_url: str) -> None:
    """With the error it waited for, so that it never stalls in silence."""
    sink = RunningSink(sink_settings("127.0.0.1:1", migrated_url, outage_seconds_max=1))
    assert "no broker answers" in str(sink.ended())
    retries = sink.value("cercles_sink_retries_total", cause="broker") or 0
    assert retries >= 1
    assert sink.process.headway.made == retries, "the outage has a bound of its own: it is no stall"


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_the_sink_survives_its_database_going_away(topics: str, migrated_url: str, postgresql_server: str) -> None:
    """Connections break and new ones are refused for a while; then everything is applied, once."""
    told, name = story(), make_url(migrated_url).database
    with (
        running(sink_settings(topics, migrated_url)) as sink,
        psycopg.connect(postgresql_server, autocommit=True) as administrator,
    ):
        say(topics, told.update(0, 2))
        until(lambda: positions_of(migrated_url) == {0: 1})
        administrator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        say(topics, told.update(2, len(told.lines)), progress(30))
        until(lambda: "database in the way" in (sink.process.not_ready() or ""))
        administrator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        until(lambda: positions_of(migrated_url) == {0: 3})
        sink.until_ready()
    _assert_told(migrated_url, told)


@pytest.mark.parametrize(
    "locked",
    [
        "SELECT * FROM sink_positions WHERE topic = 'cercles.campaign-updates' AND partition_number = 1",
        "SELECT * FROM campaign_totals WHERE campaign_id = 'film-1'",
    ],
    ids=["position", "campaign"],
)
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_locked_partition_holds_up_no_other(topics: str, migrated_url: str, locked: str) -> None:
    """It waits alone, and then goes on where it stood.

    `cercles rebuild --campaign` locks one for minutes, which is met at once; a row that somebody works on, only when
    the database ends the transaction.
    """
    stories = [story(f"film-{number}", partition=number) for number in range(PARTITIONS_EMBEDDED)]
    with running(sink_settings(topics, migrated_url)):
        say(topics, *[told.update(0, 2) for told in stories])
        until(lambda: positions_of(migrated_url) == dict.fromkeys(range(PARTITIONS_EMBEDDED), 1))
    say(topics, *[told.update(2, len(told.lines)) for told in stories])
    rebuild = writing_engine(migrated_url)
    with rebuild.connect() as connection, connection.begin() as transaction:
        connection.execute(text(f"{locked} FOR UPDATE"))
        with running(sink_settings(topics, migrated_url)) as sink:
            until(lambda: positions_of(migrated_url) == {0: 2, 1: 1, 2: 2, 3: 2})
            until(lambda: "database in the way" in (sink.process.not_ready() or ""))
            transaction.rollback()
            until(lambda: positions_of(migrated_url) == dict.fromkeys(range(PARTITIONS_EMBEDDED), 2))
            sink.until_ready()
    rebuild.dispose()
    _assert_told(migrated_url, *stories)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_the_sink_survives_its_broker_going_away(topics: str, migrated_url: str, kafka_broker: EmbeddedKafka) -> None:
    """While the broker is frozen the sink is not ready; afterwards it goes on, without a start."""
    told = story()
    with running(sink_settings(topics, migrated_url)) as sink:
        say(topics, told.update(0, 2))
        until(lambda: positions_of(migrated_url) == {0: 1})
        kafka_broker.pause()
        try:
            until(lambda: "broker in the way" in (sink.process.not_ready() or ""))
        finally:
            kafka_broker.resume()
        say(topics, told.update(2, len(told.lines)))
        until(lambda: positions_of(migrated_url) == {0: 2})
        sink.until_ready()
    _assert_told(migrated_url, told)
    engine = writing_engine(migrated_url)
    assert len(rows(engine, "sink_positions")) == 2 * PARTITIONS_EMBEDDED
    engine.dispose()
