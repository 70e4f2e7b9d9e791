# SPDX-License-Identifier: Apache-2.0
"""the copy of a SECONDARY zone that is served while a large difference is stored in steps

A process of before serves, or publishes, the rows that the steps change: stop all services for this upgrade.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table, and its state in `inbound`."""
    tables = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    options: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in tables.items()}
    op.add_column("inbound", sa.Column("loader", _name(36)))
    op.add_column("inbound", sa.Column("kept_rrsets", sa.Integer()))
    op.add_column("inbound", sa.Column("kept_records", sa.Integer()))
    op.create_table(
        "kept_rrsets",
        sa.Column("zone_id", _name(36), primary_key=True),
        sa.Column("name", _name(255), primary_key=True),
        sa.Column("type", _name(16), primary_key=True),
        sa.Column("ttl", sa.Integer()),
        sa.Column("wire", sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb"), nullable=False),
        sa.Column("order_key", sa.LargeBinary().with_variant(mysql.VARBINARY(512), "mysql", "mariadb")),
        **options,
    )
    op.create_index("ix_kept_rrsets_order", "kept_rrsets", ["zone_id", "order_key"])
