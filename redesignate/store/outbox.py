# SPDX-License-Identifier: Apache-2.0
"""The outbox: one row for each zone that some peer has yet to agree on. Leases are conditional updates, so that of
two workers one gets a row, on every database and on every Galera node. Times in µs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, literal, or_, select

from redesignate.store.schema import outbox, peer_states, zones
from redesignate.store.zones import LIVE, shard_of

NEVER = 0
# Built once, as in store.zones.
_HELD = select(outbox.c.lease_until).where(outbox.c.zone_id == bindparam("z"))
_ADD = outbox.insert()
_RAISE = (
    outbox.update()
    .where(outbox.c.zone_id == bindparam("z"))
    .values(pool_id=bindparam("p"), revision=bindparam("r"), next_try=bindparam("t"), attempts=0)
)


class Outbox:
    """The outbox of one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def enqueue(self, zone_id: str, pool_id: str, revision: int, now: int) -> bool:
        """Have the zone brought to `revision`. Call under the zone's lock. Two statements.

        Returns whether a hint is wanted: not where a worker holds the row, for its report will see the new revision.
        """
        held = self._conn.execute(_HELD, {"z": zone_id}).scalar()
        if held is None:
            row = {
                "zone_id": zone_id,
                "pool_id": pool_id,
                "shard": shard_of(zone_id),
                "revision": revision,
                "queued_at": now,
                "next_try": now,
                "attempts": 0,
                "lease_owner": None,
                "lease_until": NEVER,
            }
            self._conn.execute(_ADD, row)
            return True
        self._conn.execute(_RAISE, {"z": zone_id, "p": pool_id, "r": revision, "t": now})
        return bool(held <= now)

    def enqueue_pool(self, pool_id: str, now: int) -> int:
        """Have every zone of a pool looked at again (its peers changed). Two statements."""
        known = select(outbox.c.zone_id).where(outbox.c.pool_id == pool_id)
        self._conn.execute(outbox.update().where(outbox.c.pool_id == pool_id).values(next_try=now))
        columns = ["zone_id", "pool_id", "shard", "revision", "queued_at", "next_try", "attempts", "lease_until"]
        missing = select(
            zones.c.id, zones.c.pool_id, zones.c.shard, zones.c.revision,
            literal(now), literal(now), literal(0), literal(NEVER),
        ).where(zones.c.pool_id == pool_id, zones.c.deleted == LIVE, zones.c.id.not_in(known))  # fmt: skip
        return self._conn.execute(outbox.insert().from_select(columns, missing)).rowcount

    def lease(self, worker: str, zone_ids: Collection[str], now: int, until: int) -> dict[str, Row[Any]]:
        """Take the rows of these zones that nobody holds (or that `worker` does). Two statements; the rows, by zone."""
        free = or_(outbox.c.lease_until <= now, outbox.c.lease_owner == worker)
        mine = and_(outbox.c.zone_id.in_(list(zone_ids)), free)
        taken = self._conn.execute(outbox.update().where(mine).values(lease_owner=worker, lease_until=until)).rowcount
        if not taken:
            return {}
        query = select(outbox).where(
            outbox.c.zone_id.in_(list(zone_ids)), outbox.c.lease_owner == worker, outbox.c.lease_until == until
        )
        return {row.zone_id: row for row in self._conn.execute(query)}

    def rows(self, zone_ids: Collection[str]) -> dict[str, Row[Any]]:
        """The rows of these zones. One query."""
        return {
            row.zone_id: row for row in self._conn.execute(select(outbox).where(outbox.c.zone_id.in_(list(zone_ids))))
        }

    def finish(self, done: Sequence[tuple[str, int]]) -> None:
        """Remove the rows of zones whose every peer agrees, where they ask for nothing newer. One statement."""
        if done:
            gone = outbox.delete().where(outbox.c.zone_id == bindparam("z"), outbox.c.revision <= bindparam("r"))
            self._conn.execute(gone, [{"z": zone_id, "r": revision} for zone_id, revision in done])

    def postpone(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write `next_try`, `attempts`, `lease_owner` and `lease_until` of zones that go on. One statement."""
        if rows:
            columns = ("next_try", "attempts", "lease_owner", "lease_until")
            change = outbox.update().where(outbox.c.zone_id == bindparam("z"))
            values: dict[str, Any] = {column: bindparam(f"v_{column}") for column in columns}
            given = [{"z": row["zone_id"]} | {f"v_{column}": row[column] for column in columns} for row in rows]
            self._conn.execute(change.values(values), given)

    def overdue(self, now: int, first_shard: int, last_shard: int, limit: int) -> tuple[str, ...]:
        """Zones due before `now` that nobody holds, oldest first. One query on next_try."""
        query = (
            select(outbox.c.zone_id)
            .where(
                outbox.c.next_try <= now,
                outbox.c.lease_until <= now,
                outbox.c.shard.between(first_shard, last_shard),
            )
            .order_by(outbox.c.next_try)
            .limit(limit)
        )
        return tuple(self._conn.execute(query).scalars())

    def hurry(self, pool_id: str, peer_id: str, now: int) -> int:
        """Make every zone of the pool that waits for this peer due now. Two statements; how many."""
        waits = and_(peer_states.c.peer_id == peer_id, peer_states.c.attempts > 0)
        waiting = list(self._conn.execute(select(peer_states.c.zone_id).where(waits)).scalars())
        if not waiting:
            return 0
        self._conn.execute(peer_states.update().where(waits).values(next_try=now))
        late = and_(outbox.c.pool_id == pool_id, outbox.c.next_try > now, outbox.c.zone_id.in_(
            select(peer_states.c.zone_id).where(waits)
        ))  # fmt: skip
        return self._conn.execute(outbox.update().where(late).values(next_try=now)).rowcount

    def forget(self, zone_id: str) -> None:
        """Remove a zone's row, whatever it asks for."""
        self._conn.execute(outbox.delete().where(outbox.c.zone_id == zone_id))
