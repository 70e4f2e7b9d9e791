# SPDX-License-Identifier: Apache-2.0
"""Zones at rest: those without work in the outbox, for the audit of what servers serve."""

from __future__ import annotations

from sqlalchemy import Connection, select

from redesignate.model.audit import RestingZone
from redesignate.model.zone import Action, Status
from redesignate.store.outbox import WAITING
from redesignate.store.schema import outbox, zones
from redesignate.store.settings_schema import pools
from redesignate.store.zones import LIVE


def at_rest(
    conn: Connection, after: str, *, first_shard: int, last_shard: int, pool_id: str | None, busy: bool, limit: int
) -> tuple[RestingZone, ...]:
    """A page of live zones that servers must have, by id; without `busy` only those without work in the outbox.

    One query on the id's index.
    """
    query = (
        select(zones.c.id, zones.c.name, zones.c.serial, zones.c.revision, zones.c.pool_id, pools.c.version)
        .join(pools, pools.c.id == zones.c.pool_id)
        .where(zones.c.deleted == LIVE, zones.c.id > after, zones.c.shard.between(first_shard, last_shard))
        .order_by(zones.c.id)
        .limit(limit)
    )
    if busy:
        query = query.where(zones.c.action != Action.DELETE.value, ~WAITING)
    else:
        working = select(outbox.c.zone_id).where(outbox.c.zone_id == zones.c.id).exists()
        query = query.where(zones.c.action == Action.NONE.value, zones.c.status == Status.ACTIVE.value, ~working)
    if pool_id is not None:
        query = query.where(zones.c.pool_id == pool_id)
    return tuple(
        RestingZone(
            zone_id=row.id,
            name=row.name,
            serial=row.serial,
            revision=row.revision,
            pool_id=row.pool_id,
            pool_version=row.version,
        )
        for row in conn.execute(query)
    )
