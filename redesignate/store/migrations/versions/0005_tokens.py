# SPDX-License-Identifier: Apache-2.0
"""API tokens"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table."""
    tables = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    options: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in tables.items()}
    op.create_table(
        "tokens",
        sa.Column("id", _name(36), primary_key=True),
        sa.Column("digest", _name(64), nullable=False),
        sa.Column("project_id", _name(36), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("description", _name(160)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("last_used_at", sa.BigInteger()),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
        **options,
    )
