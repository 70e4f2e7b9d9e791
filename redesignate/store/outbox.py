# SPDX-License-Identifier: Apache-2.0
"""The outbox: one row for each zone that some peer has yet to agree on. Leases are conditional updates, so that of
two workers one gets a row, on every database and on every Galera node. Times in µs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, and_, bindparam, literal, or_, select
from sqlalchemy.exc import IntegrityError

from redesignate.model.clock import SECOND
from redesignate.model.ids import shard_of
from redesignate.model.zone import Action, Zone, ZoneType
from redesignate.store.fast import Module, run
from redesignate.store.schema import outbox, peer_states, zones
from redesignate.store.zones import LIVE, Stale

NEVER = 0
JUST_TAKEN = 300_000
"""µs since a lease was taken; a worker that waits for a slow server asks again by itself within 0.4 s."""
FAR = 600 * SECOND
"""Longer than any lease: a time further ahead was written by a clock that has been set back."""
# Built once, as in store.zones.
_ADD = outbox.insert()
_RAISE = (
    outbox.update()
    .where(outbox.c.zone_id == bindparam("z"))
    .values(pool_id=bindparam("p"), revision=bindparam("r"), next_try=bindparam("t"), attempts=0)
)

_WAITING = and_(
    zones.c.type == ZoneType.SECONDARY.value, zones.c.transferred_at.is_(None), zones.c.action != Action.DELETE.value
)
"""As `Zone.waiting`: nothing is there that a server could be told of."""
_MINE = outbox.c.zone_id.in_(bindparam("zones", expanding=True))
_HELD = select(outbox.c.zone_id, outbox.c.lease_until, outbox.c.leased_at).where(_MINE)
_FREE = or_(
    outbox.c.lease_until <= bindparam("now"),
    outbox.c.lease_until > bindparam("far"),
    outbox.c.lease_owner == bindparam("w"),
)
_LEASE = (
    outbox.update()
    .where(_MINE, _FREE)
    .values(lease_owner=bindparam("w"), lease_until=bindparam("until"), leased_at=bindparam("now"))
)
_ROWS = select(outbox).where(_MINE)
_LEASED = _ROWS.where(outbox.c.lease_owner == bindparam("w"), outbox.c.lease_until == bindparam("until"))
_FINISH = outbox.delete().where(
    outbox.c.zone_id == bindparam("z"), outbox.c.revision <= bindparam("r"), outbox.c.queued_at == bindparam("q")
)
_LATER = ("next_try", "attempts", "lease_owner", "lease_until", "leased_at")
_POSTPONE = (
    outbox.update()
    .where(outbox.c.zone_id == bindparam("z"))
    .values({column: bindparam(f"v_{column}") for column in _LATER})
)


def releaser(zone_id: str, worker: str | None) -> str:
    """Who releases a zone that waits for an earlier one of its name: the worker that holds the earlier one, by letting
    go of it. Stands where a lease's owner does, and is no worker's name."""
    return f"after {zone_id} of {worker}"[:128]


class Outbox(Module):
    """The outbox of one transaction."""

    def enqueue(self, queued: Collection[Zone], now: int) -> list[str]:
        """Have zones brought to their revisions. Call under the zones' locks. At most three statements. Raises Stale.

        Returns the zones that a hint is wanted for: not those whose row a worker has just taken, for its report will
        see the new revision. One that has held it for longer, or has said so, waits for a slow server.
        """
        held = {row.zone_id: row for row in run(self._conn, _HELD, {"zones": [zone.id for zone in queued]})}
        new = [zone for zone in queued if zone.id not in held]
        again = [zone for zone in queued if zone.id in held]
        if new:
            self._add(new, now)
        if again:
            given = [{"z": zone.id, "p": zone.pool_id, "r": zone.revision, "t": now} for zone in again]
            run(self._conn, _RAISE, given)
        return [zone.id for zone in new] + [zone.id for zone in again if _wants_hint(held[zone.id], now)]

    def enqueue_after(self, zone: Zone, now: int, *, until: int, released_by: str | None) -> None:
        """Queue a zone that nobody may begin before `until`, or before `release_after` with the same `released_by`.

        One statement. Raises Stale.
        """
        self._add([zone], now, lease_until=until, leased_at=now, lease_owner=released_by)

    def take(self, zone_ids: Collection[str], now: int) -> list[tuple[str, str | None, int]]:
        """Remove these zones' rows, whatever they ask for; the leases (zone, owner, until) that some worker still has
        on them. Two statements."""
        mine = outbox.c.zone_id.in_(list(zone_ids))
        rows = self._conn.execute(select(outbox).where(mine).with_for_update()).all()
        if rows:
            self._conn.execute(outbox.delete().where(mine))
        return [(row.zone_id, row.lease_owner, row.lease_until) for row in rows if row.lease_until > now]

    def release_after(self, zone_ids: Collection[str], released_by: str, now: int) -> list[str]:
        """Let those of these zones begin that wait for `released_by`; which. Two statements."""
        waiting = and_(outbox.c.zone_id.in_(list(zone_ids)), outbox.c.lease_owner == released_by)
        found = list(self._conn.execute(select(outbox.c.zone_id).where(waiting).with_for_update()).scalars())
        if found:
            free = {"lease_owner": None, "lease_until": NEVER, "leased_at": None, "next_try": now}
            self._conn.execute(outbox.update().where(waiting).values(free))
        return found

    def _add(self, queued: Collection[Zone], now: int, **more: Any) -> None:
        """Insert rows. Raises Stale where a change of the pool has just made one."""
        rows = [
            {
                "zone_id": zone.id,
                "pool_id": zone.pool_id,
                "shard": shard_of(zone.id),
                "revision": zone.revision,
                "queued_at": now,
                "next_try": now,
                "attempts": 0,
                "lease_owner": None,
                "lease_until": NEVER,
                "leased_at": None,
            }
            | more
            for zone in queued
        ]
        try:
            run(self._conn, _ADD, rows)
        except IntegrityError as error:
            raise Stale from error

    def enqueue_pool(self, pool_id: str, now: int) -> int:
        """Have every zone of a pool looked at again (its peers changed). Two statements. Raises Stale.

        A worker that holds a row loses it, for it works by what the pool said before; nobody else may begin until its
        lease ends. `queued_at` moves, so that a report that is being heard at this moment cannot finish the row.
        """
        known = select(outbox.c.zone_id).where(outbox.c.pool_id == pool_id)
        again = {"next_try": now, "queued_at": outbox.c.queued_at + 1, "lease_owner": None}
        self._conn.execute(outbox.update().where(outbox.c.pool_id == pool_id).values(again))
        columns = ["zone_id", "pool_id", "shard", "revision", "queued_at", "next_try", "attempts", "lease_until"]
        missing = select(
            zones.c.id, zones.c.pool_id, zones.c.shard, zones.c.revision,
            literal(now), literal(now), literal(0), literal(NEVER),
        ).where(zones.c.pool_id == pool_id, zones.c.deleted == LIVE, ~_WAITING, zones.c.id.not_in(known))  # fmt: skip
        try:
            return self._conn.execute(outbox.insert().from_select(columns, missing)).rowcount
        except IntegrityError as error:
            raise Stale from error

    def lease(self, worker: str, zone_ids: Collection[str], now: int, until: int) -> dict[str, Row[Any]]:
        """Take the rows of these zones that nobody holds (or that `worker` does). Two statements; the rows, by zone."""
        given = {"zones": list(zone_ids), "w": worker, "until": until}
        if not run(self._conn, _LEASE, given | {"now": now, "far": now + FAR}).rowcount:
            return {}
        return {row.zone_id: row for row in run(self._conn, _LEASED, given)}

    def rows(self, zone_ids: Collection[str]) -> dict[str, Row[Any]]:
        """The rows of these zones. One query."""
        return {row.zone_id: row for row in run(self._conn, _ROWS, {"zones": list(zone_ids)})}

    def finish(self, done: Sequence[tuple[str, int, int]]) -> None:
        """Remove the rows (zone, revision, queued_at) of zones whose every peer agrees. One statement.

        A row that asks for something newer, or was queued anew since it was read, stays.
        """
        if done:
            given = [{"z": zone_id, "r": revision, "q": queued} for zone_id, revision, queued in done]
            run(self._conn, _FINISH, given)

    def postpone(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write `next_try`, `attempts` and the lease of zones that go on. One statement."""
        if rows:
            given = [{"z": row["zone_id"]} | {f"v_{column}": row[column] for column in _LATER} for row in rows]
            run(self._conn, _POSTPONE, given)

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

    def stranded(self, now: int, longest: int, first_shard: int, last_shard: int, limit: int) -> tuple[str, ...]:
        """Zones that wait longer than any back-off (`longest`, µs) or lease: the clock was set back. One query."""
        query = select(outbox.c.zone_id).where(
            or_(outbox.c.next_try > now + FAR + longest, outbox.c.lease_until > now + FAR),
            outbox.c.shard.between(first_shard, last_shard),
        )
        return tuple(self._conn.execute(query.limit(limit)).scalars())

    def hurry(self, pool_id: str, peer_id: str, now: int) -> int:
        """Make every zone of the pool that waits for this peer due now. Three statements; how many."""
        waits = and_(peer_states.c.peer_id == peer_id, peer_states.c.attempts > 0)
        if self._conn.execute(select(peer_states.c.zone_id).where(waits).limit(1)).first() is None:
            return 0
        self._conn.execute(peer_states.update().where(waits).values(next_try=now))
        late = and_(outbox.c.pool_id == pool_id, outbox.c.next_try > now, outbox.c.zone_id.in_(
            select(peer_states.c.zone_id).where(waits)
        ))  # fmt: skip
        return self._conn.execute(outbox.update().where(late).values(next_try=now)).rowcount

    def release(self) -> int:
        """Take every row from whoever holds it. One statement; how many."""
        held = outbox.update().where(outbox.c.lease_until > NEVER)
        return self._conn.execute(held.values(lease_owner=None, lease_until=NEVER)).rowcount

    def forget(self, zone_id: str) -> None:
        """Remove a zone's row, whatever it asks for."""
        self._conn.execute(outbox.delete().where(outbox.c.zone_id == zone_id))


def _wants_hint(held: Row[Any], now: int) -> bool:
    just_taken = held.leased_at is not None and abs(now - held.leased_at) < JUST_TAKEN
    return held.lease_until <= now or not just_taken
