# SPDX-License-Identifier: Apache-2.0
"""the generation of outbox rows, and whether their worker waits

`queued_at` was both a time and the counter that keeps late reports from being written; `leased_at` was empty while the
worker waited for a slow server.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns; no worker counts as waiting during the upgrade."""
    op.add_column("outbox", sa.Column("generation", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("outbox", sa.Column("waiting", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE outbox SET generation = queued_at")
    with op.batch_alter_table("outbox") as table:
        table.alter_column("generation", existing_type=sa.BigInteger(), existing_nullable=False, server_default=None)
        table.alter_column("waiting", existing_type=sa.Boolean(), existing_nullable=False, server_default=None)
