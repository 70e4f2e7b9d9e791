# SPDX-License-Identifier: Apache-2.0
"""Catalog zones (RFC 9432): a pool's list of its zones, stored as ordinary RRsets of a zone of type CATALOG.

A member is one PTR RRset, `<zone id>.zones.<catalog>`, written in the transaction that creates or deletes the
member, so that the list always agrees with the table of zones, and a change of it is one small IXFR.

A new catalog of a pool that has zones is filled batch by batch (`poolchanges`), while zones come and go. Until its last
batch no server can have it: one that has a catalog of this name drops every zone that the new one does not list.
"""

from __future__ import annotations

from msgspec.structs import replace

from redesignate.central.change import apply
from redesignate.central.edit import Edit
from redesignate.model.clock import SECOND
from redesignate.model.errors import DuplicateZone
from redesignate.model.pool import Pool, ranked
from redesignate.model.rdata import parse
from redesignate.model.rrset import Held, new_rrset
from redesignate.model.serial import following, newest
from redesignate.model.zone import Action, Status, Zone, ZoneType, new_zone
from redesignate.store.unit import Work
from redesignate.store.zones import NOT_THE_POOLS
from redesignate.wire.rrset import pack


def _member(catalog: Zone, zone_id: str, name: str) -> Held:
    return _rrset(catalog, _owner(catalog, zone_id), "PTR", name)


def _owner(catalog: Zone, zone_id: str) -> str:
    return f"{zone_id}.zones.{catalog.name}"


def _rrset(catalog: Zone, owner: str, rrtype: str, text: str) -> Held:
    wire = pack(catalog.name, owner, rrtype, 0, [parse(rrtype, text).wire])
    return new_rrset(catalog, owner, rrtype, (text,), wire, ttl=0, project_id=None, managed=True)


def add_member(work: Work, pool: Pool, zone: Zone) -> None:
    """List a new zone in its pool's catalog, if the pool has one. At most seven statements."""
    if pool.catalog is None:
        return
    catalog = work.zones.catalog_of([pool.id], lock=True).get(pool.id)
    if catalog is None:
        return
    edit = Edit(catalog, work.now)
    edit.put(_member(catalog, zone.id, zone.name))
    apply(work, None, edit)


def remove_member(work: Work, zone: Zone) -> None:
    """Remove a zone from its pool's catalog, if it is listed there."""
    catalog = work.zones.catalog_of([zone.pool_id], lock=True).get(zone.pool_id)
    if catalog is None:
        return
    member = work.rrsets.held_at(catalog.id, _owner(catalog, zone.id), "PTR")
    edit = Edit(catalog, work.now)
    if member is not None:
        edit.drop(member)
    elif catalog.waiting:
        edit.set()  # a batch on another node of Galera may be listing the zone: of the two one is undone
    else:
        return
    apply(work, None, edit)


def keep(work: Work, pool: Pool) -> None:
    """Make the pool's catalog zone as its settings say: create it, without members, change its refresh, or delete it.

    `unfinished` and `fill` do the rest where it is created.
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
        edit = Edit(found, work.now)
        edit.set(refresh=pool.catalog.refresh)
        apply(work, None, edit)


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
    if work.zones.named([pool.catalog.name]):
        raise DuplicateZone(f"The catalog zone's name {pool.catalog.name} is taken by another zone")
    catalog = new_zone(
        pool.catalog.name,
        ZoneType.CATALOG,
        pool_id=pool.id,
        project_id=None,
        email="invalid@invalid",
        ttl=0,
        serial=following(newest(gone.serial for gone in earlier), work.now // SECOND),
        mname=best[0].hostname if best else "invalid.",
        refresh=pool.catalog.refresh,
        retry=60,
        expire=2147483646,
        minimum=0,
        now=work.now,
    )
    edit = Edit(catalog, work.now, is_new=True, apex_version=NOT_THE_POOLS, earlier=earlier)
    edit.put(new_rrset(catalog, catalog.name, "SOA", (), b"", ttl=0, project_id=None, managed=True))
    edit.put(_rrset(catalog, catalog.name, "NS", "invalid."))
    edit.put(_rrset(catalog, f"version.{catalog.name}", "TXT", '"2"'))
    apply(work, None, edit)


def unfinished(work: Work, pool_id: str) -> Zone | None:
    """Return the pool's catalog zone, locked, if it does not list all of the pool's zones yet. One query."""
    catalog = work.zones.catalog_of([pool_id], lock=True).get(pool_id)
    return catalog if catalog is not None and catalog.waiting else None


def fill(work: Work, catalog: Zone, after: str, last: str | None) -> None:
    """List the pool's zones with ids beyond `after`, up to `last`; None: all that follow, and then it is published.

    `catalog` is what `unfinished` has returned. Zones that were created since the catalog was are listed already.
    Cost   at most eight statements, of the size of the range
    """
    owners = {
        _owner(catalog, zone_id): (zone_id, name) for zone_id, name in work.zones.members(catalog.pool_id, after, last)
    }
    listed = work.rrsets.names_of(catalog.id, owners)
    edit = Edit(catalog, work.now)
    for owner, (zone_id, name) in owners.items():
        if owner not in listed:
            edit.put(_member(catalog, zone_id, name))
    if last is None:
        edit.earlier = work.zones.departed(catalog.name, catalog.pool_id)
        edit.set(transferred_at=work.now)
    if edit.changes or edit.touched:
        apply(work, None, edit)
