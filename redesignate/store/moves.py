# SPDX-License-Identifier: Apache-2.0
"""Pools that zones have left and whose servers may still have them: a row for each such zone and pool."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, select

from redesignate.store.fast import Module
from redesignate.store.move_schema import zone_moves
from redesignate.store.zones import Stale


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A zone and a pool that it has left.

    revision    of the zone, which every server of its new pool must have before those of this pool drop it
    removal_id  the deleted zone by which this pool's servers are asked to; None: not yet
    """

    zone_id: str
    pool_id: str
    revision: int
    removal_id: str | None = None


class Moves(Module):
    """The moves of one transaction. What writes them holds the lock on the zone's row."""

    def begin(self, move: Move, now: int) -> None:
        """Note that a zone leaves a pool. One statement."""
        row = {"zone_id": move.zone_id, "pool_id": move.pool_id, "revision": move.revision, "started_at": now}
        self._conn.execute(zone_moves.insert().values(row))

    def of(self, zone_ids: Collection[str]) -> list[Move]:
        """The moves of these zones. One query."""
        query = select(zone_moves).where(zone_moves.c.zone_id.in_(list(zone_ids)))
        return [
            Move(zone_id=row.zone_id, pool_id=row.pool_id, revision=row.revision, removal_id=row.removal_id)
            for row in self._conn.execute(query.order_by(zone_moves.c.zone_id, zone_moves.c.pool_id))
        ]

    def zones_after(self, zone_id: str, limit: int) -> list[str]:
        """The next zones, by id, that have left a pool. One query on the primary key."""
        query = select(zone_moves.c.zone_id).where(zone_moves.c.zone_id > zone_id).distinct()
        return list(self._conn.execute(query.order_by(zone_moves.c.zone_id).limit(limit)).scalars())

    def leaves(self, pool_id: str) -> bool:
        """Whether a zone is leaving the pool. One query."""
        query = select(zone_moves.c.zone_id).where(zone_moves.c.pool_id == pool_id).limit(1)
        return self._conn.execute(query).first() is not None

    def removing(self, move: Move, removal_id: str) -> None:
        """Note by which deleted zone the pool's servers are asked to drop the zone. One statement. Raises Stale if
        another transaction has done so: on Galera a lock holds on one node only."""
        waiting = and_(_this(move.zone_id, move.pool_id), zone_moves.c.removal_id.is_(None))
        same = and_(waiting, zone_moves.c.revision == move.revision)
        if self._conn.execute(zone_moves.update().where(same).values(removal_id=removal_id)).rowcount != 1:
            raise Stale

    def end(self, zone_id: str, pool_id: str) -> None:
        """The pool's servers have dropped the zone, or are to have it again. One statement."""
        self._conn.execute(zone_moves.delete().where(_this(zone_id, pool_id)))

    def forget(self, zone_id: str) -> None:
        """Remove all moves of a zone. One statement."""
        self._conn.execute(zone_moves.delete().where(zone_moves.c.zone_id == zone_id))


def _this(zone_id: str, pool_id: str) -> ColumnElement[bool]:
    return and_(zone_moves.c.zone_id == zone_id, zone_moves.c.pool_id == pool_id)
