# SPDX-License-Identifier: Apache-2.0
"""where a shared zone stands in the lists of those who see it"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Repeat in each share what never changes of its zone; nothing in those that an older process makes meanwhile."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("zone_shares")}
    if "zone_created_at" not in there:
        op.add_column("zone_shares", sa.Column("zone_created_at", sa.BigInteger(), nullable=False, server_default="0"))
    if "zone_name" not in there:
        op.add_column("zone_shares", sa.Column("zone_name", _name(255), nullable=False, server_default=sa.text("''")))
    zones = sa.table("zones", sa.column("id"), sa.column("created_at"), sa.column("name"))
    shares = sa.table("zone_shares", sa.column("zone_id"), sa.column("zone_created_at"), sa.column("zone_name"))
    of = {
        "zone_created_at": sa.select(zones.c.created_at).where(zones.c.id == shares.c.zone_id).scalar_subquery(),
        "zone_name": sa.select(zones.c.name).where(zones.c.id == shares.c.zone_id).scalar_subquery(),
    }
    known = sa.select(zones.c.id).where(zones.c.id == shares.c.zone_id).exists()
    op.execute(shares.update().where(known).values(of))
    made = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("zone_shares")}
    for column in ("created_at", "name"):
        key = ["target_project_id", f"zone_{column}", "zone_id"]
        if f"ix_zone_shares_target_{column}" not in made:
            op.create_index(f"ix_zone_shares_target_{column}", "zone_shares", key)
