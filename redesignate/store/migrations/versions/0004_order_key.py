# SPDX-License-Identifier: Apache-2.0
"""a key for the canonical order of record set names

Column and index are added first, which is fast; the keys of existing rows follow in steps. On PostgreSQL and MariaDB
each step is a transaction of its own, so that services continue meanwhile and an interrupted migration resumes where it
stopped. SQLite has a single writer and uses one transaction.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from redesignate.model.names import order_key

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STEP = 2000


def upgrade() -> None:
    """Add the column and its index where they are not there yet, and fill it."""
    connection = op.get_bind()
    there = sa.inspect(connection)
    if "order_key" not in {column["name"] for column in there.get_columns("rrsets")}:
        binary = sa.LargeBinary().with_variant(mysql.VARBINARY(512), "mysql", "mariadb")
        op.add_column("rrsets", sa.Column("order_key", binary))
    if "ix_rrsets_order" not in {index["name"] for index in there.get_indexes("rrsets")}:
        op.create_index("ix_rrsets_order", "rrsets", ["zone_id", "order_key"])
    _settle(connection)
    _fill(connection)


def _settle(connection: sa.Connection) -> None:
    """Commit what is done, so that nobody waits for the rest."""
    if connection.dialect.name != "sqlite":
        connection.commit()


def _fill(connection: sa.Connection) -> None:
    rrsets = sa.table("rrsets", *(sa.column(name) for name in ("id", "zone_id", "name", "type", "wire", "order_key")))
    zones = sa.table("zones", sa.column("id"), sa.column("name"))
    lacking = (
        sa.select(rrsets.c.id, rrsets.c.name, rrsets.c.order_key, rrsets.c.type,
                  sa.func.length(rrsets.c.wire).label("octets"), zones.c.name.label("zone"))
        .join_from(rrsets, zones, rrsets.c.zone_id == zones.c.id)
        .where(rrsets.c.id > sa.bindparam("after"))
        .order_by(rrsets.c.id)
        .limit(STEP)
    )  # fmt: skip
    write = rrsets.update().where(rrsets.c.id == sa.bindparam("ident")).values(order_key=sa.bindparam("key"))
    after = ""
    while rows := connection.execute(lacking, {"after": after}).all():
        after = rows[-1].id
        _write(connection, write, rows)


def _write(connection: sa.Connection, write: sa.Update, rows: Any) -> None:
    keys = [
        {"ident": row.id, "key": order_key(row.name, row.zone)}
        for row in rows
        if row.order_key is None and (row.octets or row.type == "SOA")
    ]
    if keys:
        connection.execute(write, keys)
    _settle(connection)
