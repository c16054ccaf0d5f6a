"""What can go wrong between the topics and the database. Each message says what to do."""


class StalePositionError(Exception):
    """Another sink has moved this partition's position: nothing was written, and the position must be read again."""

    def __init__(self, topic: str, partition: int, position: int) -> None:
        super().__init__(f"the position of {topic}, partition {partition} is no longer {position}")


class HopelessError(Exception):
    """Trying again can't cure it: the process ends, and a person must decide."""


class UnreadableUpdateError(HopelessError):
    """A record of our own updates topic is not an update: whoever wrote it is broken or older than this sink."""


class OtherLogError(HopelessError):
    """The updates tell of another log than the one the database's positions belong to."""


class OtherTopicError(HopelessError):
    """The topic is not the one that the database's positions belong to: it was deleted and made again."""

    def __init__(self, topic: str, stored_id: str, found_id: str) -> None:
        super().__init__(
            f"the database belongs to the {topic} with id {stored_id}, and the broker's has id {found_id}: it was "
            "deleted and made again, or this is another cluster. Nothing of it was applied. Connect the database to "
            "the cluster it belongs to, or give this one an empty database (`cercles db upgrade` makes its tables)"
        )


class PositionLostError(HopelessError):
    """The topic no longer holds, or does not yet hold, what stands at the database's position."""


class SchemaError(HopelessError):
    """The database's tables are not those of this version."""


class UnsupportedDatabaseError(HopelessError):
    """The URL names neither SQLite nor PostgreSQL."""
