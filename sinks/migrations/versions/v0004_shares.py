"""The links that were posted.

Those of a campaign that is in the database already come with `cercles rebuild --campaign`.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"
branch_labels: Final = None
depends_on: Final = None

_ID: Final = sa.String(255)


def upgrade() -> None:
    op.create_table(
        "shares",
        sa.Column("campaign_id", _ID, nullable=False),
        sa.Column("share_token", _ID, nullable=False),
        sa.Column("network", _ID, nullable=False),
        sa.Column("parent_token", _ID),
        sa.Column("circle", sa.String(24)),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "share_token", name="pk_shares"),
    )
    op.create_index("ix_shares_campaign_id_parent_token", "shares", ["campaign_id", "parent_token"])


def downgrade() -> None:
    op.drop_table("shares")
