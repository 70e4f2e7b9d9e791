# SPDX-License-Identifier: Apache-2.0
"""Rows that the creation of a zone and a change of its pool both write, so that on Galera one of the two is undone.

`Pools.hold` locks the pool's row while a zone is created, but on Galera a lock is known to its own node alone: what two
nodes do at the same time is compared by the rows that both have written. So a creation writes one of SLOTS rows, chosen
by the zone's id, so that creations rarely meet; what adds a catalog zone to the pool, or deletes it, writes all of
them. The transaction that commits second is undone and run again (`store/unit.py`). Nothing is written on other
databases.

Any other change of a pool writes none: creations of all pools would undo it, over and over. There it is enough that
the change is committed before its zones are read (`central/poolchanges.py`).
"""

from __future__ import annotations

from sqlalchemy import bindparam

from redesignate.model.clock import shard_of
from redesignate.store.fast import Module, run
from redesignate.store.settings_schema import pool_guards

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
        if self.needed():
            run(self._conn, _ONE, {"s": shard_of(zone_id) % SLOTS})

    def needed(self) -> bool:
        """Whether another node may create a zone in a pool that is locked here."""
        return bool(self._conn.info.get(GALERA))

    def excluding(self) -> None:
        """No zone may be created from now until the commit: what another node creates undoes this transaction.

        Call it when the pool's row is locked: before its zones are read, or, to have zones that other nodes create
        afterwards know the pool as it is now, as late as possible. One statement on Galera, otherwise none.
        """
        if self.needed():
            run(self._conn, _ALL, {})
