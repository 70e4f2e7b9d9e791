# SPDX-License-Identifier: Apache-2.0
"""when an outbox row was leased

So that a change can tell, for a lease of any length, whether a worker has only just taken its zone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nobody knows of the leases that run."""
    op.add_column("outbox", sa.Column("leased_at", sa.BigInteger()))
