"""The visits of links, by where they came from.

Those of a campaign that is in the database already come with `cercles rebuild --campaign`.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"
branch_labels: Final = None
depends_on: Final = None

_ID: Final = sa.String(255)


def upgrade() -> None:
    op.create_table(
        "share_visits",
        sa.Column("campaign_id", _ID, nullable=False),
        sa.Column("share_token", _ID, nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("visits", sa.BigInteger, nullable=False),
        sa.Column("bots", sa.BigInteger, nullable=False),
        sa.Column("prefetches", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "share_token", "origin", name="pk_share_visits"),
    )


def downgrade() -> None:
    op.drop_table("share_visits")
