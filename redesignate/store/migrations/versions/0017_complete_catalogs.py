# SPDX-License-Identifier: Apache-2.0
"""when a catalog zone was complete

A catalog zone without that time does not list all of its pool's zones yet, and is not served.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Those that exist were made in one transaction: they are complete."""
    op.execute("UPDATE zones SET transferred_at = created_at WHERE type = 'CATALOG'")
