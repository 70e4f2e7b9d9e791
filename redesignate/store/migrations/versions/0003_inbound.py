# SPDX-License-Identifier: Apache-2.0
"""when a SECONDARY zone's primaries are queried

Existing SECONDARY zones get a row that is due at once, so that they are transferred right after the upgrade.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table and fill it."""
    tables = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    options: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in tables.items()}
    op.create_table(
        "inbound",
        sa.Column("zone_id", _name(36), primary_key=True),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("loaded", sa.Boolean(), nullable=False),
        sa.Column("serial", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("notified_by", _name(64)),
        sa.Column("primary", _name(255)),
        sa.Column("error", _name(255)),
        sa.Column("lease_owner", _name(128)),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        **options,
    )
    op.create_index("ix_inbound_due_at", "inbound", ["due_at"])
    _fill()


def _fill() -> None:
    """A row for each living SECONDARY zone, as if it had just been made: due, and nothing fetched."""
    zones = sa.table("zones", *(sa.column(name) for name in ("id", "shard", "type", "deleted", "action")))
    inbound = sa.table(
        "inbound",
        *(sa.column(name) for name in (
            "zone_id", "shard", "due_at", "forced", "asked", "attempts", "loaded", "expires_at", "lease_until"
        )),
    )  # fmt: skip
    found = sa.select(
        zones.c.id, zones.c.shard, sa.literal(0), sa.false(), sa.literal(0), sa.literal(0), sa.false(), sa.literal(0),
        sa.literal(0),
    ).where(zones.c.type == "SECONDARY", zones.c.deleted == "", zones.c.action != "DELETE")  # fmt: skip
    op.execute(inbound.insert().from_select([column.name for column in inbound.c], found))
