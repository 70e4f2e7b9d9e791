# SPDX-License-Identifier: Apache-2.0
"""The users' operations on shares of zones; what a share lets a project see is in `rules/`, what it lets it do in
policy."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError

from redesignate.central.rules import Answers, Rules, fields, locked, own, target_of, visible
from redesignate.commands.shares import CreateShare, DeleteShare, GetShare, ListShares
from redesignate.model.caller import Caller
from redesignate.model.clock import new_id
from redesignate.model.errors import (
    BadInput,
    DuplicateSharedZone,
    Forbidden,
    OverQuota,
    SharedZoneHasRRsets,
    SharedZoneHasSubZone,
    SharedZoneNotFound,
)
from redesignate.model.paging import Page
from redesignate.model.share import Share
from redesignate.model.zone import Action, Zone, ZoneType
from redesignate.store.shares import Shares
from redesignate.store.unit import Work

MOST = 1000
"""The most shares of one zone."""


def list_shares(rules: Rules, work: Work, command: ListShares) -> Page[Share]:
    """Return a page of the zone's shares; to a project with which it is shared, its own share alone.

    Raises ZoneNotFound, Forbidden, MarkerNotFound.
    """
    caller = command.caller
    zone = visible(work, caller, work.zones.get(command.zone_id))
    rules.policy.may("find_zone_shares", caller, target_of(zone, caller))
    if not caller.all_projects:
        rules.policy.may("find_project_zone_share", caller, own(caller))
    theirs = None if caller.all_projects or caller.project_id == zone.project_id else caller.project_id
    return Shares(work.conn).listed(zone, command.query, target=theirs)


def get_share(rules: Rules, work: Work, command: GetShare) -> Share:
    """Return one share. Raises ZoneNotFound, Forbidden, SharedZoneNotFound."""
    zone = visible(work, command.caller, work.zones.get(command.zone_id))
    rules.policy.may("get_zone_share", command.caller, target_of(zone, command.caller))
    return _found(work, zone, command.share_id)


def create_share(rules: Rules, work: Work, command: CreateShare) -> Share:
    """Share a zone with a project. Nothing of the zone changes in DNS.

    Raises ZoneNotFound, Forbidden, BadInput, InvalidProject, OverQuota, DuplicateSharedZone.
    Cost   three statements.
    """
    target = fields.project_id(command.new.target_project_id)
    zone, _ = locked(work, command.caller, command.zone_id)
    check_shareable(rules, command.caller, zone)
    if target == zone.project_id:
        raise BadInput("Cannot share the zone with the zone owner.")
    if (zone.shares or 0) >= MOST:
        raise OverQuota(f"A zone has at most {MOST} shares; delete those that are not needed.")
    made = Share(
        id=new_id(), zone_id=zone.id, project_id=zone.project_id, target_project_id=target, created_at=work.now
    )
    try:
        Shares(work.conn).add(zone, made)
    except IntegrityError as error:
        raise DuplicateSharedZone("Duplicate Shared Zone") from error
    return made


def check_shareable(rules: Rules, caller: Caller, zone: Zone) -> None:
    """Raise Forbidden or BadInput where the caller may not share the zone."""
    if zone.type is ZoneType.CATALOG:
        raise Forbidden("This operation is not allowed for catalog zones.")
    rules.policy.may("share_zone", caller, target_of(zone, caller))
    if zone.action is Action.DELETE:
        raise BadInput("Can not share a deleting zone")


def delete_share(rules: Rules, work: Work, command: DeleteShare) -> None:
    """End a share; refused while its project has record sets in the zone, or a zone below it.

    Under the zone's lock, which the creation of a record set takes too: none is left behind.

    Raises ZoneNotFound, Forbidden, SharedZoneNotFound, SharedZoneHasSubZone, SharedZoneHasRRsets.
    Cost   six statements.
    """
    zone, _ = locked(work, command.caller, command.zone_id)
    rules.policy.may("unshare_zone", command.caller, target_of(zone, command.caller))
    share = _found(work, zone, command.share_id)
    shares = Shares(work.conn)
    if shares.has_child(zone.id, share.target_project_id):
        raise SharedZoneHasSubZone("The project with which the zone is shared has a zone below it; delete that first")
    if shares.has_rrsets(zone, share.target_project_id):
        raise SharedZoneHasRRsets("The project with which the zone is shared has recordsets in it; delete those first")
    shares.remove(zone, share)


def _found(work: Work, zone: Zone, share_id: str) -> Share:
    share = Shares(work.conn).get(zone, share_id)
    if share is None:
        raise SharedZoneNotFound("Could not find Shared Zone")
    return share


ANSWERS: Answers = {
    ListShares: list_shares,
    GetShare: get_share,
    CreateShare: create_share,
    DeleteShare: delete_share,
}
