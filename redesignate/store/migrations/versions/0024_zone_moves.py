# SPDX-License-Identifier: Apache-2.0
"""pools that zones have left and whose servers may still have them"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def _text(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    tables = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    options: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in tables.items()}
    op.create_table(
        "zone_moves",
        sa.Column("zone_id", _text(36), primary_key=True),
        sa.Column("pool_id", _text(36), primary_key=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("removal_id", _text(36)),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        **options,
    )
    op.create_index("ix_zone_moves_pool", "zone_moves", ["pool_id"])
