# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL knows nothing of how many record sets a zone or a project has

What it gathers is true of the average zone, or of the time before a large one came, and then it reads all of a zone to
find one name. Without any it expects a two-hundredth of the table, and takes the index that says the most.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Gather none from now on; that the columns' types are given again removes what was gathered. No row or index is
    rewritten."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for column in ("zone_id", "project_id"):
        op.execute(
            f"ALTER TABLE rrsets ALTER COLUMN {column} SET STATISTICS 0,"
            f' ALTER COLUMN {column} TYPE VARCHAR(36) COLLATE "C"'
        )
