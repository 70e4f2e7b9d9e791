# SPDX-License-Identifier: Apache-2.0
"""Rows that the creation of a zone and a change of its pool both write, so that on Galera one of the two is undone.

`Pools.hold` locks the pool's row while a zone is created, but on Galera a lock is known to its own node alone: what two
nodes do at the same time is compared by the rows that both have written. So a creation writes one of SLOTS rows, chosen
by the zone's id, so that creations rarely meet; a change or deletion of a pool writes all of them. The transaction that
commits second is undone and run again (`store/unit.py`). Nothing is written on other databases.
"""

from __future__ import annotations

from sqlalchemy import bindparam

from redesignate.model.ids import shard_of
from redesignate.store.fast import Module, run
from redesignate.store.schema import pool_guards

SLOTS = 16
"""As many rows as the migration makes."""
GALERA = "galera"
"""The key of a connection's `info` that is true where the connection is to a node of Galera."""

_ALL = pool_guards.update().values(version=pool_guards.c.version + 1)
_ONE = _ALL.where(pool_guards.c.slot == bindparam("s"))


class PoolGuard(Module):
    """The guard rows of one transaction."""

    def created(self, zone_id: str) -> None:
        """A zone is created in a pool that is held. One statement on Galera, otherwise none."""
        if self._conn.info.get(GALERA):
            run(self._conn, _ONE, {"s": shard_of(zone_id) % SLOTS})

    def changing(self) -> None:
        """A pool is about to be changed or deleted. Call it before the pool's zones are read, when the pool's row is
        locked: what another node creates from then on undoes this transaction. One statement on Galera, otherwise none.
        """
        if self._conn.info.get(GALERA):
            run(self._conn, _ALL, {})
