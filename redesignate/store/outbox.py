# SPDX-License-Identifier: Apache-2.0
"""The outbox: one row for each zone on which not all peers agree yet. Leases are conditional updates, so that of
two workers one gets a row, on every database and on every Galera node. Times in µs, by the database's clock
(`store/leasetime.py`).

generation  rises when a change of the pool overtakes the worker that holds the row: its report is not written
waiting     the worker that holds the row waits for a slow server, and a change of the zone must wake it
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Insert,
    Select,
    Update,
    and_,
    bindparam,
    false,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from redesignate.model.clock import SECOND, shard_of
from redesignate.model.zone import Action, Zone, ZoneType
from redesignate.store.fast import Module, run
from redesignate.store.leasetime import NOW
from redesignate.store.schema import outbox, peer_states, zones
from redesignate.store.zones import LIVE, Stale

NEVER = 0
JUST_TAKEN = 300_000
"""µs since a lease was taken; a worker that waits for a slow server polls again by itself within 0.4 s."""
FAR = 600 * SECOND
"""Longer than any lease: a time further ahead was written by a clock that has been set back."""
# Built once, as in store.zones.
_TAKEN = and_(
    ~outbox.c.waiting, outbox.c.lease_until > NOW, outbox.c.leased_at.between(NOW - JUST_TAKEN, NOW + JUST_TAKEN)
).label("just_taken")
_WRITTEN: dict[str, ColumnElement[Any]] = {
    column.name: bindparam(f"v_{column.name}", type_=column.type) for column in outbox.c
} | {"queued_at": NOW, "next_try": NOW}
_ADD = outbox.insert().values(_WRITTEN)

WAITING = and_(
    zones.c.type != ZoneType.PRIMARY.value, zones.c.transferred_at.is_(None), zones.c.action != Action.DELETE.value
)
"""As `Zone.waiting`: the zone has no content that a server could be given."""
_MINE = outbox.c.zone_id.in_(bindparam("zones", expanding=True))
_HELD = select(outbox.c.zone_id, _TAKEN).where(_MINE)
_FREE = or_(
    outbox.c.lease_until <= NOW,
    outbox.c.lease_until > NOW + FAR,
    outbox.c.lease_owner == bindparam("w"),
)
_LEASE = (
    outbox.update()
    .where(_MINE, _FREE)
    .values(lease_owner=bindparam("w"), lease_until=NOW + bindparam("length"), leased_at=NOW, waiting=false())
)
_FINISH = outbox.delete().where(
    outbox.c.zone_id == bindparam("z"), outbox.c.revision <= bindparam("r"), outbox.c.generation == bindparam("g")
)
_GUARDED = outbox.update().where(
    outbox.c.zone_id == bindparam("z"), outbox.c.lease_owner == bindparam("w"), outbox.c.generation == bindparam("g")
)
_TRIED: dict[str, ColumnElement[Any]] = {"next_try": bindparam("t"), "attempts": bindparam("a")}
_KEEP = _GUARDED.values(
    _TRIED | {"lease_until": NOW + bindparam("length"), "leased_at": NOW, "waiting": bindparam("s", type_=Boolean)}
)
_LET_GO = _GUARDED.values(_TRIED | {"lease_owner": null(), "lease_until": literal(NEVER), "waiting": false()})


def releaser(zone_id: str, worker: str | None) -> str:
    """The releaser of a zone that waits for an earlier one of its name: the worker with the earlier one, by letting
    go of it. It takes the place of a lease's owner, and is not a worker's name."""
    return f"after {zone_id} of {worker}"[:128]


@dataclass(frozen=True, slots=True)
class Queued:
    """A row as it was read. The columns that are left out are for statements alone."""

    zone_id: str
    generation: int
    lease_owner: str | None
    queued_at: int
    next_try: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Later:
    """A row that stays, as it was read, and when it is due again by the clock of leases. `waiting` as the column."""

    row: Queued
    next_try: int
    attempts: int
    waiting: bool = False

    def bound(self) -> dict[str, Any]:
        """The binds that the statements compare and write."""
        row = self.row
        guard = {"z": row.zone_id, "w": row.lease_owner, "g": row.generation}
        return guard | {"t": self.next_try, "a": self.attempts}


class Outbox(Module):
    """The outbox of one transaction."""

    def enqueue(self, queued: Collection[Zone], now: int) -> list[str]:
        """Queue zones for their revisions. Call under the zones' locks. One statement for one zone, two for several
        and on a database that returns no inserted rows (MySQL).

        Returns the zones that need a hint: not those whose row a worker has just taken, since its report will
        see the new revision. A worker that has held it for longer, or has reported so, waits for a slow server.
        """
        dialect = self._conn.dialect
        rows = [_row(zone, now) for zone in queued]
        if len(rows) == 1 and dialect.insert_returning:
            held = run(self._conn, _QUEUE_RETURNING[dialect.name], rows)
        else:
            held = run(self._conn, _HELD, {"zones": [zone.id for zone in queued], "now": now})
            run(self._conn, _QUEUE[dialect.name], rows)
        taken = {row.zone_id for row in held if row.just_taken}
        return [zone.id for zone in queued if zone.id not in taken]

    def enqueue_after(self, zone: Zone, now: int, *, until: int, released_by: str | None) -> None:
        """Queue a zone that no worker may begin before `until`, or before `release_after` with the same `released_by`.

        One statement. Raises Stale.
        """
        self._add([zone], now, lease_until=until, leased_at=now, lease_owner=released_by)

    def take(self, zone_ids: Collection[str], now: int) -> list[tuple[str, str | None, int]]:
        """Remove these zones' rows, whatever they request; the leases (zone, owner, until) that any worker still has
        on them. Two statements."""
        mine = outbox.c.zone_id.in_(list(zone_ids))
        held = (outbox.c.lease_until > NOW).label("held")
        rows = self._conn.execute(select(outbox, held).where(mine).with_for_update(), {"now": now}).all()
        if rows:
            self._conn.execute(outbox.delete().where(mine))
        return [(row.zone_id, row.lease_owner, row.lease_until) for row in rows if row.held]

    def release_after(self, zone_ids: Collection[str], released_by: str, now: int) -> list[str]:
        """Release those of these zones that wait for `released_by`; which. Two statements."""
        waiting = and_(outbox.c.zone_id.in_(list(zone_ids)), outbox.c.lease_owner == released_by)
        found = list(self._conn.execute(select(outbox.c.zone_id).where(waiting).with_for_update()).scalars())
        if found:
            free = {"lease_owner": None, "lease_until": NEVER, "waiting": False, "next_try": NOW}
            self._conn.execute(outbox.update().where(waiting).values(free), {"now": now})
        return found

    def _add(self, queued: Collection[Zone], now: int, **more: Any) -> None:
        """Insert rows. Raises Stale if a change of the pool has just made one."""
        try:
            run(self._conn, _ADD, [_row(zone, now, **more) for zone in queued])
        except IntegrityError as error:
            raise Stale from error

    def enqueue_pool(self, pool_id: str, now: int, after: str = "", last: str | None = None) -> None:
        """Queue a pool's zones with ids beyond `after`, up to `last` (None: all), since its peers changed.

        Cost   two statements, of the size of that range.

        A worker that holds a row loses it, since it uses the pool's earlier state; no other may begin until its
        lease ends. The generation rises, so that a report that is being handled at this moment cannot finish the row.
        A zone that is queued meanwhile is not an obstacle: its row is taken over unchanged.
        """
        again = {"next_try": NOW, "generation": outbox.c.generation + 1, "lease_owner": None}
        of_rows, of_zones = [outbox.c.zone_id > after], [zones.c.id > after]
        if last is not None:
            of_rows, of_zones = [*of_rows, outbox.c.zone_id <= last], [*of_zones, zones.c.id <= last]
        self._conn.execute(outbox.update().where(outbox.c.pool_id == pool_id, *of_rows).values(again), {"now": now})
        columns = ["zone_id", "pool_id", "shard", "revision", "queued_at", "generation", "next_try", "attempts",
                   "lease_until", "waiting"]  # fmt: skip
        living = select(
            zones.c.id, zones.c.pool_id, zones.c.shard, zones.c.revision,
            NOW, literal(now), NOW, literal(0), literal(NEVER), false(),
        ).where(zones.c.pool_id == pool_id, zones.c.deleted == LIVE, ~WAITING, *of_zones)  # fmt: skip
        self._conn.execute(_upsert(self._conn.dialect.name, columns, living, again), {"now": now})

    def lease(self, worker: str, zone_ids: Collection[str], now: int, until: int) -> int:
        """Lease the rows of these zones that no worker (or `worker`) holds, for the time from `now` to `until`.

        One statement; how many.
        """
        given = {"zones": list(zone_ids), "w": worker, "now": now, "length": until - now}
        return int(run(self._conn, _LEASE, given).rowcount)

    def finish(self, done: Sequence[tuple[str, int, int]]) -> None:
        """Remove the rows (zone, revision, generation) of zones whose every peer agrees. One statement.

        Raises Stale if one was queued again since it was read: what was believed of its peers may not hold any more.
        """
        given = [{"z": zone_id, "r": revision, "g": generation} for zone_id, revision, generation in done]
        if run(self._conn, _FINISH, given).rowcount != len(given):
            raise Stale

    def keep(self, rows: Sequence[Later], now: int, until: int) -> None:
        """Renew leases of rows, for the time from `now` to `until`. One statement. Raises Stale as `let_go`."""
        self._write(_KEEP, [row.bound() | {"now": now, "length": until - now, "s": row.waiting} for row in rows])

    def let_go(self, rows: Sequence[Later]) -> None:
        """Release rows. One statement. Raises Stale if another worker, or a new generation, has intervened."""
        self._write(_LET_GO, [row.bound() for row in rows])

    def _write(self, statement: Update, given: list[dict[str, Any]]) -> None:
        if run(self._conn, statement, given).rowcount != len(given):
            raise Stale

    def overdue(self, now: int, grace: int, first_shard: int, last_shard: int, limit: int) -> tuple[str, ...]:
        """Zones that no worker holds and that have been due for `grace` µs, oldest first. One query on next_try."""
        query = (
            select(outbox.c.zone_id)
            .where(
                outbox.c.next_try <= NOW - grace,
                outbox.c.lease_until <= NOW,
                outbox.c.shard.between(first_shard, last_shard),
            )
            .order_by(outbox.c.next_try)
            .limit(limit)
        )
        return tuple(self._conn.execute(query, {"now": now}).scalars())

    def stranded(self, now: int, longest: int, first_shard: int, last_shard: int, limit: int) -> tuple[str, ...]:
        """Zones that wait longer than any back-off (`longest`, µs) or lease: the clock was set back. One query."""
        query = select(outbox.c.zone_id).where(
            or_(outbox.c.next_try > NOW + FAR + longest, outbox.c.lease_until > NOW + FAR),
            outbox.c.shard.between(first_shard, last_shard),
        )
        return tuple(self._conn.execute(query.limit(limit), {"now": now}).scalars())

    def hurry(self, pool_id: str, peer_id: str, now: int) -> int:
        """Make every zone of the pool that waits for this peer due now. Three statements; how many."""
        waits = and_(peer_states.c.peer_id == peer_id, peer_states.c.attempts > 0)
        if self._conn.execute(select(peer_states.c.zone_id).where(waits).limit(1)).first() is None:
            return 0
        late = and_(outbox.c.pool_id == pool_id, outbox.c.next_try > NOW, outbox.c.zone_id.in_(
            select(peer_states.c.zone_id).where(waits)
        ))  # fmt: skip
        count = self._conn.execute(outbox.update().where(late).values(next_try=NOW), {"now": now}).rowcount
        self._conn.execute(peer_states.update().where(waits).values(next_try=NOW), {"now": now})
        return count

    def count(self, pool_id: str, most: int) -> int:
        """The number of the pool's rows, counted as far as `most`. One query on the pool's index."""
        some = select(outbox.c.zone_id).where(outbox.c.pool_id == pool_id).limit(most).subquery()
        return int(self._conn.execute(select(func.count()).select_from(some)).scalar_one())

    def release(self) -> int:
        """Release every row from its worker. One statement; how many."""
        held = outbox.update().where(outbox.c.lease_until > NEVER)
        return self._conn.execute(held.values(lease_owner=None, lease_until=NEVER, waiting=False)).rowcount

    def forget(self, zone_id: str) -> None:
        """Remove a zone's row, whatever it requests."""
        self._conn.execute(outbox.delete().where(outbox.c.zone_id == zone_id))

    def forget_leased(self, worker: str, zone_ids: Collection[str]) -> None:
        """Remove those of these zones' rows that `worker` holds."""
        mine = and_(outbox.c.zone_id.in_(list(zone_ids)), outbox.c.lease_owner == worker)
        self._conn.execute(outbox.delete().where(mine))


def _row(zone: Zone, now: int, **held: Any) -> dict[str, Any]:
    """The binds of a zone's row, which no worker holds unless `held` says otherwise."""
    return {
        "now": now,
        "v_zone_id": zone.id,
        "v_pool_id": zone.pool_id,
        "v_shard": shard_of(zone.id),
        "v_revision": zone.revision,
        "v_generation": now,  # a count from a time on: no earlier row of the zone had it
        "v_attempts": 0,
        "v_lease_owner": held.get("lease_owner"),
        "v_lease_until": held.get("lease_until", NEVER),
        "v_leased_at": held.get("leased_at"),
        "v_waiting": False,
    }


def _queue(dialect: str) -> Insert:
    """Insert a zone's row; an existing one is raised to the new revision and is due at once, and its lease stays."""
    raised = ("pool_id", "revision", "next_try", "attempts")
    if dialect in ("mysql", "mariadb"):
        row = mysql.insert(outbox).values(_WRITTEN)
        return row.on_duplicate_key_update({name: row.inserted[name] for name in raised})
    new = (postgresql.insert(outbox) if dialect == "postgresql" else sqlite.insert(outbox)).values(_WRITTEN)
    return new.on_conflict_do_update(index_elements=["zone_id"], set_={name: new.excluded[name] for name in raised})


_QUEUE = {dialect: _queue(dialect) for dialect in ("sqlite", "postgresql", "mysql", "mariadb")}
_QUEUE_RETURNING = {dialect: insert.returning(outbox.c.zone_id, _TAKEN) for dialect, insert in _QUEUE.items()}
"""It returns whether a worker has just taken the row."""


def _upsert(dialect: str, columns: list[str], rows: Select[Any], again: dict[str, Any]) -> Insert:
    """Insert rows; existing ones are changed as `again` says."""
    match dialect:
        case "postgresql":
            insert = postgresql.insert(outbox).from_select(columns, rows)
            return insert.on_conflict_do_update(index_elements=["zone_id"], set_=again)
        case "sqlite":
            into = sqlite.insert(outbox).from_select(columns, rows)
            return into.on_conflict_do_update(index_elements=["zone_id"], set_=again)
        case _:
            return mysql.insert(outbox).from_select(columns, rows).on_duplicate_key_update(again)
