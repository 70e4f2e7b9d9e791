# SPDX-License-Identifier: Apache-2.0
"""The users' operations on zones. Each function is one transaction; its body checks the rules one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace
from sqlalchemy.exc import IntegrityError

from redesignate.central import apex, catalogs, inbound, quotas
from redesignate.central.change import apply, queue
from redesignate.central.edit import Edit
from redesignate.central.rules import Answers, Rules, fields, locked, own, sees, target_of, visible
from redesignate.central.rules.allowed import check_allowed
from redesignate.central.rules.ownership import check_length, check_ownership, family, parent_in
from redesignate.central.rules.scheduler import schedule
from redesignate.commands.zones import CreateZone, DeleteZone, FindZone, GetZone, ListZones, UpdateZone, ZoneNameservers
from redesignate.model.caller import Caller
from redesignate.model.clock import SECOND
from redesignate.model.errors import (
    BadInput,
    DuplicateZone,
    Forbidden,
    InvalidObject,
    MissingProject,
    NoServersConfigured,
    ZoneHasSubZone,
    ZoneIsShared,
)
from redesignate.model.etag import check_match
from redesignate.model.names import InvalidName, ancestors, canonical, typed
from redesignate.model.paging import Page
from redesignate.model.pool import NSRecord, Pool, ranked
from redesignate.model.serial import following, newer, newest
from redesignate.model.tsigkey import Scope
from redesignate.model.zone import Action, NewZone, Status, Zone, ZoneChange, ZoneType, new_zone
from redesignate.store.poolguard import PoolGuard
from redesignate.store.shares import Shares
from redesignate.store.unit import Work
from redesignate.store.zones import Stale


def create_zone(rules: Rules, work: Work, command: CreateZone) -> Zone:
    """Add a zone with its SOA and apex NS, and queue it for its pool's servers.

    Raises BadInput, InvalidObject, InvalidZoneName, InvalidTTL, Forbidden, MissingProject, OverQuota, DuplicateZone,
    IllegalChild, IllegalParent, NoValidPool, MultiplePoolsFound, NoServersConfigured.
    Cost   one transaction of at most 17 statements (24 with a catalog zone), whatever the number of zones.
    """
    return add_zone(rules, work, command.caller, command.new, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a new zone has already: its id, under which its RRsets are stored, and what it takes from its file's SOA.

    rrsets records   their numbers
    """

    id: str
    serial: int
    retry: int
    expire: int
    rrsets: int
    records: int


def add_zone(rules: Rules, work: Work, caller: Caller, wanted: NewZone, loaded: Loaded | None) -> Zone:
    """As `create_zone`; `loaded`: the zone comes from a file. Raises as that, and costs one statement more then."""
    new = _checked(rules, wanted)
    rules.policy.may("create_zone", caller, dict(own(caller), zone_name=new.name))
    if new.type is ZoneType.CATALOG:
        raise Forbidden("This operation is not allowed for catalog zones.")
    if caller.project_id is None:
        raise MissingProject("A project is needed to own the zone")
    work.quotas.queue_on(family(new.name))
    rrsets, records = (0, 0) if loaded is None else (loaded.rrsets, loaded.records)
    quotas.check_zone(rules, work, caller.project_id, rrsets=apex.size(new.type) + rrsets, records=records)
    check_length(new.name, rules.settings.max_zone_name_len)
    check_allowed(rules, work, caller, new.name)
    ttl = rules.settings.default_ttl if new.ttl is None else fields.ttl(rules, caller, new.ttl)
    parents = check_ownership(work, new.name, caller.project_id)
    pool, apex_version = held_pool(work, schedule(rules, caller, new, work.pools.all()).id)
    check_pool(rules, work, pool)
    parent = parent_in(parents, pool.id)
    earlier = work.zones.departed(new.name, pool.id)
    zone = _made(rules, work.now, new, caller.project_id, pool=pool, ttl=ttl, parent=parent, earlier=earlier)
    zone = replace(zone, typed_name=typed(wanted.name, zone.name))
    if loaded is not None:
        zone = _as_loaded(zone, loaded, earlier)
    edit = Edit(zone, work.now, is_new=True, apex_version=apex_version, earlier=earlier)
    apex.add(edit, pool)
    try:
        apply(work, caller, edit)
    except IntegrityError as error:
        raise DuplicateZone("Duplicate Zone") from error
    if loaded is not None:
        work.zones.advance(zone, zone, rrsets=rrsets, records=records)
    work.zones.adopt(zone)
    catalogs.add_member(work, pool, zone)
    PoolGuard(work.conn).created(zone.id)
    if zone.waiting:
        inbound.begin_watch(work, zone)
    quotas.spend_zone(rules, work, caller.project_id)
    return zone


def _as_loaded(zone: Zone, loaded: Loaded, earlier: Sequence[Zone]) -> Zone:
    """The zone with what its file says. Its serial is the file's, unless an earlier zone of the name was beyond."""
    before = newest(gone.serial for gone in earlier) if earlier else None
    serial = loaded.serial if before is None or newer(loaded.serial, before) else zone.serial
    return replace(zone, id=loaded.id, serial=serial or 1, retry=loaded.retry, expire=loaded.expire)


def held_pool(work: Work, pool_id: str) -> tuple[Pool, int]:
    """Lock the pool until we commit: a change of its NS records or catalog meanwhile would miss this zone."""
    held = work.pools.hold(pool_id)
    if held is None:
        raise Stale
    return held


def _checked(rules: Rules, new: NewZone) -> NewZone:
    name = fields.zone_name(new.name)
    fields.description(new.description)
    fields.attributes(new.attributes)
    primaries = fields.primaries(new.primaries)
    if new.type is ZoneType.SECONDARY:
        for member in ("email", "ttl"):
            if getattr(new, member) is not None:
                text = f"'{member}' can't be specified when type is SECONDARY"
                raise InvalidObject.at(["type"], text, validator="not_allowed", value=member)
        if not new.primaries:
            raise InvalidObject.at(
                ["type", "masters"], "'masters' is a required property", validator="required", value=["masters"]
            )
        return NewZone(
            name=name,
            type=new.type,
            email=rules.settings.managed_resource_email,
            description=new.description,
            attributes=new.attributes,
            primaries=primaries,
        )
    if new.primaries:
        raise InvalidObject.at(
            ["type"], "'masters' has more items than allowed", validator="maxItems", value=["masters"]
        )
    if new.email is None and new.type is ZoneType.PRIMARY:
        raise InvalidObject.at(["type", "email"], "'email' is a required property", validator="required", value="email")
    return NewZone(
        name=name,
        type=new.type,
        email=fields.email(new.email) if new.email is not None else None,
        ttl=new.ttl,
        description=new.description,
        attributes=new.attributes,
    )


def check_pool(rules: Rules, work: Work, pool: Pool) -> None:
    """Check that the pool has NS records, and a key unless it is the default: mdns tells pools' zones apart by key."""
    if pool.id != rules.settings.default_pool_id and not work.tsigkeys.of(Scope.POOL, pool.id):
        raise BadInput("A TSIG key is required for non-default pools")
    if not pool.ns_records:
        raise NoServersConfigured(f"Pool {pool.name} has no ns_records; add some with `redesignate manage pool update`")


def _made(
    rules: Rules,
    now: int,
    new: NewZone,
    project_id: str,
    *,
    pool: Pool,
    ttl: int,
    parent: Zone | None,
    earlier: Sequence[Zone],
) -> Zone:
    """The zone's first row. Its serial is newer than that of an earlier zone of the name, so that a server that has not
    dropped the earlier zone yet does not take its content for ours."""
    settings = rules.settings
    secondary = new.type is ZoneType.SECONDARY
    return new_zone(
        new.name,
        new.type,
        pool_id=pool.id,
        project_id=project_id,
        email=new.email or settings.managed_resource_email,
        ttl=ttl,
        serial=1 if secondary else following(newest(gone.serial for gone in earlier), now // SECOND),
        mname=ranked(pool.ns_records)[0].hostname,
        refresh=rules.random.randint(settings.default_soa_refresh_min, settings.default_soa_refresh_max),
        retry=settings.default_soa_retry,
        expire=settings.default_soa_expire,
        minimum=settings.default_soa_minimum,
        now=now,
        description=new.description,
        parent_id=parent.id if parent else None,
        attributes=new.attributes,
        primaries=new.primaries,
    )


def get_zone(rules: Rules, work: Work, command: GetZone) -> Zone:
    """Return one zone that the caller may see. Raises ZoneNotFound, Forbidden."""
    caller, zone_id = command.caller, command.zone_id
    zone = visible(work, caller, work.zones.get(zone_id))
    rules.policy.may("get_zone", caller, target_of(zone, caller))
    return zone


def list_zones(rules: Rules, work: Work, command: ListZones) -> Page[Zone]:
    """Return a page of the caller's zones and of those shared with it, or of all with the all-projects switch.

    Raises Forbidden, MarkerNotFound.
    """
    caller, query = command.caller, command.query
    rules.policy.may("find_zones", caller, own(caller))
    project = None if caller.all_projects else caller.project_id or ""
    return work.zones.listed(fields.by_name(query), project_id=project, catalogs="admin" in caller.roles)


def find_zone(rules: Rules, work: Work, command: FindZone) -> Page[Zone]:
    """Return the zone that holds a name, as `ListZones` would show it. Raises Forbidden, BadInput.

    Cost   one query on the index of names, for at most 127 of them.
    """
    caller = command.caller
    rules.policy.may("find_zones", caller, own(caller))
    try:
        names = ancestors(canonical(command.name))
    except InvalidName as error:
        raise BadInput(f"owns: {error}") from error
    shown = [
        zone
        for zone in work.zones.named(names)
        if sees(work, caller, zone) and (zone.type is not ZoneType.CATALOG or "admin" in caller.roles)
    ]
    longest = max((len(zone.name) for zone in shown), default=0)
    found = sorted((zone for zone in shown if len(zone.name) == longest), key=lambda zone: zone.id)
    return Page(items=tuple(found), total=len(found))


def nameservers(rules: Rules, work: Work, command: ZoneNameservers) -> tuple[NSRecord, ...]:
    """Return the NS records of the zone's pool, best first. Raises ZoneNotFound, Forbidden."""
    caller, zone_id = command.caller, command.zone_id
    zone = visible(work, caller, work.zones.get(zone_id))
    rules.policy.may("get_zone_ns_records", caller, target_of(zone, caller))
    pool = work.pools.get(zone.pool_id)
    return ranked(pool.ns_records) if pool else ()


def update_zone(rules: Rules, work: Work, command: UpdateZone) -> Zone:
    """Change a zone; its serial rises and its servers are updated, whichever member changed (as v2 publishes).

    A change of a SECONDARY zone is not visible in DNS: its serial is that of its primaries and stays, and no server is
    updated. New primaries are queried at once, and their content is accepted whatever its serial.

    Raises ZoneNotFound, Forbidden, BadInput, PreconditionFailed, InvalidObject, InvalidTTL.
    Cost   five statements; two more, and as much as the zone holds, where the zone's own TTL changes.
    """
    caller, zone_id = command.caller, command.zone_id
    zone, _ = locked(work, caller, zone_id)
    check_changeable(rules, caller, zone)
    check_match(command.if_match, zone)
    changes = _changes(rules, caller, zone, command.change)
    if zone.type is ZoneType.SECONDARY:
        kept = replace(zone, version=zone.version + 1, updated_at=work.now, **changes)
        work.zones.advance(zone, kept)
        if kept.primaries != zone.primaries:
            inbound.primaries_changed(work, kept)
        return kept
    edit = Edit(zone, work.now)
    edit.set(**changes)
    (after,) = apply(work, caller, edit)
    return after


def check_changeable(rules: Rules, caller: Caller, zone: Zone) -> None:
    """Raise Forbidden or BadInput where the caller may not change anything of the zone."""
    if zone.type is ZoneType.CATALOG:
        raise Forbidden("This operation is not allowed for catalog zones.")
    rules.policy.may("update_zone", caller, target_of(zone, caller))
    if zone.action is Action.DELETE:
        raise BadInput("Can not update a deleting zone")


def _changes(rules: Rules, caller: Caller, zone: Zone, change: ZoneChange) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    _check_kept(zone, change)
    _check_type_rules(zone, change)
    if change.email is not UNSET:
        changes["email"] = fields.email(change.email)
    if change.ttl is not UNSET:
        changes["ttl"] = fields.ttl(rules, caller, change.ttl)
    if change.description is not UNSET:
        changes["description"] = fields.description(change.description)
    if change.attributes is not UNSET:
        changes["attributes"] = fields.attributes(change.attributes)
    if change.primaries is not UNSET:
        changes["primaries"] = fields.primaries(change.primaries)
    return changes


def _check_type_rules(zone: Zone, change: ZoneChange) -> None:
    """Refuse what the zone's type rules out: email and TTL of a SECONDARY zone, primaries of any other."""
    masters = change.primaries
    if zone.type is not ZoneType.SECONDARY:
        if masters is not UNSET and masters:
            text = "'masters' has more items than allowed"
            raise InvalidObject.at(["type"], text, validator="maxItems", value=["masters"])
        return
    for member in ("email", "ttl"):
        if getattr(change, member) is not UNSET:
            text = f"'{member}' can't be specified when type is SECONDARY"
            raise InvalidObject.at(["type"], text, validator="not_allowed", value=member)
    if masters is not UNSET and not masters:
        raise InvalidObject.at(
            ["type", "masters"], "'masters' is a required property", validator="required", value=["masters"]
        )


def _check_kept(zone: Zone, change: ZoneChange) -> None:
    """Raise InvalidObject where a member that cannot change is sent with another value; its own value is accepted."""
    renamed = change.same_name is not UNSET and not fields.is_name(change.same_name, zone.name)
    retyped = change.same_type is not UNSET and change.same_type is not zone.type
    differing = [name for name, differs in (("name", renamed), ("type", retyped)) if differs]
    if differing:
        raise InvalidObject(f"Provided object does not match schema. Keys {differing[:1]} are not valid for zone")


def delete_zone(rules: Rules, work: Work, command: DeleteZone) -> Zone:
    """Queue the zone's deletion from its servers; it disappears from the API once all have dropped it.

    Repeating the request queues the deletion again.

    Raises ZoneNotFound, Forbidden, ZoneIsShared, ZoneHasSubZone, PreconditionFailed.
    """
    caller, zone_id = command.caller, command.zone_id
    zone, _ = locked(work, caller, zone_id)
    if zone.type is ZoneType.CATALOG:
        raise Forbidden("This operation is not allowed for catalog zones.")
    rules.policy.may("delete_zone", caller, target_of(zone, caller))
    check_unneeded(work, caller, zone)
    check_match(command.if_match, zone)
    if zone.action is Action.DELETE:
        if caller.hard_delete:
            work.zones.advance(zone, zone, hard_delete=True)
        queue(work, zone)
        return zone
    if zone.shared:
        Shares(work.conn).forget([zone.id])
    after = replace(
        zone,
        shares=None,
        revision=zone.revision + 1,
        action=Action.DELETE,
        status=Status.PENDING,
        version=zone.version + 1,
        updated_at=work.now,
    )
    work.zones.advance(zone, after, hard_delete=caller.hard_delete)
    if zone.type is ZoneType.SECONDARY:
        work.inbound.forget(zone.id)
    catalogs.remove_member(work, zone)
    queue(work, after)
    return after


def check_unneeded(work: Work, caller: Caller, zone: Zone) -> None:
    """Raise ZoneIsShared or ZoneHasSubZone where other projects or zones need the zone."""
    if zone.shared and not caller.delete_shares:
        raise ZoneIsShared(
            "The zone is shared with other projects; delete its shares first, or send X-Designate-Delete-Shares: true"
        )
    if work.zones.has_children(zone.id):
        raise ZoneHasSubZone("Please delete any subzones before deleting this zone")


ANSWERS: Answers = {
    CreateZone: create_zone,
    GetZone: get_zone,
    ListZones: list_zones,
    FindZone: find_zone,
    UpdateZone: update_zone,
    DeleteZone: delete_zone,
    ZoneNameservers: nameservers,
}
