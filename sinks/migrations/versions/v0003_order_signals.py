"""Of an order signal: the circle that opened, and the narrower one whose total is told."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"
branch_labels: Final = None
depends_on: Final = None

_COLUMNS: Final = ("circle", "narrower_circle")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("milestones", sa.Column(name, sa.String(24)))


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("milestones", name)
