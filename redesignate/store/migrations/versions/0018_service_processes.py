# SPDX-License-Identifier: Apache-2.0
"""the processes of a service on one host, which share its row"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the next heartbeats fill it. A Text column has no default on MySQL."""
    op.add_column("services", sa.Column("processes", sa.Text(), nullable=True))
    op.execute("UPDATE services SET processes = '{}'")
    with op.batch_alter_table("services") as table:
        table.alter_column("processes", existing_type=sa.Text(), nullable=False)
