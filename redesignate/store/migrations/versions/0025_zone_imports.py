# SPDX-License-Identifier: Apache-2.0
"""imports of zone files"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables."""
    tables = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    options: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in tables.items()}
    long = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
    op.create_table(
        "zone_imports",
        sa.Column("id", _name(36), primary_key=True),
        sa.Column("project_id", _name(36)),
        sa.Column("zone_id", _name(36)),
        sa.Column("status", _name(8), nullable=False),
        sa.Column("message", _name(255)),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger()),
        sa.Column("caller", long, nullable=False),
        sa.Column("attributes", long, nullable=False),
        sa.Column("parts", sa.Integer()),
        sa.Column("target_id", _name(36), nullable=False),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.Column("todo", sa.Boolean(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("lease_owner", _name(128)),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        **options,
    )
    op.create_index("ix_zone_imports_zone", "zone_imports", ["zone_id"])
    op.create_index("ix_zone_imports_todo", "zone_imports", ["todo", "lease_until"])
    op.create_index("ix_zone_imports_project", "zone_imports", ["project_id", "id"])
    for column in ("created_at", "updated_at"):
        op.create_index(f"ix_zone_imports_{column}", "zone_imports", [column, "id"])
        op.create_index(f"ix_zone_imports_project_{column}", "zone_imports", ["project_id", column, "id"])
    op.create_table(
        "zone_import_parts",
        sa.Column("import_id", _name(36), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb"), nullable=False),
        **options,
    )
