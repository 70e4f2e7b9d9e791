# SPDX-License-Identifier: Apache-2.0
"""attempts at imports

So that an import that fails unexpectedly again and again ends.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("zone_imports")}
    if "attempts" not in there:
        op.add_column("zone_imports", sa.Column("attempts", sa.Integer()))
