# SPDX-License-Identifier: Apache-2.0
"""transfers of zones between projects"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _table(name: str, *parts: sa.schema.SchemaItem) -> None:
    tables = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    options: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in tables.items()}
    op.create_table(name, *parts, **options)


def _indexes(table: str, *sides: str) -> None:
    for column in ("created_at", "updated_at", "id"):
        key = [column] if column == "id" else [column, "id"]
        if column != "id":
            op.create_index(f"ix_{table}_{column}", table, key)
        for side in sides:
            op.create_index(f"ix_{table}_{side.removesuffix('_id')}_{column}", table, [side, *key])


def upgrade() -> None:
    """Create the tables, and the column of zones whose RRsets are written over in steps, which is NULL for others."""
    _table(
        "zone_transfer_requests",
        sa.Column("id", _name(36), primary_key=True),
        sa.Column("zone_id", _name(36), nullable=False),
        sa.Column("project_id", _name(36)),
        sa.Column("target_project_id", _name(36)),
        sa.Column("secret", _name(255), nullable=False),
        sa.Column("status", _name(8), nullable=False),
        sa.Column("open", _name(36), nullable=False),
        sa.Column("description", _name(160)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger()),
        sa.UniqueConstraint("zone_id", "open", name="uq_zone_transfer_requests_open"),
    )
    _indexes("zone_transfer_requests", "project_id", "target_project_id")
    _table(
        "zone_transfer_accepts",
        sa.Column("id", _name(36), primary_key=True),
        sa.Column("zone_id", _name(36), nullable=False),
        sa.Column("zone_transfer_request_id", _name(36), nullable=False),
        sa.Column("project_id", _name(36)),
        sa.Column("status", _name(8), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger()),
    )
    op.create_index("ix_zone_transfer_accepts_zone", "zone_transfer_accepts", ["zone_id"])
    _indexes("zone_transfer_accepts", "project_id")
    _table(
        "zone_transfer_tries",
        sa.Column("request_id", _name(36), primary_key=True),
        sa.Column("project_id", _name(36), primary_key=True),
        sa.Column("tries", sa.Integer(), nullable=False),
    )
    _table(
        "zone_handovers",
        sa.Column("zone_id", _name(36), primary_key=True),
        sa.Column("up_to", _name(36), nullable=False),
    )
    if "handed" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("zones")}:
        op.add_column("zones", sa.Column("handed", sa.BigInteger()))
