# SPDX-License-Identifier: Apache-2.0
"""The known state of each zone on each target and nameserver, and one query that reads it beside what is wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Insert, bindparam, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from redesignate.model.pool import Pool
from redesignate.model.work import PeerState, Role
from redesignate.model.zone import Zone
from redesignate.store.fast import Module, run
from redesignate.store.leasetime import NOW
from redesignate.store.outbox import Queued
from redesignate.store.pools import Pools
from redesignate.store.schema import outbox, peer_states, zones
from redesignate.store.settings_schema import pools
from redesignate.store.zones import zone_of

ERROR_LENGTH = 255
_ZONE = [zones.c[name] for name in (*Zone.__struct_fields__, "hard_delete") if name in zones.c]
_QUEUED = ("generation", "lease_owner", "queued_at", "next_try", "attempts")
_STATE = ("peer_id", "role", "present", "revision", "serial", "since", "attempts", "error", "next_try")

# Built once, as in store.zones.
_PROGRESS = (
    select(
        *_ZONE,
        *[outbox.c[name].label(f"queued_{name}") for name in _QUEUED],
        *[peer_states.c[name].label(f"peer_{name}") for name in _STATE],
        pools.c.version.label("pool_version"),
        pools.c.updated_at.label("pool_updated_at"),
        NOW.label("now"),
    )
    .select_from(zones)
    .outerjoin(outbox, outbox.c.zone_id == zones.c.id)
    .outerjoin(pools, pools.c.id == zones.c.pool_id)
    .outerjoin(peer_states, peer_states.c.zone_id == zones.c.id)
    .where(zones.c.id.in_(bindparam("zones", expanding=True)))
)


def _save(insert: Any) -> Insert:
    """The statement that writes a state, whether it is there or not, in the words of a dialect's INSERT."""
    adding = insert(peer_states)
    if insert is mysql.insert:
        made: Insert = adding.on_duplicate_key_update({name: adding.inserted[name] for name in _STATE[2:]})
    else:
        made = adding.on_conflict_do_update(
            index_elements=["zone_id", "peer_id"], set_={name: adding.excluded[name] for name in _STATE[2:]}
        )
    return made


_SAVE = {"sqlite": _save(sqlite.insert), "postgresql": _save(postgresql.insert)}
_SAVE_MYSQL = _save(mysql.insert)


@dataclass(slots=True)
class Progress:
    """How far the servers of a zone have come.

    row     the zone's outbox row; None: no work is queued
    holder  the worker that leased the row last and has not released it
    pool    None: the pool is deleted
    states  what is known of the peers, by peer id
    now     µs: the clock of leases when all this was read
    """

    zone: Zone
    hard_delete: bool
    row: Queued | None
    holder: str | None
    pool: Pool | None
    states: dict[str, PeerState]
    now: int


@dataclass
class Peers(Module):
    """Peer states of one transaction."""

    _pools: Pools

    def progress(self, zone_ids: Collection[str], now: int) -> dict[str, Progress]:
        """How far the servers of these zones have come, deleted zones too, by zone. `now`: SQLite's clock of leases.

        One query, and one for pools that were not read before at their present version.
        """
        found: dict[str, Progress] = {}
        stamps: dict[str, tuple[int | None, int | None]] = {}
        for row in run(self._conn, _PROGRESS, {"zones": list(zone_ids), "now": now}):
            one = found.get(row.id)
            if one is None:
                queued, holder = None, row.queued_lease_owner
                if row.queued_generation is not None:
                    queued = Queued(row.id, row.queued_generation, holder, row.queued_queued_at, row.queued_next_try,
                                    row.queued_attempts)  # fmt: skip
                one = Progress(zone_of(row), bool(row.hard_delete), queued, holder, None, {}, row.now)
                found[row.id] = one
                stamps[row.pool_id] = (row.pool_version, row.pool_updated_at)
            if row.peer_peer_id is not None:
                one.states[row.peer_peer_id] = PeerState(
                    peer_id=row.peer_peer_id,
                    role=Role(row.peer_role),
                    present=bool(row.peer_present),
                    revision=row.peer_revision,
                    serial=row.peer_serial,
                    since=row.peer_since,
                    attempts=row.peer_attempts,
                    error=row.peer_error,
                    next_try=row.peer_next_try,
                )
        present = self._pools.present(stamps)
        for one in found.values():
            one.pool = present.get(one.zone.pool_id)
        return found

    def save(self, before: Mapping[str, Mapping[str, PeerState]], after: Mapping[str, Mapping[str, PeerState]]) -> None:
        """Write the changed states. At most one statement.

        A change of the pool may have removed such a state meanwhile, and must not find it again: call under the zone's
        lock, after the zone's outbox row is written, which is refused if a change of the pool came between. Whatever
        writes both tables writes the outbox first, so that none of two waits for the other.
        """
        rows = [
            {
                "zone_id": zone_id,
                "peer_id": peer_id,
                "role": state.role.value,
                "present": state.present,
                "revision": state.revision,
                "serial": state.serial,
                "since": state.since,
                "attempts": state.attempts,
                "error": state.error[:ERROR_LENGTH] if state.error else None,
                "next_try": state.next_try,
            }
            for zone_id, states in after.items()
            for peer_id, state in states.items()
            if before[zone_id].get(peer_id) != state
        ]
        if rows:
            run(self._conn, _SAVE.get(self._conn.dialect.name, _SAVE_MYSQL), rows)

    def forget(self, zone_ids: Collection[str]) -> None:
        """Remove the states of zones that are purged or leave their pool."""
        self._conn.execute(peer_states.delete().where(peer_states.c.zone_id.in_(list(zone_ids))))

    def forget_peers(self, peer_ids: Collection[str], after: str = "", last: str | None = None) -> None:
        """Remove the states of peers that left their pool, for zones with ids beyond `after`, up to `last` (None:
        all)."""
        chosen = [peer_states.c.peer_id.in_(list(peer_ids)), peer_states.c.zone_id > after]
        if last is not None:
            chosen.append(peer_states.c.zone_id <= last)
        self._conn.execute(peer_states.delete().where(*chosen))
