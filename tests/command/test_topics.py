"""`cercles topics` against a broker made up of dictionaries."""

from typing import Any

import pytest
from kafka.admin import ConfigResource
from kafka.errors import TopicAlreadyExistsError

from cercles.settings import TopicsSettings
from cercles.topics import UNKNOWN_TOPIC, Difference, PartitionsDifferError, ensure_topics
from schemas.topics import DEAD_LETTERS, LOG, TOPICS, UPDATES

SETTINGS = TopicsSettings(partitions=4, replication_factor=1, min_insync_replicas=1)


class FakeAdmin:
    """A cluster in memory, with the answers of kafka-python's admin client."""

    def __init__(self) -> None:
        self.topics: dict[str, dict[str, Any]] = {}
        self.someone_is_quicker = False

    def describe_topics(self, topics: list[str]) -> list[dict[str, Any]]:
        return [self._describe(name) for name in topics]

    def _describe(self, name: str) -> dict[str, Any]:
        if name not in self.topics:
            return {"name": name, "error_code": UNKNOWN_TOPIC, "partitions": []}
        topic = self.topics[name]
        partition = {"replica_nodes": list(range(topic["replication_factor"]))}
        return {"name": name, "error_code": 0, "partitions": [partition] * topic["num_partitions"]}

    def describe_configs(
        self, config_resources: list[ConfigResource], *, config_filter: str
    ) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
        assert config_filter == "all"
        names = [resource.name for resource in config_resources]
        return {
            "topic": {
                name: {key: {"value": value} for key, value in self.topics[name]["configs"].items()} for name in names
            }
        }

    def create_topics(
        self, new_topics: dict[str, dict[str, Any]], *, timeout_ms: int, wait_for_metadata: bool
    ) -> object:
        assert timeout_ms > 0
        assert wait_for_metadata
        self.topics |= new_topics
        if self.someone_is_quicker:
            raise TopicAlreadyExistsError
        return {}

    def alter_configs(self, config_resources: list[ConfigResource]) -> object:
        for resource in config_resources:
            self.topics[resource.name]["configs"] |= resource.configs
        return {}


@pytest.fixture
def admin() -> FakeAdmin:
    return FakeAdmin()


def test_every_declared_topic_is_made_as_declared(admin: FakeAdmin) -> None:
    """With the partitions and copies of the settings, and the configuration of its declaration."""
    outcome = ensure_topics(admin, TopicsSettings())
    assert outcome.created == tuple(topic.name for topic in TOPICS)
    log = admin.topics[LOG.name]
    assert (log["num_partitions"], log["replication_factor"]) == (24, 3)
    assert log["configs"]["min.insync.replicas"] == "2"
    assert log["configs"]["retention.ms"] == "-1"
    assert log["configs"]["unclean.leader.election.enable"] == "false"
    assert "flush.messages" not in log["configs"]


def test_a_broker_without_replicas_writes_through(admin: FakeAdmin) -> None:
    """`flush.messages` is set when asked for."""
    ensure_topics(admin, SETTINGS.model_copy(update={"flush_messages": 1}))
    assert admin.topics[UPDATES.name]["configs"]["flush.messages"] == "1"


def test_a_second_run_changes_nothing(admin: FakeAdmin) -> None:
    """And finds nothing to say."""
    ensure_topics(admin, SETTINGS)
    outcome = ensure_topics(admin, SETTINGS)
    assert (outcome.created, outcome.altered, outcome.differences) == ((), (), ())


def test_only_what_is_missing_is_made(admin: FakeAdmin) -> None:
    """A topic that was deleted by mistake comes back; the others are left alone."""
    ensure_topics(admin, SETTINGS)
    del admin.topics[UPDATES.name]
    assert ensure_topics(admin, SETTINGS).created == (UPDATES.name,)


def test_two_that_create_at_the_same_time_do_no_harm(admin: FakeAdmin) -> None:
    """The slower one takes what the quicker one has made."""
    admin.someone_is_quicker = True
    assert ensure_topics(admin, SETTINGS).created == ()


def test_differences_are_shown_and_left_alone(admin: FakeAdmin) -> None:
    """Unless they are to be altered; the replication factor never is."""
    ensure_topics(admin, SETTINGS)
    admin.topics[LOG.name]["configs"]["retention.ms"] = "1000"
    admin.topics[DEAD_LETTERS.name]["replication_factor"] = 3
    outcome = ensure_topics(admin, SETTINGS)
    retention = Difference(LOG.name, "retention.ms", "-1", "1000")
    copies = Difference(DEAD_LETTERS.name, "replication.factor", "1", "3")
    assert outcome.differences == (retention, copies)
    assert str(retention) == "cercles.campaign-events: retention.ms is 1000, declared is -1"
    assert admin.topics[LOG.name]["configs"]["retention.ms"] == "1000"
    altered = ensure_topics(admin, SETTINGS, alter=True)
    assert (altered.altered, altered.differences) == ((retention,), (copies,))
    assert admin.topics[LOG.name]["configs"]["retention.ms"] == "-1"


def test_the_number_of_partitions_is_never_changed(admin: FakeAdmin) -> None:
    """Nothing at all is done, and the words say what to do instead."""
    ensure_topics(admin, SETTINGS)
    del admin.topics[UPDATES.name]
    with pytest.raises(PartitionsDifferError, match=r"has 4 partitions, not 8\. .* rebuild"):
        ensure_topics(admin, SETTINGS.model_copy(update={"partitions": 8}), alter=True)
    assert UPDATES.name not in admin.topics
