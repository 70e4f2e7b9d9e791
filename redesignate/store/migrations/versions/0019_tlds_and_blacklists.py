# SPDX-License-Identifier: Apache-2.0
"""top-level domains and blacklisted patterns"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _described() -> list[sa.Column[Any]]:
    return [
        sa.Column("description", _name(160)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger()),
    ]


def upgrade() -> None:
    """Create the tables."""
    tables = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    options: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in tables.items()}
    for table, member in (("tlds", "name"), ("blacklists", "pattern")):
        op.create_table(
            table,
            sa.Column("id", _name(36), primary_key=True),
            sa.Column(member, _name(255), nullable=False),
            *_described(),
            sa.UniqueConstraint(member, name=f"uq_{table}_{member}"),
            **options,
        )
        op.create_index(f"ix_{table}_created_at", table, ["created_at", "id"])
        op.create_index(f"ix_{table}_updated_at", table, ["updated_at", "id"])
    op.create_table(
        "blacklist_needles",
        sa.Column("blacklist_id", _name(36), primary_key=True),
        sa.Column("position", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("gram", _name(3), nullable=False),
        sa.Column("needle", _name(255), nullable=False),
        **options,
    )
    op.create_index("ix_blacklist_needles_gram", "blacklist_needles", ["gram", "blacklist_id"])
