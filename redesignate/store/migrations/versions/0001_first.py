# SPDX-License-Identifier: Apache-2.0
"""the first schema"""

from alembic import op

from redesignate.store.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    metadata.create_all(op.get_bind())
