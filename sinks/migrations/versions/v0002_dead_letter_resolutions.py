"""What people decided about dead letters: replayed or dropped."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"
branch_labels: Final = None
depends_on: Final = None

_TABLE: Final = "dead_letter_resolutions"
_PLACE: Final = ("topic", "partition_number", "record_offset")


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column(
            "resolution_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("topic", sa.String(249), nullable=False),
        sa.Column("partition_number", sa.Integer, nullable=False),
        sa.Column("record_offset", sa.BigInteger, nullable=False),
        sa.Column("resolution", sa.String(16), nullable=False),
        sa.Column("why", sa.Text),
        sa.Column("log_partition", sa.Integer),
        sa.Column("log_offset", sa.BigInteger),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("resolution_id", name=f"pk_{_TABLE}"),
    )
    op.create_index(f"ix_{_TABLE}_{'_'.join(_PLACE)}", _TABLE, list(_PLACE))


def downgrade() -> None:
    op.drop_table(_TABLE)
