# SPDX-License-Identifier: Apache-2.0
"""When each SECONDARY zone's primaries are asked, and by which worker. Leases are conditional updates, and all times by
the database's clock, as in the outbox.

generation  rises with each new lease and each revocation: a report of an earlier lease is not stored
version     rises with each report and each transaction that writes the zone's copy, or its RRsets ahead of a report. Of
            two such transactions on two nodes of Galera, which know only their own locks, one is undone: both write
            this row

A change of a row that depends on the zone locks the zone's row first; a request to look at the zone does not.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, func, or_, select, true

from redesignate.model.clock import shard_of
from redesignate.model.inbound import Inbound
from redesignate.store.fast import Module, run
from redesignate.store.leasetime import NOW
from redesignate.store.outbox import FAR, NEVER
from redesignate.store.schema import inbound, zones
from redesignate.store.zones import LIVE, Stale

LONGEST_WAIT = 40 * 86400 * 1_000_000
"""µs: no row is ever due later than this; a later one was written by a clock that has been set back since."""

_COLUMNS = tuple(field.name for field in fields(Inbound) if field.name in inbound.c)
# Built once, as in store.zones.
_MINE = inbound.c.zone_id.in_(bindparam("zones", expanding=True))
_FREE = or_(inbound.c.lease_until <= NOW, inbound.c.lease_until > NOW + FAR)
_IS_DUE = or_(inbound.c.due_at <= NOW, inbound.c.due_at > NOW + LONGEST_WAIT)
_DUE = select(inbound.c.zone_id).where(_IS_DUE, _FREE).order_by(inbound.c.due_at).limit(bindparam("most"))
_HELD = inbound.c.lease_owner == bindparam("w")
_UNTIL = NOW + bindparam("length")
_RENEW = inbound.update().where(_MINE, _HELD).values(lease_until=_UNTIL)
_LEASE = (
    inbound.update()
    .where(_MINE, or_(_HELD, and_(_FREE, _IS_DUE)))
    .values(generation=inbound.c.generation + 1, lease_owner=bindparam("w"), lease_until=_UNTIL)
)
_ROW = select(inbound, NOW.label("read_at"))
_LEASED = _ROW.where(_MINE, _HELD)
_ONE = _ROW.where(inbound.c.zone_id == bindparam("z"))
_ADD = inbound.insert().values(
    {column.name: bindparam(f"v_{column.name}", type_=column.type) for column in inbound.c} | {"due_at": NOW}
)


class InboundRows(Module):
    """The rows of one transaction."""

    def add(self, zone_id: str, now: int) -> None:
        """A row for a new zone, due at once. One statement."""
        values = _row(Inbound(zone_id=zone_id, due_at=now))
        run(self._conn, _ADD, {f"v_{name}": value for name, value in values.items()} | {"now": now})

    def get(self, zone_id: str, now: int) -> Inbound | None:
        """One zone's row. One query. `now`: SQLite's clock of leases, as everywhere below."""
        row = run(self._conn, _ONE, {"z": zone_id, "now": now}).first()
        return _inbound(row) if row else None

    def due(self, now: int, limit: int) -> tuple[str, ...]:
        """Zones that are due and that no worker holds, the longest due first. One query on due_at."""
        return tuple(run(self._conn, _DUE, {"now": now, "most": limit}).scalars())

    def lease(
        self, worker: str, zone_ids: Collection[str], now: int, until: int, *, renew: bool = False
    ) -> dict[str, Inbound]:
        """Lease those of these zones that are due and free, for the time from `now` to `until`; what a report of an
        earlier lease says then counts no more, even where the same worker had it.

        renew   extend the leases that `worker` holds, and take no others
        Two statements.
        """
        given = {"zones": list(zone_ids), "w": worker, "now": now}
        if not run(self._conn, _RENEW if renew else _LEASE, given | {"length": until - now}).rowcount:
            return {}
        return {row.zone_id: _inbound(row) for row in run(self._conn, _LEASED, given)}

    def wish(self, zone_ids: Collection[str], now: int, *, wait: int = 0, forced: bool = False) -> int:
        """Have these zones checked in `wait` µs, also those that are being checked already. One statement; how many."""
        changed: dict[str, Any] = {"due_at": NOW + wait, "asked": inbound.c.asked + 1, "notified_by": None}
        if forced:
            changed["forced"] = true()
        wanted = inbound.update().where(inbound.c.zone_id.in_(list(zone_ids)))
        return self._conn.execute(wanted.values(changed), {"now": now}).rowcount

    def notified(self, zone_ids: Collection[str], now: int, address: str) -> int:
        """Have these zones checked because of a NOTIFY from `address`: now, or when their rest ends. Those that are due
        earlier stay so. One statement; how many."""
        rest = case((inbound.c.rest_until > NOW, inbound.c.rest_until), else_=NOW)
        due = case((inbound.c.due_at < rest, inbound.c.due_at), else_=rest)
        wanted = inbound.update().where(inbound.c.zone_id.in_(list(zone_ids)))
        noted = wanted.values(due_at=due, asked=inbound.c.asked + 1, notified_by=address)
        return self._conn.execute(noted, {"now": now}).rowcount

    def due_of(self, zone_ids: Collection[str], now: int) -> tuple[str, ...]:
        """Those of these zones that are due. One query."""
        query = select(inbound.c.zone_id).where(inbound.c.zone_id.in_(list(zone_ids)), inbound.c.due_at <= NOW)
        return tuple(self._conn.execute(query, {"now": now}).scalars())

    def revoke(self, zone_id: str) -> None:
        """Void a check of the zone that is under way, since it asks the wrong primaries. One statement."""
        mine = inbound.update().where(inbound.c.zone_id == zone_id)
        freed = {"lease_owner": None, "lease_until": NEVER, "generation": inbound.c.generation + 1}
        self._conn.execute(mine.values(freed))

    def step(self, before: Inbound, **changed: Any) -> Inbound:
        """Write the next version of the row, with these members; return it. Raises Stale if it has another by now.

        A transaction that writes a copy, or RRsets ahead, calls this first. One statement; the caller holds the zone's
        row.
        """
        mine = inbound.update().where(inbound.c.zone_id == before.zone_id, inbound.c.version == before.version)
        changed["version"] = before.version + 1
        if self._conn.execute(mine.values(changed)).rowcount != 1:
            raise Stale
        return replace(before, **changed)

    def save(self, before: Inbound, after: Inbound) -> None:
        """Write a report's changes as the next version. Raises Stale if the zone was leased anew, new requests came, or
        a run made a step, meanwhile.

        One statement. The caller holds the zone's row.
        """
        guard = and_(
            inbound.c.zone_id == before.zone_id,
            inbound.c.version == before.version,
            inbound.c.asked == before.asked,
            inbound.c.generation == before.generation,
            inbound.c.lease_owner == before.lease_owner if before.lease_owner else inbound.c.lease_owner.is_(None),
        )
        values = _row(after) | {"version": before.version + 1}
        if self._conn.execute(inbound.update().where(guard).values(values)).rowcount != 1:
            raise Stale

    def expired(self, now: int, first_shard: int, last_shard: int, limit: int) -> tuple[str, ...]:
        """Zones whose copy has expired but is still served. One query that reads the table of SECONDARY zones."""
        query = select(inbound.c.zone_id).where(
            inbound.c.loaded, inbound.c.expires_at <= NOW, inbound.c.shard.between(first_shard, last_shard)
        )
        return tuple(self._conn.execute(query.limit(limit), {"now": now}).scalars())

    def strayed(self, now: int, first_shard: int, last_shard: int, limit: int) -> tuple[str, ...]:
        """Zones that have a newer revision than the copy that DNS serves of them, and that are neither due nor held by
        a worker: the one that published it did not know of the copy. One query that reads the table of SECONDARY zones.
        """
        query = (
            select(inbound.c.zone_id)
            .join(zones, zones.c.id == inbound.c.zone_id)
            .where(
                inbound.c.kept_rrsets.is_not(None),
                func.coalesce(inbound.c.kept_revision, -1) != zones.c.revision,
                zones.c.deleted == LIVE,
                inbound.c.shard.between(first_shard, last_shard),
                inbound.c.due_at > NOW,
                _FREE,
            )
        )
        return tuple(self._conn.execute(query.limit(limit), {"now": now}).scalars())

    def release(self) -> int:
        """Release every zone from its worker. One statement; how many."""
        held = inbound.update().where(inbound.c.lease_until > NEVER)
        return self._conn.execute(held.values(lease_owner=None, lease_until=NEVER)).rowcount

    def forget(self, zone_id: str) -> None:
        """Remove a zone's row."""
        self._conn.execute(inbound.delete().where(inbound.c.zone_id == zone_id))


def _row(value: Inbound) -> dict[str, Any]:
    return {name: getattr(value, name) for name in _COLUMNS} | {"shard": shard_of(value.zone_id)}


def _inbound(row: Row[Any]) -> Inbound:
    found = {name: getattr(row, name) for name in (*_COLUMNS, "read_at")}
    return Inbound(**found | {"forced": bool(row.forced), "loaded": bool(row.loaded)})
