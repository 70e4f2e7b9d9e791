# SPDX-License-Identifier: Apache-2.0
"""the revision of a SECONDARY zone's copy, and the version of its row that every step writes

A central of before neither keeps them nor knows of copies: stop every central before one of this version starts.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. A copy that is served now has no revision: its zone is fetched again."""
    op.add_column("inbound", sa.Column("kept_revision", sa.BigInteger()))
    op.add_column("inbound", sa.Column("version", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("inbound") as table:
        table.alter_column("version", existing_type=sa.BigInteger(), existing_nullable=False, server_default=None)
