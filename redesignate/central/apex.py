# SPDX-License-Identifier: Apache-2.0
"""Writes the records at a zone's apex: the SOA, and the NS set that follows the pool."""

from __future__ import annotations

from typing import TypedDict

from redesignate.central.change import apply
from redesignate.central.edit import Edit
from redesignate.model.pool import Pool, ranked
from redesignate.model.rdata import parse
from redesignate.model.rrset import new_rrset
from redesignate.model.zone import Action, Zone, ZoneType
from redesignate.store.unit import Work
from redesignate.wire.rrset import pack


class _Whose(TypedDict):
    project_id: str | None
    managed: bool
    typed_name: str | None


def size(kind: ZoneType) -> int:
    """Return how many RRsets `add` makes for a zone of this type."""
    return 2 if kind is ZoneType.PRIMARY else 1


def add(edit: Edit, pool: Pool) -> None:
    """Put the SOA (its data is the zone's row) and, for a PRIMARY zone, the pool's NS set into a new zone."""
    zone = edit.zone
    whose: _Whose = {"project_id": zone.project_id, "managed": True, "typed_name": zone.typed_name}
    edit.put(new_rrset(zone, zone.name, "SOA", (), b"", **whose))
    if zone.type is ZoneType.PRIMARY:
        names = _nameservers(pool)
        edit.put(new_rrset(zone, zone.name, "NS", names, _ns_wire(zone, names), **whose))


def refresh(work: Work, zone_id: str) -> bool:
    """Update one zone's apex to its pool's current NS records; return whether anything changed. Idempotent."""
    found = work.zones.lock(zone_id)
    if found is None or found[0].type is ZoneType.CATALOG:
        return False
    zone = found[0]
    held = work.pools.hold(zone.pool_id)
    if held is None or not held[0].ns_records:
        return False
    pool, version = held
    if zone.type is ZoneType.SECONDARY or zone.action is Action.DELETE:
        work.zones.advance(zone, zone, apex_version=version)  # its content is its primaries', or will be deleted
        return True
    edit = Edit(zone, work.now, apex_version=version)
    follow(work, edit, pool)
    apply(work, None, edit)
    return True


def follow(work: Work, edit: Edit, pool: Pool) -> None:
    """Have a PRIMARY zone's apex list the pool's NS records. One query."""
    zone, names = edit.zone, _nameservers(pool)
    edit.set(mname=names[0])
    ns = work.rrsets.held_at(zone.id, zone.name, "NS")
    if ns is not None and set(ns.records) != set(names):
        edit.put(ns._replace(records=names, ttl=None, wire=_ns_wire(zone, names)), over=ns)


def _nameservers(pool: Pool) -> tuple[str, ...]:
    return tuple([record.hostname for record in ranked(pool.ns_records)])


def _ns_wire(zone: Zone, names: tuple[str, ...]) -> bytes:
    return pack(zone.name, zone.name, "NS", None, [parse("NS", name).wire for name in names])
