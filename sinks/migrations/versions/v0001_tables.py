"""All tables, and the view `day_totals`."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None
branch_labels: Final = None
depends_on: Final = None

_ID: Final = sa.String(255)
_MOMENT: Final = sa.DateTime(timezone=True)
DAY_TOTALS_VIEW: Final = (
    "CREATE VIEW day_totals AS "
    "SELECT campaign_id, day, CAST(SUM(pledged_minor) AS BIGINT) AS pledged_minor, "
    "CAST(SUM(collected_minor) AS BIGINT) AS collected_minor "
    "FROM ledger_entries WHERE day IS NOT NULL GROUP BY campaign_id, day"
)


def upgrade() -> None:
    _campaigns()
    _totals()
    _pledges()
    _entries()
    _milestones()
    _dead_letters()
    _sink_positions()
    op.execute(DAY_TOTALS_VIEW)


def downgrade() -> None:
    op.execute("DROP VIEW day_totals")
    for table in (
        "sink_positions",
        "dead_letters",
        "milestones",
        "ledger_entries",
        "pledges",
        "circle_totals",
        "campaign_totals",
        "campaigns",
    ):
        op.drop_table(table)


def _campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("campaign_id", _ID, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("owner_id", _ID, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("goal_minor", sa.BigInteger, nullable=False),
        sa.Column("goal_basis", sa.String(16), nullable=False),
        sa.Column("funding_model", sa.String(16), nullable=False),
        sa.Column("stretch_goals", sa.JSON, nullable=False),
        sa.Column("opens_at", _MOMENT, nullable=False),
        sa.Column("closes_at", _MOMENT, nullable=False),
        sa.Column("settle_hours", sa.Integer, nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("sources", sa.JSON, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", name="pk_campaigns"),
    )


def _totals() -> None:
    op.create_table(
        "campaign_totals",
        sa.Column("campaign_id", _ID, nullable=False),
        sa.Column("partition_number", sa.Integer, nullable=False),
        sa.Column("position_offset", sa.BigInteger, nullable=False),
        sa.Column("position_number", sa.BigInteger, nullable=False),
        sa.Column("fold_version", sa.String(64), nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("gap_offset", sa.BigInteger),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("goal_minor", sa.BigInteger, nullable=False),
        sa.Column("pledged_minor", sa.BigInteger, nullable=False),
        sa.Column("collected_minor", sa.BigInteger, nullable=False),
        sa.Column("over_returned_minor", sa.BigInteger, nullable=False),
        sa.Column("late_minor", sa.BigInteger, nullable=False),
        sa.Column("percent", sa.BigInteger, nullable=False),
        sa.Column("backers", sa.BigInteger, nullable=False),
        sa.Column("unattributed", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", name="pk_campaign_totals"),
    )
    op.create_index("ix_campaign_totals_partition_number", "campaign_totals", ["partition_number"])
    op.create_index("ix_campaign_totals_currency_pledged_minor", "campaign_totals", ["currency", "pledged_minor"])
    op.create_table(
        "circle_totals",
        sa.Column("campaign_id", _ID, nullable=False),
        sa.Column("circle", sa.String(24), nullable=False),
        sa.Column("pledged_minor", sa.BigInteger, nullable=False),
        sa.Column("collected_minor", sa.BigInteger, nullable=False),
        sa.Column("backers", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "circle", name="pk_circle_totals"),
    )


def _pledges() -> None:
    op.create_table(
        "pledges",
        sa.Column("campaign_id", _ID, nullable=False),
        sa.Column("pledge_id", _ID, nullable=False),
        sa.Column("circle", sa.String(24), nullable=False),
        sa.Column("unattributed", sa.String(24)),
        sa.Column("pledged_minor", sa.BigInteger, nullable=False),
        sa.Column("collected_minor", sa.BigInteger, nullable=False),
        sa.Column("over_returned_minor", sa.BigInteger, nullable=False),
        sa.Column("late", sa.Boolean, nullable=False),
        sa.Column("day", sa.Date),
        sa.Column("made_at", _MOMENT),
        sa.Column("backer_id", _ID),
        sa.Column("share_token", _ID),
        sa.PrimaryKeyConstraint("campaign_id", "pledge_id", name="pk_pledges"),
    )


def _entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("partition_number", sa.Integer, nullable=False),
        sa.Column("log_offset", sa.BigInteger, nullable=False),
        sa.Column("entry_number", sa.BigInteger, nullable=False),
        sa.Column("campaign_id", _ID, nullable=False),
        sa.Column("event_id", _ID, nullable=False),
        sa.Column("event_type", sa.String(64), nullable=False),
        sa.Column("occurred_at", _MOMENT, nullable=False),
        sa.Column("pledge_id", _ID),
        sa.Column("circle", sa.String(24)),
        sa.Column("day", sa.Date),
        sa.Column("pledged_minor", sa.BigInteger, nullable=False),
        sa.Column("collected_minor", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("partition_number", "log_offset", "entry_number", name="pk_ledger_entries"),
    )
    op.create_index(
        "ix_ledger_entries_campaign_id_log_offset_entry_number",
        "ledger_entries",
        ["campaign_id", "log_offset", "entry_number"],
    )


def _milestones() -> None:
    op.create_table(
        "milestones",
        sa.Column("partition_number", sa.Integer, nullable=False),
        sa.Column("log_offset", sa.BigInteger, nullable=False),
        sa.Column("milestone_number", sa.BigInteger, nullable=False),
        sa.Column("campaign_id", _ID, nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("step", sa.BigInteger),
        sa.Column("occurrence", sa.BigInteger),
        sa.Column("stretch_goal_id", _ID),
        sa.Column("threshold_minor", sa.BigInteger, nullable=False),
        sa.Column("total_minor", sa.BigInteger, nullable=False),
        sa.Column("event_id", _ID, nullable=False),
        sa.Column("occurred_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("partition_number", "log_offset", "milestone_number", name="pk_milestones"),
    )
    op.create_index(
        "ix_milestones_campaign_id_log_offset_milestone_number",
        "milestones",
        ["campaign_id", "log_offset", "milestone_number"],
    )
    op.create_index("ix_milestones_type", "milestones", ["type"])


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        # SQLite makes a primary key count up by itself only when its type is exactly INTEGER.
        sa.Column(
            "dead_letter_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("topic", sa.String(249), nullable=False),
        sa.Column("partition_number", sa.Integer, nullable=False),
        sa.Column("record_offset", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("campaign_id", _ID),
        sa.Column("event_id", _ID),
        sa.Column("key", sa.LargeBinary),
        sa.Column("value", sa.LargeBinary),
        sa.Column("value_sha256", sa.String(64)),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("refused_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("dead_letter_id", name="pk_dead_letters"),
        sa.UniqueConstraint(
            "topic", "partition_number", "record_offset", name="uq_dead_letters_topic_partition_number_record_offset"
        ),
    )
    op.create_index("ix_dead_letters_reason", "dead_letters", ["reason"])


def _sink_positions() -> None:
    op.create_table(
        "sink_positions",
        sa.Column("topic", sa.String(249), nullable=False),
        sa.Column("partition_number", sa.Integer, nullable=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.Column("log_next_offset", sa.BigInteger, nullable=False),
        sa.Column("dead_letters_next_offset", sa.BigInteger, nullable=False),
        sa.Column("topic_id", sa.String(36)),
        sa.Column("log_id", sa.String(36)),
        sa.PrimaryKeyConstraint("topic", "partition_number", name="pk_sink_positions"),
    )
