# SPDX-License-Identifier: Apache-2.0
"""figures that services report with their heartbeats"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; a service's next heartbeat fills it. A Text column has no default on MySQL."""
    op.add_column("services", sa.Column("stats", sa.Text(), nullable=True))
    op.execute("UPDATE services SET stats = '{}'")
    with op.batch_alter_table("services") as table:
        table.alter_column("stats", existing_type=sa.Text(), nullable=False)
