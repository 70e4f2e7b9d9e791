# SPDX-License-Identifier: Apache-2.0
"""exports of zones"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table."""
    tables = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    options: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in tables.items()}
    op.create_table(
        "zone_exports",
        sa.Column("id", _name(36), primary_key=True),
        sa.Column("project_id", _name(36)),
        sa.Column("zone_id", _name(36), nullable=False),
        sa.Column("status", _name(8), nullable=False),
        sa.Column("message", _name(160)),
        sa.Column("location", _name(160)),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger()),
        **options,
    )
    op.create_index("ix_zone_exports_zone", "zone_exports", ["zone_id"])
    op.create_index("ix_zone_exports_project", "zone_exports", ["project_id", "id"])
    for column in ("created_at", "updated_at"):
        op.create_index(f"ix_zone_exports_{column}", "zone_exports", [column, "id"])
        op.create_index(f"ix_zone_exports_project_{column}", "zone_exports", ["project_id", column, "id"])
