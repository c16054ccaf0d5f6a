"""Positions belong to one topic: a sink that finds another, or one whose end is cut, stops with instructions."""

from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from cercles.embedded.kafka import EmbeddedKafka
from cercles.exit_codes import EXIT_FAILED
from schemas.topics import DEAD_LETTERS, PARTITIONS_EMBEDDED, UPDATES, Topic
from sinks.errors import OtherTopicError
from tests.conftest import cut_the_end, wait_until
from tests.faults.processes import Running
from tests.sinks.running import RunningSink, positions_of, running, say, sink_settings, until
from tests.sinks.stories import story


def make_again(bootstrap: str, topic: Topic) -> None:
    """Delete a topic and make it again, empty."""
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.delete_topics([topic.name])
        wait_until(lambda: topic.name not in admin.list_topics(), "the topic is gone")
        admin.create_topics([NewTopic(topic.name, PARTITIONS_EMBEDDED, 1, topic_configs=topic.config)])


@pytest.mark.parametrize("topic", [UPDATES, DEAD_LETTERS], ids=lambda topic: topic.name)
def test_a_topic_that_was_made_again_stops_the_sink_when_it_starts(
    topics: str, migrated_url: str, topic: Topic
) -> None:
    """Its offsets begin again at 0: what is told there from now on would pass for known."""
    with running(sink_settings(topics, migrated_url)):
        say(topics, story().update(0, 3))
        until(lambda: positions_of(migrated_url) == {0: 1})
    make_again(topics, topic)
    error = RunningSink(sink_settings(topics, migrated_url)).ended()
    assert isinstance(error, OtherTopicError)
    assert "it was deleted and made again" in str(error)


def test_a_topic_that_is_made_again_stops_a_running_sink(topics: str, migrated_url: str) -> None:
    """It does not go on at the new topic's offsets."""
    sink = RunningSink(sink_settings(topics, migrated_url))
    say(topics, *[story().update(line, line + 1) for line in range(3)])
    until(lambda: positions_of(migrated_url) == {0: 3})
    make_again(topics, UPDATES)
    error = sink.ended()
    assert isinstance(error, OtherTopicError)
    assert "was deleted and made again" in str(error)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("runs", [True, False], ids=["while it runs", "while it is stopped"])
def test_a_topic_whose_end_is_cut_stops_the_sink(
    own_kafka: EmbeddedKafka, migrated_url: str, tmp_path: Path, *, runs: bool
) -> None:
    """What the workers say next would stand at offsets that are applied already."""
    bootstrap = own_kafka.bootstrap_servers
    environment = {
        "CERCLES_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "CERCLES_DATABASE_URL": migrated_url,
        "CERCLES_OPERATIONS_PORT": "0",
    }
    told = story(facts=60)
    end, half = len(told.lines), len(told.lines) // 2
    sink = Running("sink", environment, tmp_path / "sink.log")
    for lines in (range(half), range(half, end)):  # batches of their own: the cut falls into one of them
        say(bootstrap, *[told.update(line, line + 1) for line in lines])
    until(lambda: positions_of(migrated_url) == {0: end})
    if not runs:
        assert sink.stop() == 0
    cut_the_end(own_kafka, tmp_path / "kafka", UPDATES)
    if not runs:
        sink = Running("sink", environment, tmp_path / "sink.log")
    until(lambda: sink.exit_code() is not None)
    assert sink.exit_code() == EXIT_FAILED
    assert positions_of(migrated_url) == {0: end}
    what = f"PositionLostError: the database has applied {UPDATES.name}, partition 0 up to offset {end}"
    assert what in sink.log.read_text()
