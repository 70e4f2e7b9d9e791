# SPDX-License-Identifier: Apache-2.0
"""changes of pools that have not reached every zone yet"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    tables = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    options: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in tables.items()}
    op.create_table(
        "pool_changes",
        sa.Column("pool_id", _name(36), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("up_to", _name(36), nullable=False),
        sa.Column("peers", sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb"), nullable=False),
        sa.Column("zones", sa.Integer(), nullable=False),
        sa.Column("queued", sa.Integer(), nullable=False),
        **options,
    )
