# SPDX-License-Identifier: Apache-2.0
"""Catalog zones (RFC 9432): a pool's list of its zones, kept as ordinary RRsets of a zone of ours.

A member is one PTR RRset, `<zone id>.zones.<catalog>`, written in the transaction that creates or deletes the
member, so that the list can never say anything else than the table, and a change of it is one small IXFR.
"""

from __future__ import annotations

from dataclasses import replace

from redesignate.central.change import advanced, publish, queue
from redesignate.model.clock import SECOND
from redesignate.model.errors import DuplicateZone
from redesignate.model.ids import new_id
from redesignate.model.pool import Pool, ranked
from redesignate.model.rdata import parse
from redesignate.model.rrset import RRset
from redesignate.model.serial import following, newest
from redesignate.model.zone import Action, Status, Zone, ZoneType
from redesignate.store.journal import Entry
from redesignate.store.unit import Work
from redesignate.wire.rrset import pack
from redesignate.wire.rrset import soa as soa_blob


def _member(catalog: Zone, zone_id: str, name: str, now: int) -> tuple[RRset, bytes]:
    return _rrset(catalog, f"{zone_id}.zones.{catalog.name}", "PTR", name, now)


def _rrset(catalog: Zone, owner: str, rrtype: str, text: str, now: int) -> tuple[RRset, bytes]:
    made = RRset(
        id=new_id(),
        zone_id=catalog.id,
        zone_name=catalog.name,
        project_id=None,
        name=owner,
        type=rrtype,
        ttl=0,
        records=(text,) if rrtype != "SOA" else (),
        description=None,
        managed=True,
        revision=catalog.revision,
        born=catalog.revision,
        version=1,
        created_at=now,
        updated_at=None,
        status=Status.PENDING,
        action=Action.CREATE,
    )
    wire = b"" if rrtype == "SOA" else pack(catalog.name, owner, rrtype, 0, [parse(rrtype, text).wire])
    return made, wire


def add_member(work: Work, pool: Pool, zone: Zone) -> None:
    """List a new zone in its pool's catalog, if the pool has one. Seven statements."""
    if pool.catalog is None:
        return
    catalog = work.zones.catalog_of([pool.id], lock=True).get(pool.id)
    if catalog is None:
        return
    after = advanced(catalog, work.now)
    member, wire = _member(after, zone.id, zone.name, work.now)
    work.rrsets.add([(member, wire)])
    publish(work, None, catalog, after, added=wire, rrsets=1)


def remove_member(work: Work, zone: Zone) -> None:
    """Strike a zone from its pool's catalog, if it stands there."""
    catalog = work.zones.catalog_of([zone.pool_id], lock=True).get(zone.pool_id)
    if catalog is None:
        return
    found = work.rrsets.find(catalog.id, f"{zone.id}.zones.{catalog.name}", "PTR")
    if found is None:
        return
    wire = work.rrsets.wire(found.id)
    work.rrsets.remove([found.id])
    publish(work, None, catalog, advanced(catalog, work.now), removed=wire, rrsets=-1)


def keep(work: Work, pool: Pool) -> None:
    """Make the pool's catalog zone what its settings say: made with every member, its refresh changed, or taken away.

    Cost   grows with the pool where a catalog is made; else constant
    """
    found = work.zones.catalog_of([pool.id], lock=True).get(pool.id)
    if found is not None and (pool.catalog is None or found.name != pool.catalog.name):
        _drop(work, found)
        found = None
    if pool.catalog is None:
        return
    if found is None:
        _make(work, pool)
    elif found.refresh != pool.catalog.refresh:
        publish(work, None, found, advanced(found, work.now, refresh=pool.catalog.refresh))


def _drop(work: Work, catalog: Zone) -> None:
    after = replace(
        catalog, action=Action.NONE, status=Status.DELETED, deleted_at=work.now, version=catalog.version + 1
    )
    work.zones.settle(catalog, after)
    work.outbox.forget(catalog.id)


def _make(work: Work, pool: Pool) -> None:
    assert pool.catalog is not None
    best = ranked(pool.ns_records)
    earlier = work.zones.departed(pool.catalog.name, pool.id)
    catalog = Zone(
        id=new_id(),
        name=pool.catalog.name,
        type=ZoneType.CATALOG,
        pool_id=pool.id,
        project_id=None,
        email="invalid@invalid",
        ttl=0,
        serial=following(newest(gone.serial for gone in earlier), work.now // SECOND),
        revision=1,
        confirmed=0,
        mname=best[0].hostname if best else "invalid.",
        refresh=pool.catalog.refresh,
        retry=60,
        expire=2147483646,
        minimum=0,
        action=Action.CREATE,
        status=Status.PENDING,
        version=1,
        created_at=work.now,
    )
    first = [
        _rrset(catalog, catalog.name, "SOA", "", work.now),
        _rrset(catalog, catalog.name, "NS", "invalid.", work.now),
        _rrset(catalog, f"version.{catalog.name}", "TXT", '"2"', work.now),
    ]
    listed = [_member(catalog, zone_id, name, work.now) for zone_id, name in work.zones.members(pool.id)]
    if work.zones.named([catalog.name]):
        raise DuplicateZone(f"The catalog zone's name {catalog.name} is taken by another zone")
    # its apex is not the pool's to refresh
    work.zones.add(catalog, apex_version=2**31 - 1, rrsets=len(first) + len(listed))
    work.rrsets.add(first + listed)
    work.journal.add(first_entry(catalog, work.now), None)
    queue(work, catalog)


def first_entry(zone: Zone, now: int) -> Entry:
    """The journal's first row of a zone: there is nothing to differ from."""
    soa = soa_blob(zone)
    return Entry(
        zone_id=zone.id,
        revision=zone.revision,
        serial_from=0,
        serial_to=zone.serial,
        full=True,
        removed=b"",
        added=b"",
        soa_from=soa,
        soa_to=soa,
        at=now,
    )
