"""The SQL tables: written by `sinks/`, read by `readers/` and the exporter. Money is BIGINT minor units."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite makes a primary key count up by itself only when its type is exactly INTEGER.
_Count = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, stored in UTC; always aware in Python, also on SQLite, which has no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (SQLAlchemy's signature)
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no offset: which moment it is cannot be known")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (likewise)
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


campaigns: Final = Table(
    "campaigns",
    metadata,
    Column("campaign_id", String(255), primary_key=True),
    Column("title", Text, nullable=False),
    Column("owner_id", String(255), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("goal_minor", BigInteger, nullable=False),
    Column("goal_basis", String(16), nullable=False),
    Column("funding_model", String(16), nullable=False),
    Column("stretch_goals", JSON, nullable=False),
    Column("opens_at", UtcDateTime, nullable=False),
    Column("closes_at", UtcDateTime, nullable=False),
    Column("settle_hours", Integer, nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("sources", JSON, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("rewards", JSON, nullable=False, server_default=text("'[]'")),
)

campaign_totals: Final = Table(
    "campaign_totals",
    metadata,
    Column("campaign_id", String(255), primary_key=True),
    Column("partition_number", Integer, nullable=False),
    Column("position_offset", BigInteger, nullable=False),
    Column("position_number", BigInteger, nullable=False),
    Column("fold_version", String(64), nullable=False),
    # False between the parts of an update that was too large for one record.
    Column("complete", Boolean, nullable=False),
    # Set when an update began above the position: something before it was missed, and totals stay as they are.
    Column("gap_offset", BigInteger, nullable=True),
    Column("currency", String(3), nullable=False),
    Column("goal_minor", BigInteger, nullable=False),
    Column("pledged_minor", BigInteger, nullable=False),
    Column("collected_minor", BigInteger, nullable=False),
    Column("over_returned_minor", BigInteger, nullable=False),
    Column("late_minor", BigInteger, nullable=False),
    Column("percent", BigInteger, nullable=False),
    Column("backers", BigInteger, nullable=False),
    Column("unattributed", JSON, nullable=False),
    Column("unknown_reward_claims", BigInteger, nullable=False, server_default=text("0")),
    Index(None, "partition_number"),
    Index(None, "currency", "pledged_minor"),
)

circle_totals: Final = Table(
    "circle_totals",
    metadata,
    Column("campaign_id", String(255), primary_key=True),
    Column("circle", String(24), primary_key=True),
    Column("pledged_minor", BigInteger, nullable=False),
    Column("collected_minor", BigInteger, nullable=False),
    Column("backers", BigInteger, nullable=False),
)

reward_totals: Final = Table(
    "reward_totals",
    metadata,
    Column("campaign_id", String(255), primary_key=True),
    Column("reward_id", String(255), primary_key=True),
    Column("claimed", BigInteger, nullable=False),
    # Null where the terms name no quantity.
    Column("claims_left", BigInteger, nullable=True),
    Column("exhausted_claims", BigInteger, nullable=False),
)

pledges: Final = Table(
    "pledges",
    metadata,
    Column("campaign_id", String(255), primary_key=True),
    Column("pledge_id", String(255), primary_key=True),
    Column("circle", String(24), nullable=False),
    Column("unattributed", String(24), nullable=True),
    Column("pledged_minor", BigInteger, nullable=False),
    Column("collected_minor", BigInteger, nullable=False),
    Column("over_returned_minor", BigInteger, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("day", Date, nullable=True),
    Column("made_at", UtcDateTime, nullable=True),
    Column("backer_id", String(255), nullable=True),
    Column("share_token", String(255), nullable=True),
    Column("reward_id", String(255), nullable=True),
)

shares: Final = Table(
    "shares",
    metadata,
    Column("campaign_id", String(255), primary_key=True),
    Column("share_token", String(255), primary_key=True),
    Column("network", String(255), nullable=False),
    Column("parent_token", String(255), nullable=True),
    # What a link without a parent was minted for.
    Column("circle", String(24), nullable=True),
    Column("posted_at", UtcDateTime, nullable=False),
    Column("day", Date, nullable=False),
    Index(None, "campaign_id", "parent_token"),
)

share_visits: Final = Table(
    "share_visits",
    metadata,
    Column("campaign_id", String(255), primary_key=True),
    # Also of a link that was not posted, or not yet.
    Column("share_token", String(255), primary_key=True),
    Column("origin", String(16), primary_key=True),
    Column("visits", BigInteger, nullable=False),
    Column("bots", BigInteger, nullable=False),
    Column("prefetches", BigInteger, nullable=False),
)

ledger_entries: Final = Table(
    "ledger_entries",
    metadata,
    Column("partition_number", Integer, primary_key=True),
    Column("log_offset", BigInteger, primary_key=True),
    Column("entry_number", BigInteger, primary_key=True),
    Column("campaign_id", String(255), nullable=False),
    Column("event_id", String(255), nullable=False),
    Column("event_type", String(64), nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("pledge_id", String(255), nullable=True),
    Column("circle", String(24), nullable=True),
    Column("day", Date, nullable=True),
    Column("pledged_minor", BigInteger, nullable=False),
    Column("collected_minor", BigInteger, nullable=False),
    # The pledge claimed a reward with this event, and none was left.
    Column("reward_exhausted", Boolean, nullable=False, server_default=false()),
    Index(None, "campaign_id", "log_offset", "entry_number"),
)

milestones: Final = Table(
    "milestones",
    metadata,
    Column("partition_number", Integer, primary_key=True),
    Column("log_offset", BigInteger, primary_key=True),
    Column("milestone_number", BigInteger, primary_key=True),
    Column("campaign_id", String(255), nullable=False),
    Column("type", String(64), nullable=False),
    Column("step", BigInteger, nullable=True),
    Column("occurrence", BigInteger, nullable=True),
    Column("stretch_goal_id", String(255), nullable=True),
    Column("threshold_minor", BigInteger, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("event_id", String(255), nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    # Of an order signal: the circle that opened, and the one whose total is told.
    Column("circle", String(24), nullable=True),
    Column("narrower_circle", String(24), nullable=True),
    Index(None, "campaign_id", "log_offset", "milestone_number"),
    Index(None, "type"),
)

dead_letters: Final = Table(
    "dead_letters",
    metadata,
    Column("dead_letter_id", _Count, primary_key=True, autoincrement=True),
    Column("topic", String(249), nullable=False),
    Column("partition_number", Integer, nullable=False),
    Column("record_offset", BigInteger, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("campaign_id", String(255), nullable=True),
    Column("event_id", String(255), nullable=True),
    Column("key", LargeBinary, nullable=True),
    Column("value", LargeBinary, nullable=True),
    Column("value_sha256", String(64), nullable=True),
    # Name and base64 of every original header.
    Column("headers", JSON, nullable=False),
    Column("refused_at", UtcDateTime, nullable=False),
    UniqueConstraint("topic", "partition_number", "record_offset"),
    Index(None, "reason"),
)

dead_letter_resolutions: Final = Table(
    "dead_letter_resolutions",
    metadata,
    # What a person decided about a dead letter; decisions are added, none is changed. It names the letter as its unique
    # place does, so that it can go along to another database.
    Column("resolution_id", _Count, primary_key=True, autoincrement=True),
    Column("topic", String(249), nullable=False),
    Column("partition_number", Integer, nullable=False),
    Column("record_offset", BigInteger, nullable=False),
    # `replayed` or `dropped`.
    Column("resolution", String(16), nullable=False),
    Column("why", Text, nullable=True),
    # Where a replayed record now stands on the log.
    Column("log_partition", Integer, nullable=True),
    Column("log_offset", BigInteger, nullable=True),
    Column("resolved_at", UtcDateTime, nullable=False),
    Index(None, "topic", "partition_number", "record_offset"),
)

sink_positions: Final = Table(
    "sink_positions",
    metadata,
    Column("topic", String(249), primary_key=True),
    Column("partition_number", Integer, primary_key=True),
    # Offset of the next record to read from that topic and partition.
    Column("next_offset", BigInteger, nullable=False),
    # From the progress records of `cercles.campaign-updates`: the log is folded below `log_next_offset`, and the dead
    # letters of that stretch stand below `dead_letters_next_offset`.
    Column("log_next_offset", BigInteger, nullable=False),
    Column("dead_letters_next_offset", BigInteger, nullable=False),
    # Kafka's ids of the topic itself and of the log it tells of.
    Column("topic_id", String(36), nullable=True),
    Column("log_id", String(36), nullable=True),
)

DAY_TOTALS: Final = Table(
    "day_totals",
    MetaData(),
    Column("campaign_id", String(255)),
    Column("day", Date),
    Column("pledged_minor", BigInteger),
    Column("collected_minor", BigInteger),
)
"""The view `day_totals`; apart from `metadata`, since the migration writes its query."""

DAY_TOTALS_QUERY: Final = (
    "SELECT campaign_id, day, CAST(SUM(pledged_minor) AS BIGINT) AS pledged_minor, "
    "CAST(SUM(collected_minor) AS BIGINT) AS collected_minor "
    "FROM ledger_entries WHERE day IS NOT NULL GROUP BY campaign_id, day"
)
