# SPDX-License-Identifier: Apache-2.0
"""order keys of NSEC3 and RRSIG record sets, which stand apart from those of names

In steps, as 0004; a migration that was broken off goes on where it stopped.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STEP = 2000
RRSIG, NSEC3 = "TYPE46", "TYPE50"
PREFIX = b"\0"


def upgrade() -> None:
    """Move the keys of both types before those of names."""
    connection = op.get_bind()
    rrsets = sa.table("rrsets", *(sa.column(name) for name in ("id", "type", "order_key")))
    some = (
        sa.select(rrsets.c.id, rrsets.c.order_key)
        .where(rrsets.c.type == sa.bindparam("kind"), rrsets.c.id > sa.bindparam("after"))
        .order_by(rrsets.c.id)
        .limit(STEP)
    )
    write = rrsets.update().where(rrsets.c.id == sa.bindparam("ident")).values(order_key=sa.bindparam("key"))
    for kind in (RRSIG, NSEC3):
        after = ""
        while rows := connection.execute(some, {"kind": kind, "after": after}).all():
            after = rows[-1].id
            keys = [
                {"ident": row.id, "key": PREFIX * 2 if kind == RRSIG else (PREFIX + bytes(row.order_key))[:512]}
                for row in rows
                if row.order_key is not None and not bytes(row.order_key).startswith(PREFIX)
            ]
            if keys:
                connection.execute(write, keys)
            if connection.dialect.name != "sqlite":
                connection.commit()
