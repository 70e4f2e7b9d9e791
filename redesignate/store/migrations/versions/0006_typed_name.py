# SPDX-License-Identifier: Apache-2.0
"""names as they were typed"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns unless they exist; they are empty, which is fast on every database."""
    there = sa.inspect(op.get_bind())
    for table in ("zones", "rrsets"):
        if "typed_name" not in {column["name"] for column in there.get_columns(table)}:
            name = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")
            op.add_column(table, sa.Column("typed_name", name))
