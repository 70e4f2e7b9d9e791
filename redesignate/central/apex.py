# SPDX-License-Identifier: Apache-2.0
"""A zone's own records: the SOA, and the NS set at its apex that follows the pool."""

from __future__ import annotations

import uuid
from dataclasses import replace

from redesignate.central.change import advanced, publish, timed
from redesignate.model.pool import Pool, ranked
from redesignate.model.rdata import parse
from redesignate.model.rrset import RRset
from redesignate.model.zone import Action, Status, Zone, ZoneType
from redesignate.store.unit import Work
from redesignate.wire.rrset import pack


def size(zone: Zone) -> int:
    """How many RRsets `add` makes."""
    return 2 if zone.type is ZoneType.PRIMARY else 1


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
    pool = work.pools.get(zone.pool_id)
    if pool is None or not pool.ns_records:
        return False
    best = ranked(pool.ns_records)
    names = tuple(record.hostname for record in best)
    after = advanced(zone, work.now, mname=best[0].hostname, action=_kept(zone))
    removed = added = b""
    ns = work.rrsets.find(zone.id, zone.name, "NS") if zone.type is ZoneType.PRIMARY else None
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
        apex_version=work.pools.apex_version(pool.id),
    )
    return True


def _kept(zone: Zone) -> Action:
    return Action.DELETE if zone.action is Action.DELETE else Action.UPDATE


def _ns_wire(zone: Zone, names: tuple[str, ...]) -> bytes:
    return pack(zone.name, zone.name, "NS", None, [parse("NS", name).wire for name in names])


def _managed(zone: Zone, rrtype: str, records: tuple[str, ...], project_id: str | None, now: int) -> RRset:
    return RRset(
        id=str(uuid.uuid4()),
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
