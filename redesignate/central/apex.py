# SPDX-License-Identifier: Apache-2.0
"""A zone's own records: the SOA, and the NS set at its apex that follows the pool."""

from __future__ import annotations

from dataclasses import replace

from redesignate.central.change import advanced, publish, timed
from redesignate.model.ids import new_id
from redesignate.model.pool import Pool, ranked
from redesignate.model.rdata import parse
from redesignate.model.rrset import RRset
from redesignate.model.zone import Action, Status, Zone, ZoneType
from redesignate.store.unit import Work
from redesignate.wire.rrset import pack


def size(kind: ZoneType) -> int:
    """How many RRsets `add` makes for a zone of this type."""
    return 2 if kind is ZoneType.PRIMARY else 1


def add(work: Work, zone: Zone, pool: Pool, project_id: str | None) -> None:
    """Insert the SOA (its data is the zone's row) and, for a PRIMARY zone, the pool's NS set. Two statements."""
    made = [(_managed(zone, "SOA", (), project_id, work.now), b"")]
    if zone.type is ZoneType.PRIMARY:
        names = tuple(record.hostname for record in ranked(pool.ns_records))
        made.append((_managed(zone, "NS", names, project_id, work.now), _ns_wire(zone, names)))
    work.rrsets.add(made)


def refresh(work: Work, zone_id: str) -> bool:
    """Bring one zone's apex to its pool's NS records as they are now. Idempotent; whether anything changed."""
    found = work.zones.lock(zone_id)
    if found is None or found[0].type is ZoneType.CATALOG:
        return False
    zone = found[0]
    held = work.pools.hold(zone.pool_id)
    if held is None or not held[0].ns_records:
        return False
    pool, version = held
    if zone.type is ZoneType.SECONDARY or zone.action is Action.DELETE:
        work.zones.advance(zone, zone, apex_version=version)  # its content is its primaries', or nobody's any more
        return True
    best = ranked(pool.ns_records)
    names = tuple(record.hostname for record in best)
    after = advanced(zone, work.now, mname=best[0].hostname)
    removed = added = b""
    ns = work.rrsets.find(zone.id, zone.name, "NS")
    if ns is not None and set(ns.records) != set(names):
        removed = timed(work.rrsets.wire(ns.id), ns.ttl, zone)
        wire = _ns_wire(zone, names)
        added = timed(wire, None, after)
        changed = replace(
            ns, records=names, ttl=None, revision=after.revision, version=ns.version + 1, updated_at=work.now
        )
        work.rrsets.change(changed, wire, records=True)
    publish(
        work,
        None,
        zone,
        after,
        removed=removed,
        added=added,
        apex_version=version,
    )
    return True


def _ns_wire(zone: Zone, names: tuple[str, ...]) -> bytes:
    return pack(zone.name, zone.name, "NS", None, [parse("NS", name).wire for name in names])


def _managed(zone: Zone, rrtype: str, records: tuple[str, ...], project_id: str | None, now: int) -> RRset:
    return RRset(
        id=new_id(),
        zone_id=zone.id,
        zone_name=zone.name,
        project_id=project_id,
        name=zone.name,
        type=rrtype,
        ttl=None,
        records=records,
        description=None,
        managed=True,
        revision=zone.revision,
        born=zone.revision,
        version=1,
        created_at=now,
        updated_at=None,
        status=Status.PENDING,
        action=Action.CREATE,
    )
