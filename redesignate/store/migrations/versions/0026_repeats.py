# SPDX-License-Identifier: Apache-2.0
"""requests that clients may repeat

So that a POST that is sent twice with one Idempotency-Key is carried out once.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    tables = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    options: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in tables.items()}
    op.create_table(
        "repeats",
        sa.Column("id", _name(64), primary_key=True),
        sa.Column("digest", _name(64), nullable=False),
        sa.Column("answer", sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")),
        sa.Column("at", sa.BigInteger(), nullable=False),
        **options,
    )
    op.create_index("ix_repeats_at", "repeats", ["at"])
