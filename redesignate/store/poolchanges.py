# SPDX-License-Identifier: Apache-2.0
"""Changes of pools' servers that have not reached every zone yet: one row for each such pool.

The row is written in the transaction that changes the pool, and moved in each that queues some of its zones, so that
whoever comes next goes on where the last one stopped.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Row, func, select

from redesignate.store.fast import Module
from redesignate.store.schema import zones
from redesignate.store.settings_schema import pool_changes
from redesignate.store.zones import LIVE, Stale

FIRST = ""
"""Sorts before every zone's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolChange:
    """How far a change of a pool has come.

    version   the pool's
    up_to     zones with ids up to this one are queued
    peers     ids of the peers whose states do not hold any more
    zones     the number of the pool's zones when it changed; `queued`: how many of them are queued
    """

    pool_id: str
    version: int
    up_to: str
    peers: frozenset[str]
    zones: int
    queued: int


@dataclass(frozen=True, slots=True)
class Window:
    """The next zones in the order of ids, of any pool. `last`: the highest id, None where no more follow."""

    last: str | None
    mine: int


class PoolChanges(Module):
    """The unfinished changes of pools, of one transaction."""

    def begin(self, pool_id: str, version: int, peers: Collection[str]) -> PoolChange:
        """Note that every zone of a pool is to be queued. Call under the pool's lock. Three statements.

        A change that has not reached every zone begins again; the peers of both are forgotten.
        """
        held = self._conn.execute(_of(pool_id).with_for_update()).first()
        count = select(func.count()).where(zones.c.pool_id == pool_id, zones.c.deleted == LIVE)
        change = PoolChange(
            pool_id=pool_id,
            version=version,
            up_to=FIRST,
            peers=frozenset(peers) | (_change(held).peers if held else frozenset()),
            zones=self._conn.execute(count.select_from(zones)).scalar_one(),
            queued=0,
        )
        values = {
            "version": change.version,
            "up_to": change.up_to,
            "peers": msgspec.json.encode(sorted(change.peers)).decode(),
            "zones": change.zones,
            "queued": change.queued,
        }
        if held:
            self._conn.execute(pool_changes.update().where(pool_changes.c.pool_id == pool_id).values(values))
        else:
            self._conn.execute(pool_changes.insert().values(values | {"pool_id": pool_id}))
        return change

    def next(self) -> PoolChange | None:
        """An unfinished change, locked until this transaction ends. One query."""
        found = self._conn.execute(select(pool_changes).order_by(pool_changes.c.pool_id).limit(1).with_for_update())
        row = found.first()
        return _change(row) if row else None

    def window(self, change: PoolChange, limit: int) -> Window:
        """The next `limit` zones of all pools, in the order of ids. One query on the primary key.

        Not of the pool alone: that would need an index, which each new zone would pay for.
        """
        query = select(zones.c.id, zones.c.pool_id, zones.c.deleted).where(zones.c.id > change.up_to)
        found = self._conn.execute(query.order_by(zones.c.id).limit(limit)).all()
        mine = sum(row.pool_id == change.pool_id and row.deleted == LIVE for row in found)
        return Window(found[-1].id if len(found) == limit else None, mine)

    def advance(self, change: PoolChange, window: Window) -> None:
        """Note that a window's zones are queued; after the last window the change is done. One statement.

        Raises Stale if another transaction has moved it: on Galera a lock holds on one node only.
        """
        still = (
            pool_changes.c.pool_id == change.pool_id,
            pool_changes.c.version == change.version,
            pool_changes.c.up_to == change.up_to,
        )
        if window.last is None:
            done = self._conn.execute(pool_changes.delete().where(*still))
        else:
            moved = {"up_to": window.last, "queued": change.queued + window.mine}
            done = self._conn.execute(pool_changes.update().where(*still).values(moved))
        if done.rowcount != 1:
            raise Stale

    def left(self) -> tuple[int, int]:
        """The number of unfinished changes, and of their zones that are not queued yet. One query."""
        query = select(func.count(), func.coalesce(func.sum(pool_changes.c.zones - pool_changes.c.queued), 0))
        count, left = self._conn.execute(query.select_from(pool_changes)).one()
        return int(count), max(int(left), 0)

    def unqueued(self, pool_id: str) -> int:
        """The number of the pool's zones that its unfinished change has not queued yet, about. One query."""
        row = self._conn.execute(_of(pool_id)).first()
        return max(row.zones - row.queued, 0) if row else 0

    def forget(self, pool_id: str) -> None:
        """Remove the row of a pool that is deleted."""
        self._conn.execute(pool_changes.delete().where(pool_changes.c.pool_id == pool_id))


def _of(pool_id: str) -> Any:
    return select(pool_changes).where(pool_changes.c.pool_id == pool_id)


def _change(row: Row[Any]) -> PoolChange:
    return PoolChange(
        pool_id=row.pool_id,
        version=row.version,
        up_to=row.up_to,
        peers=frozenset(msgspec.json.decode(row.peers, type=list[str])),
        zones=row.zones,
        queued=row.queued,
    )
