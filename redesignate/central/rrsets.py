# SPDX-License-Identifier: Apache-2.0
"""The users' operations on RRsets. Each function is one transaction; it locks the zone's row before it reads
anything of the zone, so that quota, CNAME and placement rules cannot race with another writer of the zone."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET
from msgspec.structs import replace

from redesignate.central import quotas
from redesignate.central.change import apply
from redesignate.central.edit import Edit
from redesignate.central.rules import Answers, Rules, fields, locked, own, sees, target_of, visible
from redesignate.commands.rrsets import (
    CreateRRset,
    DeleteRRset,
    GetRRset,
    ListRRsets,
    UpdateRRset,
    UpsertRRset,
)
from redesignate.model.caller import Caller
from redesignate.model.errors import (
    BadInput,
    DuplicateRRset,
    Forbidden,
    InvalidObject,
    InvalidRRsetLocation,
    InvalidRRsetName,
    PreconditionFailed,
    RRsetNotFound,
)
from redesignate.model.etag import check_match
from redesignate.model.names import ancestors, is_below, typed
from redesignate.model.paging import Page
from redesignate.model.rdata import Rdata
from redesignate.model.rrset import Held, NewRRset, RRset, RRsetChange, new_rrset, seen
from redesignate.model.zone import Action, Status, Zone, ZoneType
from redesignate.store.rrsets import Around
from redesignate.store.unit import Work
from redesignate.store.zones import Counts
from redesignate.wire.rrset import MAX_RR, pack, retime


def create_rrset(rules: Rules, work: Work, command: CreateRRset) -> RRset:
    """Add one RRset to a zone and queue the zone for its servers.

    Raises ZoneNotFound, Forbidden, BadInput, InvalidObject, InvalidRRsetName, InvalidRRsetLocation, InvalidTTL,
    OverQuota, DuplicateRRset.
    Cost   one transaction of at most 7 statements, whatever the size of the zone.
    """
    caller, new = command.caller, command.new
    if new.type == "SOA":
        raise BadInput("Creating a SOA recordset is not allowed")
    rrtype = fields.rrtype(rules, new.type)
    name = fields.rrset_name(new.name, rrtype)
    records = fields.records(rules, name, rrtype, new.records)
    if new.description is not None:
        fields.description(new.description)
    zone, counts = locked(work, caller, command.zone_id)
    check_creatable(rules, caller, zone, name)
    above = [one for one in ancestors(name) if len(one) > len(zone.name)]
    there = work.rrsets.around(zone, name, above)
    allowed = quotas.limits(rules, work, zone.project_id, there.limits)
    _check_quota(allowed, counts, rrsets=1, records=len(records), more=len(records))
    ttl = fields.ttl(rules, caller, new.ttl) if new.ttl is not None else None
    _check_place(there, zone, name, rrtype, rules.settings.max_recordset_name_len)
    edit = Edit(zone, work.now)
    wire = _packed(zone, name, rrtype, ttl, records)
    texts = [record.text for record in records]
    made = new_rrset(
        zone,
        name,
        rrtype,
        texts,
        wire,
        ttl=ttl,
        project_id=caller.project_id,
        description=new.description,
        typed_name=typed(new.name, name),
    )
    made = edit.put(made)
    (after,) = apply(work, caller, edit)
    return seen(made, after)


def _check_place(there: Around, zone: Zone, name: str, rrtype: str, longest: int) -> None:
    """Raise where the name is outside the zone, belongs to a child zone of the same pool or already has this type, or
    where a CNAME would share its name (RFC 2181 §10.1).

    Raises InvalidRRsetName, InvalidRRsetLocation, DuplicateRRset.
    """
    if len(name) > longest:
        raise InvalidRRsetName("Name too long")
    if not is_below(name, zone.name):
        raise InvalidRRsetLocation("RecordSet is not contained within it's parent zone")
    if rrtype == "CNAME" and name == zone.name:
        raise InvalidRRsetLocation("CNAME recordsets may not be created at the zone apex")
    if there.children:
        raise InvalidRRsetLocation(f"RecordSet belongs in a child zone: {there.children[0]}")
    if "CNAME" in there.types or (rrtype == "CNAME" and there.types):
        raise InvalidRRsetLocation("CNAME recordsets may not share a name with any other records")
    if rrtype in there.types:
        raise DuplicateRRset("Duplicate RecordSet")


def get_rrset(rules: Rules, work: Work, command: GetRRset) -> RRset:
    """Return an RRset of the named zone, or of any that is visible. Raises ZoneNotFound, RRsetNotFound, Forbidden."""
    caller, zone_id, rrset_id = command.caller, command.zone_id, command.rrset_id
    if zone_id is not None:
        zone = visible(work, caller, work.zones.get(zone_id))
        rules.policy.may("get_recordset", caller, target_of(zone, caller))
    rrset = work.rrsets.get(rrset_id, zone_id=zone_id)
    if rrset is None:
        raise RRsetNotFound("Could not find RecordSet")
    if zone_id is None:
        zone_of = work.zones.get(rrset.zone_id)
        if zone_of is None or not sees(work, caller, zone_of):
            raise RRsetNotFound("Could not find RecordSet")
        rules.policy.may("get_recordset", caller, target_of(zone_of, caller))
    return rrset


def list_rrsets(rules: Rules, work: Work, command: ListRRsets) -> Page[RRset]:
    """List a zone's RRsets, or all that the project made, by page. Raises ZoneNotFound, Forbidden, MarkerNotFound."""
    caller, zone_id, query = command.caller, command.zone_id, command.query
    rules.policy.may("find_recordsets", caller, own(caller))
    project = None
    if zone_id is not None:
        visible(work, caller, work.zones.get(zone_id))
    elif not caller.all_projects:
        project = caller.project_id or ""
    return work.rrsets.listed(fields.by_name(query), zone_id=zone_id, project_id=project)


def update_rrset(rules: Rules, work: Work, command: UpdateRRset) -> RRset:
    """Change an RRset; members that are not given stay as they are.

    Raises ZoneNotFound, RRsetNotFound, Forbidden, BadInput, PreconditionFailed, InvalidObject, InvalidTTL, OverQuota.
    Cost   one transaction of at most 11 statements.
    """
    caller, change = command.caller, command.change
    zone, counts = locked(work, caller, command.zone_id)
    before = found(work, zone, command.rrset_id)
    check_changeable(rules, caller, zone, before)
    check_match(command.if_match, before)
    _check_kept(before.name, before.type, change)
    records = None if change.records is UNSET else fields.records(rules, before.name, before.type, change.records)
    if records is not None:
        more = 0 if before.managed else len(records) - len(before.records)
        allowed = quotas.limits(rules, work, zone.project_id)
        _check_quota(allowed, counts, rrsets=0, records=len(records), more=more)
    edit = Edit(zone, work.now)
    after = edit.put(_changed(rules, caller, zone, before, change, records=records), over=before)
    (moved,) = apply(work, caller, edit)
    return seen(after, moved)


def upsert_rrset(rules: Rules, work: Work, command: UpsertRRset) -> RRset:
    """Change the RRset of a name and type, as `update_rrset` does, or add it, as `create_rrset` does.

    Raises what they raise; PreconditionFailed.
    Cost   two statements more than either: the zone's lock decides which it is, so that of two at once one adds it.
    """
    caller, change = command.caller, command.change
    rrtype = fields.rrtype(rules, command.type)
    name = fields.rrset_name(command.name, rrtype)
    zone, _ = locked(work, caller, command.zone_id)
    before = work.rrsets.held_at(zone.id, name, rrtype)
    if before is not None:
        check_changeable(rules, caller, zone, before)
        if command.if_absent:
            raise PreconditionFailed("If-None-Match: the zone has this recordset already; nothing was changed.")
        wanted = UpdateRRset(
            caller=caller, zone_id=zone.id, rrset_id=before.id, change=change, if_match=command.if_match
        )
        return update_rrset(rules, work, wanted)
    check_creatable(rules, caller, zone, name)
    check_match(command.if_match, None)
    _check_kept(name, rrtype, change)
    new = NewRRset(
        name=command.name,
        type=rrtype,
        ttl=None if change.ttl is UNSET else change.ttl,
        records=() if change.records is UNSET else change.records,
        description=None if change.description is UNSET else change.description,
    )
    return create_rrset(rules, work, CreateRRset(caller=caller, zone_id=zone.id, new=new))


def _changed(
    rules: Rules, caller: Caller, zone: Zone, before: Held, change: RRsetChange, *, records: Sequence[Rdata] | None
) -> Held:
    """The RRset as the caller wants it; where `records` is None it keeps those that it has."""
    ttl = before.ttl
    if change.ttl is not UNSET:
        ttl = fields.ttl(rules, caller, change.ttl) if change.ttl is not None else None
    description = before.description if change.description is UNSET else fields.description(change.description)
    if records is None:
        wire, texts = retime(before.wire, ttl or 0), before.records
    else:
        wire = _packed(zone, before.name, before.type, ttl, records)
        texts = tuple([record.text for record in records])
    return before._replace(ttl=ttl, records=texts, wire=wire, description=description)


def delete_rrset(rules: Rules, work: Work, command: DeleteRRset) -> RRset:
    """Delete an RRset. The API stops showing it at once; the servers have dropped it when the zone is ACTIVE.

    Raises ZoneNotFound, RRsetNotFound, Forbidden, BadInput, PreconditionFailed.
    """
    caller = command.caller
    zone, _ = locked(work, caller, command.zone_id)
    before = found(work, zone, command.rrset_id)
    _check_writable(zone)
    target = dict(target_of(zone, caller), recordset_id=before.id, recordset_project_id=before.project_id)
    rules.policy.may("delete_recordset", caller, target)
    if before.type == "SOA":
        raise BadInput("Deleting a SOA recordset is not allowed")
    if before.managed and not caller.edit_managed:
        raise BadInput("Managed records may not be deleted")
    if before.type == "NS" and before.name == zone.name:
        raise BadInput("Deleting a root zone NS record is not allowed")
    check_match(command.if_match, before)
    edit = Edit(zone, work.now)
    edit.drop(before)
    (after,) = apply(work, caller, edit)
    shown = replace(seen(before, zone), status=Status.PENDING, action=Action.DELETE, updated_at=work.now)
    return replace(shown, revision=after.revision)


def found(work: Work, zone: Zone, rrset_id: str) -> Held:
    """Return the RRset of the zone. Raises RRsetNotFound where the zone does not have it."""
    rrset = work.rrsets.held(rrset_id, zone.id)
    if rrset is None:
        raise RRsetNotFound("Could not find RecordSet")
    if zone.handed is not None and rrset.born <= zone.handed:  # its row still names who had the zone before
        return rrset._replace(project_id=zone.project_id)
    return rrset


def _check_writable(zone: Zone) -> None:
    if zone.type is ZoneType.CATALOG:
        raise Forbidden("This operation is not allowed for catalog zones.")
    if zone.action is Action.DELETE:
        raise BadInput("Can not update a deleting zone")


def check_creatable(rules: Rules, caller: Caller, zone: Zone, name: str | None) -> None:
    """Raise Forbidden or BadInput where the caller may not add an RRset to the zone."""
    _check_writable(zone)
    rules.policy.may("create_recordset", caller, dict(target_of(zone, caller), recordset_name=name))


def check_changeable(rules: Rules, caller: Caller, zone: Zone, rrset: Held) -> None:
    """Raise Forbidden or BadInput where the caller may not change anything of the RRset."""
    _check_writable(zone)
    target = dict(target_of(zone, caller), recordset_id=rrset.id, recordset_project_id=rrset.project_id)
    rules.policy.may("update_recordset", caller, target)
    if rrset.type == "SOA":
        raise BadInput("Updating SOA recordsets is not allowed")
    if rrset.type == "NS" and rrset.name == zone.name:
        text = "Updating a root zone NS record is not allowed"
        raise BadInput(text if caller.edit_managed else "Managed records may not be updated")
    if rrset.managed and not caller.edit_managed:
        raise BadInput("Managed records may not be updated")


def _check_kept(name: str, rrtype: str, change: RRsetChange) -> None:
    """Raise InvalidObject where a member that cannot change is sent with another value; its own value is accepted."""
    renamed = change.same_name is not UNSET and not fields.is_name(change.same_name, name)
    retyped = change.same_type is not UNSET and change.same_type != rrtype
    differing = [name for name, differs in (("name", renamed), ("type", retyped)) if differs]
    if differing:
        raise InvalidObject(f"Provided object does not match schema. Keys {differing[:1]} are not valid for recordset")


def _check_quota(allowed: dict[str, int], counts: Counts, *, rrsets: int, records: int, more: int) -> None:
    """Check the quota of the zone's owner. `records`: the RRset's; `more`: by how many records the zone grows."""
    wanted = {"recordset_records": records}
    if rrsets:
        wanted["zone_recordsets"] = counts.rrsets + rrsets
    if more > 0:
        wanted["zone_records"] = counts.records + more
    quotas.check(allowed, **wanted)


def _packed(zone: Zone, name: str, rrtype: str, ttl: int | None, records: Sequence[Rdata]) -> bytes:
    """The RRset in its stored and transmitted form. Raises InvalidObject where a record exceeds a DNS message."""
    try:
        for at, record in enumerate(records):
            if len(record.wire) + len(name) + 12 > MAX_RR:
                raise InvalidObject.at(["records", at], f"A record of {len(record.wire)} octets cannot be transferred")
        return pack(zone.name, name, rrtype, ttl, [record.wire for record in records])
    except ValueError as error:
        raise fields.refused(error) from error


ANSWERS: Answers = {
    CreateRRset: create_rrset,
    GetRRset: get_rrset,
    ListRRsets: list_rrsets,
    UpdateRRset: update_rrset,
    UpsertRRset: upsert_rrset,
    DeleteRRset: delete_rrset,
}
