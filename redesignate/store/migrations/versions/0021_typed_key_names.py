# SPDX-License-Identifier: Apache-2.0
"""TSIG keys' names as they were typed, and an index for each order of their list"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the indexes."""
    name = sa.String(160).with_variant(sa.String(160, collation="C"), "postgresql")
    op.add_column("tsigkeys", sa.Column("typed_name", name))
    op.create_index("ix_tsigkeys_created_at", "tsigkeys", ["created_at", "id"])
    op.create_index("ix_tsigkeys_updated_at", "tsigkeys", ["updated_at", "id"])
