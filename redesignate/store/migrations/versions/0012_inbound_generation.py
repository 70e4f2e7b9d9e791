# SPDX-License-Identifier: Apache-2.0
"""the number of an inbound lease

A worker that leases a zone again, because its primaries were changed, must not finish with what it fetched before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Leases that are held now go on as the first."""
    op.add_column("inbound", sa.Column("generation", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("inbound") as table:
        table.alter_column("generation", existing_type=sa.BigInteger(), existing_nullable=False, server_default=None)
