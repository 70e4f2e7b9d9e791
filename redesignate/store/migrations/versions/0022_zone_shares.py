# SPDX-License-Identifier: Apache-2.0
"""zones that are shared with other projects"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table, and the count, which is NULL for a zone that was never shared: no row is written."""
    tables = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    options: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in tables.items()}
    op.create_table(
        "zone_shares",
        sa.Column("id", _name(36), primary_key=True),
        sa.Column("zone_id", _name(36), nullable=False),
        sa.Column("target_project_id", _name(36), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger()),
        sa.UniqueConstraint("zone_id", "target_project_id", name="uq_zone_shares_target"),
        **options,
    )
    op.create_index("ix_zone_shares_target", "zone_shares", ["target_project_id", "zone_id"])
    op.create_index("ix_zone_shares_created_at", "zone_shares", ["zone_id", "created_at", "id"])
    op.create_index("ix_zone_shares_updated_at", "zone_shares", ["zone_id", "updated_at", "id"])
    if "shares" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("zones")}:
        op.add_column("zones", sa.Column("shares", sa.Integer()))
