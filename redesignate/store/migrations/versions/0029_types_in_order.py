# SPDX-License-Identifier: Apache-2.0
"""record sets of one type in the order of their creation

An index that was made before the migration was broken off is not made again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes of zones and of projects."""
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("rrsets")}
    for owner in ("zone", "project"):
        name = f"ix_rrsets_{owner}_type_created_at"
        if name not in there:
            op.create_index(name, "rrsets", [f"{owner}_id", "type", "created_at", "id"])
