"""Rewards: the terms' list, claims of each, and which pledge and entry claims what.

Those of a campaign that is in the database already come with `cercles rebuild --campaign`.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"
branch_labels: Final = None
depends_on: Final = None

_TABLE: Final = "reward_totals"
_ID: Final = sa.String(255)


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("campaign_id", _ID, nullable=False),
        sa.Column("reward_id", _ID, nullable=False),
        sa.Column("claimed", sa.BigInteger, nullable=False),
        sa.Column("claims_left", sa.BigInteger),
        sa.Column("exhausted_claims", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "reward_id", name=f"pk_{_TABLE}"),
    )
    # With defaults, so that the rows that stand need not be written again.
    op.add_column("campaigns", sa.Column("rewards", sa.JSON, nullable=False, server_default=sa.text("'[]'")))
    op.add_column(
        "campaign_totals",
        sa.Column("unknown_reward_claims", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    )
    op.add_column("pledges", sa.Column("reward_id", _ID))
    op.add_column(
        "ledger_entries", sa.Column("reward_exhausted", sa.Boolean, nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    for table, column in (
        ("ledger_entries", "reward_exhausted"),
        ("pledges", "reward_id"),
        ("campaign_totals", "unknown_reward_claims"),
        ("campaigns", "rewards"),
    ):
        op.drop_column(table, column)
    op.drop_table(_TABLE)
