"""Makes the topics that `schemas.topics` declares, and says where existing ones differ from that."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Any, Final, Protocol

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from cercles.settings import TopicsSettings
from schemas.connections import KafkaConnection
from schemas.topics import TOPICS, Topic

CONNECT_MILLISECONDS_MAX: Final = 10_000
CREATE_MILLISECONDS_MAX: Final = 30_000
REQUEST_MILLISECONDS_MAX: Final = 30_000
UNKNOWN_TOPIC: Final = 3
"""Error code UNKNOWN_TOPIC_OR_PARTITION of the Kafka protocol."""

REBUILD: Final = (
    "The partition of a campaign follows from its id and this number, so it never changes in place. Keep the number "
    "that is (CERCLES_TOPICS_PARTITIONS or --partitions), or rebuild: make a new cluster with the number wanted, copy "
    "the log into it by key, and let workers and sinks start there with an empty database."
)


class Admin(Protocol):
    """What is needed of kafka-python's KafkaAdminClient."""

    def describe_topics(self, topics: list[str]) -> list[dict[str, Any]]: ...
    def describe_configs(
        self, config_resources: list[ConfigResource], *, config_filter: str
    ) -> dict[str, dict[str, dict[str, dict[str, Any]]]]: ...
    def create_topics(
        self, new_topics: dict[str, dict[str, Any]], *, timeout_ms: int, wait_for_metadata: bool
    ) -> object: ...
    def alter_configs(self, config_resources: list[ConfigResource]) -> object: ...


class PartitionsDifferError(Exception):
    """A topic exists with another number of partitions than the one asked for."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One property of an existing topic that is not as declared."""

    topic: str
    name: str
    declared: str
    found: str | None

    def __str__(self) -> str:
        found = "not set" if self.found is None else self.found
        return f"{self.topic}: {self.name} is {found}, declared is {self.declared}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `ensure_topics` did and found."""

    created: tuple[str, ...]
    altered: tuple[Difference, ...]
    differences: tuple[Difference, ...]


def connect(connection: KafkaConnection) -> AbstractContextManager[KafkaAdminClient]:
    """Return an admin client, to be used as a context manager. Raises kafka-python's KafkaError out of reach."""
    return closing(
        KafkaAdminClient(
            **connection.client_options(),
            bootstrap_timeout_ms=CONNECT_MILLISECONDS_MAX,
            request_timeout_ms=REQUEST_MILLISECONDS_MAX,
        )
    )


def ensure_topics(admin: Admin, settings: TopicsSettings, *, alter: bool = False) -> Outcome:
    """Create the declared topics that are missing, and compare the others with their declaration.

    With `alter`, configuration that differs is set to what is declared. Can be repeated at any time; another process
    that creates the same topics meanwhile does no harm. Raises PartitionsDifferError, before anything is changed,
    when a topic has another number of partitions.
    """
    existing = _existing(admin)
    for name, description in existing.items():
        found = len(description["partitions"])
        if found != settings.partitions:
            raise PartitionsDifferError(f"{name} has {found} partitions, not {settings.partitions}. {REBUILD}")
    missing = [topic for topic in TOPICS if topic.name not in existing]
    created = _create(admin, missing, settings)
    differences = _differences(admin, [topic for topic in TOPICS if topic.name in existing], existing, settings)
    alterable = tuple(difference for difference in differences if difference.name != "replication.factor")
    if not (alter and alterable):
        return Outcome(created, (), tuple(differences))
    _alter(admin, alterable)
    return Outcome(created, alterable, tuple(one for one in differences if one not in alterable))


def declared_config(topic: Topic, settings: TopicsSettings) -> dict[str, str]:
    """Return a topic's configuration: what its declaration says, and what depends on the cluster."""
    config = topic.config | {"min.insync.replicas": str(settings.min_insync_replicas)}
    if settings.flush_messages is not None:
        config["flush.messages"] = str(settings.flush_messages)
    return config


def _existing(admin: Admin) -> dict[str, dict[str, Any]]:
    described = admin.describe_topics([topic.name for topic in TOPICS])
    return {str(one["name"]): one for one in described if one["error_code"] != UNKNOWN_TOPIC}


def _create(admin: Admin, missing: list[Topic], settings: TopicsSettings) -> tuple[str, ...]:
    if not missing:
        return ()
    wanted = {
        topic.name: {
            "num_partitions": settings.partitions,
            "replication_factor": settings.replication_factor,
            "configs": declared_config(topic, settings),
        }
        for topic in missing
    }
    try:
        admin.create_topics(wanted, timeout_ms=CREATE_MILLISECONDS_MAX, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        # Another process was quicker; whether it made them alike shows at the next run.
        return ()
    return tuple(wanted)


def _differences(
    admin: Admin, topics: list[Topic], existing: Mapping[str, dict[str, Any]], settings: TopicsSettings
) -> list[Difference]:
    if not topics:
        return []
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    configs = admin.describe_configs(resources, config_filter="all")["topic"]
    differences = []
    for topic in topics:
        copies = {len(partition["replica_nodes"]) for partition in existing[topic.name]["partitions"]}
        if copies != {settings.replication_factor}:
            found = ", ".join(map(str, sorted(copies)))
            differences.append(Difference(topic.name, "replication.factor", str(settings.replication_factor), found))
        for name, declared in declared_config(topic, settings).items():
            value = configs[topic.name].get(name, {}).get("value")
            if value != declared:
                differences.append(Difference(topic.name, name, declared, value))
    return differences


def _alter(admin: Admin, differences: tuple[Difference, ...]) -> None:
    changes: dict[str, dict[str, str]] = {}
    for difference in differences:
        changes.setdefault(difference.topic, {})[difference.name] = difference.declared
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, config) for name, config in changes.items()])
