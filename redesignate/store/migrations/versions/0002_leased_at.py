# SPDX-License-Identifier: Apache-2.0
"""the time at which an outbox row was leased

From it a change knows, for any length of lease, whether a worker has only just taken its zone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; it is empty for current leases."""
    op.add_column("outbox", sa.Column("leased_at", sa.BigInteger()))
