# SPDX-License-Identifier: Apache-2.0
"""rows that the creation of a zone and the change of its pool both write, on Galera"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SLOTS = 16


def upgrade() -> None:
    """Make the table and its rows."""
    tables = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
    options: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in tables.items()}
    made = op.create_table(
        "pool_guards",
        sa.Column("slot", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        **options,
    )
    op.bulk_insert(made, [{"slot": slot, "version": 0} for slot in range(SLOTS)])
