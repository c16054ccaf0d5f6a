"""The topics as they must exist on the broker."""

import pytest

from schemas.dead_letters import VALUE_BYTES_MAX
from schemas.topics import DEAD_LETTERS, EVENT_BYTES_MAX, LOG, PAYMENTS, TOPICS, UPDATES, Topic
from schemas.updates import RECORD_BYTES_MAX

HEADERS_BYTES_MAX = 64 * 1024
"""More than key and headers of any record of ours take, in bytes."""


def test_topics_are_named_for_the_project() -> None:
    """Each begins with `cercles.`, and no two are the same."""
    assert all(topic.name.startswith("cercles.") for topic in TOPICS)
    assert len({topic.name for topic in TOPICS}) == len(TOPICS) == 4


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_says_what_it_holds_and_for_whom(topic: Topic) -> None:
    """Owner, producers and consumers are written down."""
    assert topic.holds
    assert topic.key
    assert topic.written_by
    assert topic.read_by


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_no_topic_loses_acknowledged_records(topic: Topic) -> None:
    """An unclean election would; compaction would thin out a story."""
    assert topic.config["unclean.leader.election.enable"] == "false"
    assert topic.config["cleanup.policy"] == "delete"


@pytest.mark.parametrize("topic", [LOG, PAYMENTS, DEAD_LETTERS], ids=lambda topic: topic.name)
def test_the_logs_and_the_dead_letters_are_kept_forever(topic: Topic) -> None:
    """Everything can be made again from the logs; a dead letter can be replayed."""
    assert topic.config["retention.ms"] == "-1"
    assert topic.config["retention.bytes"] == "-1"


def test_updates_are_kept_for_days() -> None:
    """They can always be made again."""
    assert int(UPDATES.config["retention.ms"]) == 7 * 24 * 3600 * 1000


def test_the_largest_record_of_each_topic_fits() -> None:
    """An event of 64 KiB, an update of 512 KiB, and a dead letter of 512 KiB with its headers."""
    assert int(LOG.config["max.message.bytes"]) == EVENT_BYTES_MAX == 131_072
    assert PAYMENTS.config["max.message.bytes"] == LOG.config["max.message.bytes"]
    assert 64 * 1024 + HEADERS_BYTES_MAX <= EVENT_BYTES_MAX
    assert int(UPDATES.config["max.message.bytes"]) >= RECORD_BYTES_MAX + HEADERS_BYTES_MAX
    assert int(DEAD_LETTERS.config["max.message.bytes"]) >= VALUE_BYTES_MAX + HEADERS_BYTES_MAX
