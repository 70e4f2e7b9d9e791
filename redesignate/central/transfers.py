# SPDX-License-Identifier: Apache-2.0
"""The users' operations on transfers of zones between projects.

A zone is offered by its owner's request, and taken over by a project that sends the request's key. The acceptance
changes the owner in one transaction, under the lock of the zone's row, which every change of the zone takes.
"""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace
from sqlalchemy.exc import IntegrityError

from redesignate.central import quotas
from redesignate.central.rules import Answers, Rules, fields, locked, target_of
from redesignate.central.rules.ownership import family
from redesignate.commands.transfers import (
    AcceptTransfer,
    CreateTransferRequest,
    DeleteTransferRequest,
    GetTransferAccept,
    GetTransferRequest,
    HandedOver,
    HandOverRRsets,
    ListTransferAccepts,
    ListTransferRequests,
    UpdateTransferRequest,
)
from redesignate.model.caller import Caller
from redesignate.model.clock import new_id
from redesignate.model.errors import (
    BadInput,
    DuplicateTransferRequest,
    DuplicateZone,
    Forbidden,
    InvalidKey,
    InvalidTransferRequest,
    MissingProject,
    TransferAcceptNotFound,
    TransferRequestNotFound,
    ZoneNotFound,
)
from redesignate.model.paging import Page
from redesignate.model.transfer import TransferAccept, TransferRequest, TransferStatus, is_key, new_key
from redesignate.model.zone import Action, Zone, ZoneType
from redesignate.store.handovers import Handovers
from redesignate.store.shares import Shares
from redesignate.store.transfers import Transfers
from redesignate.store.unit import Store, Work
from redesignate.store.zones import Stale
from redesignate.threads.deadline import ASKING

MOST_TRIES = 10
"""Wrong keys that one project may send for one request."""


# -- requests


def list_requests(rules: Rules, work: Work, command: ListTransferRequests) -> Page[TransferRequest]:
    """Return a page of the requests that the caller's project made or that name it, or of all with the all-projects
    switch. Raises Forbidden, MarkerNotFound."""
    caller = command.caller
    rules.policy.may("find_zone_transfer_requests", caller, {})
    page = _transfers(work).listed(command.query, None if caller.all_projects else caller.project_id or "")
    return Page(tuple(_shown(rules, caller, one) for one in page.items), page.total)


def get_request(rules: Rules, work: Work, command: GetTransferRequest) -> TransferRequest:
    """Return one request; the key and most else to its owner alone. Raises TransferRequestNotFound, Forbidden."""
    found = _found(work, command.request_id)
    rules.policy.may("get_zone_transfer_request", command.caller, _target(found))
    return _shown(rules, command.caller, found)


def create_request(rules: Rules, work: Work, command: CreateTransferRequest) -> TransferRequest:
    """Offer a zone. Raises ZoneNotFound, Forbidden, BadInput, InvalidObject, InvalidProject, DuplicateTransferRequest.

    Cost   two statements.
    """
    new = command.new
    target = None if new.target_project_id is None else fields.project_id(new.target_project_id)
    zone, _ = locked(work, command.caller, command.zone_id)
    check_offerable(rules, command.caller, zone)
    made = TransferRequest(
        id=new_id(),
        zone_id=zone.id,
        zone_name=zone.shown_name,
        project_id=zone.project_id,
        target_project_id=target,
        key=new_key(),
        status=TransferStatus.ACTIVE,
        description=fields.description(new.description),
        created_at=work.now,
    )
    try:
        _transfers(work).add(made)
    except IntegrityError as error:
        raise DuplicateTransferRequest("Duplicate Zone Transfer Request") from error
    return _shown(rules, command.caller, made)


def check_offerable(rules: Rules, caller: Caller, zone: Zone) -> None:
    """Raise Forbidden or BadInput where the caller may not offer the zone."""
    if zone.type is ZoneType.CATALOG:
        raise Forbidden("This operation is not allowed for catalog zones.")
    rules.policy.may("create_zone_transfer_request", caller, target_of(zone, caller))
    if zone.action is Action.DELETE:
        raise BadInput("Can not transfer a deleting zone")


def update_request(rules: Rules, work: Work, command: UpdateTransferRequest) -> TransferRequest:
    """Change a request's description, and who may accept it. An acceptance that has read another target is tried
    again (`Transfers.complete`). Raises TransferRequestNotFound, Forbidden, InvalidObject, InvalidProject."""
    change = command.change
    before = changeable(rules, work, command.caller, command.request_id)
    after = before
    if change.description is not UNSET:
        after = replace(after, description=fields.description(change.description))
    if change.target_project_id is not UNSET:
        target = None if change.target_project_id is None else fields.project_id(change.target_project_id)
        after = replace(after, target_project_id=target)
    if change == type(change)():
        return _shown(rules, command.caller, before)
    after = replace(after, updated_at=work.now)
    if not _transfers(work).change(after):
        raise Stale
    return _shown(rules, command.caller, after)


def changeable(rules: Rules, work: Work, caller: Caller, request_id: str) -> TransferRequest:
    """Return the request that the caller may change. Raises TransferRequestNotFound, Forbidden."""
    found = _found(work, request_id)
    rules.policy.may("update_zone_transfer_request", caller, _target(found))
    return found


def delete_request(rules: Rules, work: Work, command: DeleteTransferRequest) -> None:
    """Withdraw a request; its acceptance goes with it. Raises TransferRequestNotFound, Forbidden."""
    found = _found(work, command.request_id)
    rules.policy.may("delete_zone_transfer_request", command.caller, _target(found))
    if not _transfers(work).remove(found.id, found.zone_id):
        raise TransferRequestNotFound("Could not find Zone Transfer Request")


def _target(request: TransferRequest) -> dict[str, object]:
    return {
        "project_id": request.project_id,
        "tenant_id": request.project_id,
        "target_project_id": request.target_project_id,
    }


def _shown(rules: Rules, caller: Caller, request: TransferRequest) -> TransferRequest:
    """The request as the caller may see it: without its key where policy says so."""
    if rules.policy.allows("get_zone_transfer_request_detailed", caller, _target(request)):
        return request
    return replace(request, key="", detailed=False)


def _found(work: Work, request_id: str) -> TransferRequest:
    request = _transfers(work).get(request_id)
    if request is None:
        raise TransferRequestNotFound("Could not find Zone Transfer Request")
    return request


def _transfers(work: Work) -> Transfers:
    return Transfers(work.conn, work.secrets)


# -- acceptances


def tried(rules: Rules, store: Store, command: AcceptTransfer) -> AcceptTransfer:
    """Return the command itself where its key is right; else count the try, which stays counted.

    In a transaction of its own before the acceptance's, which a refusal undoes. Of one project the tries for a request
    wait for each other and each is counted before it is compared, so that none of many at once is free; a right key is
    not counted. Raises what `accept` raises before it compares, InvalidKey.
    Cost   six statements.
    """

    def attempt(work: Work) -> bool:
        request, project_id = _acceptable(rules, work, command)
        transfers = _transfers(work)
        if transfers.count_try(request.id, project_id) > MOST_TRIES:
            raise InvalidKey(
                "Your project has sent too many wrong keys for this transfer request;"
                " ask the owner of the zone for a new one."
            )
        right = is_key(command.new.key, request.key)
        if right:
            transfers.uncount_try(request.id, project_id)
        return right

    if not store.transact(attempt, deadline=ASKING.at):
        raise InvalidKey("The key is wrong")
    return command


def accept(rules: Rules, work: Work, command: AcceptTransfer) -> TransferAccept:
    """Take over a zone: its owner, its place in the quotas of both projects and its record sets, whoever made them.

    All in this transaction, but the rows of the record sets of a zone with more than `handovers.AT_ONCE`, which
    `hand_over` writes later. Nobody sees a half: until then each counts as the new owner's wherever it is read
    (`zones.handed`), and all of them are left out of the lists of record sets by project, to appear in one moment.
    Shares stay, and are the new owner's; its own share ends. Zones above and below it stay with their owners, and so
    do the links between them. Other zones of the name, in other pools, must be of the new owner already.

    Raises TransferRequestNotFound, Forbidden, MissingProject, InvalidTransferRequest, InvalidKey, ZoneNotFound,
    BadInput, DuplicateZone, OverQuota.
    Cost   14 statements, and up to AT_ONCE rows; those of `tried` before.
    """
    request, project_id = _acceptable(rules, work, command)
    if not is_key(command.new.key, request.key):  # it was right a moment ago: the request was made anew
        raise InvalidKey("The key is wrong")
    zone, rrsets = _offered(work, request)
    if not _transfers(work).complete(request, work.now):
        raise Stale
    if any(other.project_id != project_id for other in work.zones.named([zone.name]) if other.id != zone.id):
        raise DuplicateZone("Zone already exists, owned by a different tenant")
    _hand(work, zone, rrsets, project_id)
    made = TransferAccept(
        id=new_id(),
        zone_id=zone.id,
        zone_transfer_request_id=request.id,
        project_id=project_id,
        created_at=work.now,
        updated_at=work.now,
    )
    _transfers(work).accept(made)
    if zone.project_id != project_id:
        if zone.project_id is not None:
            work.quotas.release_zone(zone.project_id)
        quotas.spend_zone(rules, work, project_id)
    work.events.append(("zone transferred", {"zone": zone.id, "from_project": zone.project_id, "project": project_id}))
    return made


def _acceptable(rules: Rules, work: Work, command: AcceptTransfer) -> tuple[TransferRequest, str]:
    """The request, where the caller may try to accept it, and the caller's project. Raises TransferRequestNotFound,
    Forbidden, MissingProject, InvalidTransferRequest."""
    request = _found(work, command.new.zone_transfer_request_id)
    target = {"target_project_id": request.target_project_id}
    rules.policy.may("create_zone_transfer_accept", command.caller, target)
    if command.caller.project_id is None:
        raise MissingProject("A project is needed to own the zone")
    if request.target_project_id not in (None, command.caller.project_id):
        raise Forbidden("The transfer request is for another project")
    if request.status is not TransferStatus.ACTIVE:
        raise InvalidTransferRequest("The zone transfer request was accepted already")
    return request, command.caller.project_id


def _offered(work: Work, request: TransferRequest) -> tuple[Zone, int]:
    """The zone of a request, locked, behind other creations of kindred names, and how many RRsets it has. Raises
    ZoneNotFound, BadInput, InvalidTransferRequest. Three statements."""
    before = work.zones.get(request.zone_id)
    if before is None:
        raise ZoneNotFound("Could not find Zone")
    work.quotas.queue_on(family(before.name))
    held = work.zones.lock(request.zone_id)
    if held is None:
        raise ZoneNotFound("Could not find Zone")
    zone, counts = held
    if zone.action is Action.DELETE:
        raise BadInput("Can not transfer a deleting zone")
    if zone.project_id != request.project_id:
        raise InvalidTransferRequest("The zone does not belong to the project that offered it")
    return zone, counts.rrsets


def _hand(work: Work, zone: Zone, count: int, project_id: str) -> None:
    """Make a locked zone the project's. At most six statements."""
    shares = Shares(work.conn)
    own = shares.of_project(zone, project_id) if zone.shared else None
    handed = Handovers(work.conn).begin(zone, project_id, count)
    after = replace(
        zone,
        project_id=project_id,
        handed=handed,
        shares=zone.shares if own is None else (zone.shares or 1) - 1,
        version=zone.version + 1,
        updated_at=work.now,
    )
    if own is not None:
        shares.forget_one(own)
    work.zones.advance(zone, after)


def hand_over(_rules: Rules, work: Work, command: HandOverRRsets) -> HandedOver:
    """Write the next RRsets of a transferred zone over to its owner. Idempotent.

    Nothing that is served or shown changes but the lists of RRsets by project, with a zone's last step: no revision.
    Cost   at most ten statements, under the zone's lock, of the size of a step
    """
    handovers = Handovers(work.conn)
    zone_id = handovers.next(command.after)
    if zone_id is None:
        return HandedOver(rrsets=0, more=False)
    held = work.zones.lock(zone_id)
    if held is None:
        handovers.forget([zone_id])
        return HandedOver(rrsets=0, more=True, after=zone_id)
    return HandedOver(rrsets=handovers.step(held[0], command.limit), more=True, after=zone_id)


def list_accepts(rules: Rules, work: Work, command: ListTransferAccepts) -> Page[TransferAccept]:
    """Return a page of the acceptances of the caller's project, or of all. Raises Forbidden, MarkerNotFound."""
    caller = command.caller
    rules.policy.may("find_zone_transfer_accepts", caller, {})
    return _transfers(work).accepts(command.query, None if caller.all_projects else caller.project_id or "")


def get_accept(rules: Rules, work: Work, command: GetTransferAccept) -> TransferAccept:
    """Return an acceptance of the caller's project. Raises TransferAcceptNotFound, Forbidden."""
    caller = command.caller
    found = _transfers(work).accepted(command.accept_id, None if caller.all_projects else caller.project_id or "")
    if found is None:
        raise TransferAcceptNotFound("Could not find Zone Transfer Accept")
    project = {"project_id": found.project_id, "tenant_id": found.project_id}
    rules.policy.may("get_zone_transfer_accept", caller, project)
    return found


ANSWERS: Answers = {
    ListTransferRequests: list_requests,
    GetTransferRequest: get_request,
    CreateTransferRequest: create_request,
    UpdateTransferRequest: update_request,
    DeleteTransferRequest: delete_request,
    ListTransferAccepts: list_accepts,
    GetTransferAccept: get_accept,
    AcceptTransfer: accept,
    HandOverRRsets: hand_over,
}
