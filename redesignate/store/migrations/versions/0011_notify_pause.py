# SPDX-License-Identifier: Apache-2.0
"""when a NOTIFY may next have a SECONDARY zone's primaries queried

NULL for processes of before, which know nothing of a pause.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("inbound", sa.Column("rest_until", sa.BigInteger()))
    op.add_column("inbound", sa.Column("vain_notifies", sa.Integer()))
