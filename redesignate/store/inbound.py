# SPDX-License-Identifier: Apache-2.0
"""When each SECONDARY zone's primaries are asked, and by which worker. Leases are conditional updates by the
database's clock, as in the outbox.

A change of a row that depends on the zone locks the zone's row first; a request to look at the zone does not.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, or_, select, true

from redesignate.model.ids import shard_of
from redesignate.model.inbound import Inbound
from redesignate.store.fast import Module, run
from redesignate.store.leasetime import NOW
from redesignate.store.outbox import FAR, NEVER
from redesignate.store.schema import inbound
from redesignate.store.zones import Stale

_COLUMNS = tuple(field.name for field in fields(Inbound))
# Built once, as in store.zones.
_MINE = inbound.c.zone_id.in_(bindparam("zones", expanding=True))
_FREE = or_(inbound.c.lease_until <= NOW, inbound.c.lease_until > NOW + FAR)
_IS_DUE = or_(inbound.c.due_at <= bindparam("due"), inbound.c.due_at > bindparam("stranded"))
_DUE = select(inbound.c.zone_id).where(_IS_DUE, _FREE).order_by(inbound.c.due_at).limit(bindparam("most"))
_LEASE = (
    inbound.update()
    .where(_MINE, or_(inbound.c.lease_owner == bindparam("w"), and_(_FREE, _IS_DUE)))
    .values(lease_owner=bindparam("w"), lease_until=NOW + bindparam("length"))
)
_LEASED = select(inbound).where(_MINE, inbound.c.lease_owner == bindparam("w"))
_ONE = select(inbound).where(inbound.c.zone_id == bindparam("z"))
LONGEST_WAIT = 40 * 86400 * 1_000_000
"""µs: no row is ever due later than this; a later one was written by a clock that has been set back since."""


class InboundRows(Module):
    """The rows of one transaction."""

    def add(self, zone_id: str, now: int) -> None:
        """A row for a new zone, due at once. One statement."""
        self._conn.execute(inbound.insert().values(_row(Inbound(zone_id=zone_id, due_at=now))))

    def get(self, zone_id: str) -> Inbound | None:
        """One zone's row. One query."""
        row = run(self._conn, _ONE, {"z": zone_id}).first()
        return _inbound(row) if row else None

    def due(self, now: int, limit: int) -> tuple[str, ...]:
        """Zones that are due and that no worker holds, the longest due first. One query on due_at."""
        return tuple(run(self._conn, _DUE, _times(now) | {"most": limit}).scalars())

    def lease(self, worker: str, zone_ids: Collection[str], now: int, until: int) -> dict[str, Inbound]:
        """Lease those of these zones that are due and free, or renew those of `worker`, for the time from `now` to
        `until`. Two statements."""
        given = {"zones": list(zone_ids), "w": worker}
        if not run(self._conn, _LEASE, given | _times(now) | {"length": until - now}).rowcount:
            return {}
        return {row.zone_id: _inbound(row) for row in run(self._conn, _LEASED, given)}

    def wish(self, zone_ids: Collection[str], now: int, *, forced: bool = False) -> int:
        """Have these zones checked now, also those that are being checked already. One statement; how many."""
        changed: dict[str, Any] = {"due_at": now, "asked": inbound.c.asked + 1, "notified_by": None}
        if forced:
            changed["forced"] = true()
        wanted = inbound.update().where(inbound.c.zone_id.in_(list(zone_ids)))
        return self._conn.execute(wanted.values(changed)).rowcount

    def notified(self, zone_ids: Collection[str], now: int, address: str) -> int:
        """Have these zones checked because of a NOTIFY from `address`: now, or when their rest ends. Those that are due
        earlier stay so. One statement; how many."""
        rest = case((inbound.c.rest_until > now, inbound.c.rest_until), else_=now)
        due = case((inbound.c.due_at < rest, inbound.c.due_at), else_=rest)
        wanted = inbound.update().where(inbound.c.zone_id.in_(list(zone_ids)))
        return self._conn.execute(wanted.values(due_at=due, asked=inbound.c.asked + 1, notified_by=address)).rowcount

    def due_of(self, zone_ids: Collection[str], now: int) -> tuple[str, ...]:
        """Those of these zones that are due. One query."""
        query = select(inbound.c.zone_id).where(inbound.c.zone_id.in_(list(zone_ids)), inbound.c.due_at <= now)
        return tuple(self._conn.execute(query).scalars())

    def revoke(self, zone_id: str) -> None:
        """Void a check of the zone that is under way, since it asks the wrong primaries. One statement."""
        mine = inbound.update().where(inbound.c.zone_id == zone_id)
        self._conn.execute(mine.values(lease_owner=None, lease_until=NEVER))

    def save(self, before: Inbound, after: Inbound) -> None:
        """Write a report's changes. Raises Stale if another worker got the zone, or new requests came, meanwhile.

        One statement. The caller holds the zone's row.
        """
        guard = and_(
            inbound.c.zone_id == before.zone_id,
            inbound.c.asked == before.asked,
            inbound.c.lease_owner == before.lease_owner if before.lease_owner else inbound.c.lease_owner.is_(None),
        )
        if self._conn.execute(inbound.update().where(guard).values(_row(after))).rowcount != 1:
            raise Stale

    def expired(self, now: int, first_shard: int, last_shard: int, limit: int) -> tuple[str, ...]:
        """Zones whose copy has expired but is still served. One query that reads the table of SECONDARY zones."""
        query = select(inbound.c.zone_id).where(
            inbound.c.loaded, inbound.c.expires_at <= now, inbound.c.shard.between(first_shard, last_shard)
        )
        return tuple(self._conn.execute(query.limit(limit)).scalars())

    def release(self) -> int:
        """Release every zone from its worker. One statement; how many."""
        held = inbound.update().where(inbound.c.lease_until > NEVER)
        return self._conn.execute(held.values(lease_owner=None, lease_until=NEVER)).rowcount

    def forget(self, zone_id: str) -> None:
        """Remove a zone's row."""
        self._conn.execute(inbound.delete().where(inbound.c.zone_id == zone_id))


def _times(now: int) -> dict[str, int]:
    return {"now": now, "due": now, "stranded": now + LONGEST_WAIT}


def _row(value: Inbound) -> dict[str, Any]:
    return {name: getattr(value, name) for name in _COLUMNS} | {"shard": shard_of(value.zone_id)}


def _inbound(row: Row[Any]) -> Inbound:
    found = {name: getattr(row, name) for name in _COLUMNS}
    return Inbound(**found | {"forced": bool(row.forced), "loaded": bool(row.loaded)})
