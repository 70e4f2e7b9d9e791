# SPDX-License-Identifier: Apache-2.0
"""The operators' tasks on a zone: abandon it, move it to another pool, and how far that has come."""

from __future__ import annotations

from msgspec import structs
from sqlalchemy.exc import IntegrityError

from redesignate.central import apex, catalogs
from redesignate.central.change import apply, queue
from redesignate.central.edit import Edit
from redesignate.central.moves import source_of
from redesignate.central.pools import common, roles
from redesignate.central.rules import Answers, Rules, locked, own, target_of, visible
from redesignate.central.rules.ownership import family, parent_in
from redesignate.central.rules.scheduler import schedule
from redesignate.central.zones import check_pool, check_unneeded, held_pool
from redesignate.commands.hint import Hint, Kind
from redesignate.commands.zonetasks import AbandonZone, GetZoneMove, MoveZone, ZoneMove
from redesignate.model.caller import Caller
from redesignate.model.errors import BadInput, DuplicateZone, Forbidden
from redesignate.model.names import ancestors
from redesignate.model.pool import Pool
from redesignate.model.work import PeerState
from redesignate.model.zone import Action, NewZone, Status, Zone, ZoneType
from redesignate.store.moves import Move, Moves
from redesignate.store.poolguard import PoolGuard
from redesignate.store.shares import Shares
from redesignate.store.unit import Work
from redesignate.store.zones import Stale

MOST_SOURCES = 8
"""The most pools that a zone may be leaving at once."""


def abandon_zone(rules: Rules, work: Work, command: AbandonZone) -> None:
    """Forget a zone, in whatever state it is; its servers keep it and are not asked to drop it.

    A worker that is working on it stops with its present attempt: every server counts as having dropped the zone at a
    revision after the one that the worker knows.
    Raises ZoneNotFound, Forbidden, ZoneIsShared, ZoneHasSubZone.
    """
    caller = command.caller
    seen = visible(work, caller, work.zones.get(command.zone_id))
    work.quotas.queue_on(family(seen.name))  # before the zone, as creations do, which look for parents and earlier ones
    zone, _ = locked(work, caller, command.zone_id)
    if zone.type is ZoneType.CATALOG:
        raise Forbidden("This operation is not allowed for catalog zones.")
    rules.policy.may("abandon_zone", caller, target_of(zone, caller))
    check_unneeded(work, caller, zone)
    if zone.shared:
        Shares(work.conn).forget([zone.id])
    after = structs.replace(
        zone,
        shares=None,
        revision=zone.revision + 1,
        action=Action.NONE,
        status=Status.DELETED,
        version=zone.version + 1,
        updated_at=work.now,
        deleted_at=work.now,
    )
    found = work.peers.progress([zone.id], work.now)[zone.id]
    work.zones.advance(zone, after, deleted=zone.id)
    if found.holder is None or found.pool is None:
        work.outbox.forget(zone.id)
    else:
        gone = {
            peer_id: PeerState(peer_id=peer_id, role=role, revision=after.revision)
            for peer_id, (role, _) in roles(found.pool).items()
        }
        work.peers.save({zone.id: found.states}, {zone.id: gone})
    work.zones.disown(zone)
    if zone.type is ZoneType.SECONDARY:
        work.inbound.forget(zone.id)
    Moves(work.conn).forget(zone.id)
    catalogs.remove_member(work, zone)
    if zone.project_id is not None:
        work.quotas.release_zone(zone.project_id)
    work.events.append(("zone abandoned", {"zone": zone.name, "id": zone.id}))


def move_zone(rules: Rules, work: Work, command: MoveZone) -> Zone:
    """Move a zone to another pool. It is queued for that pool's servers; those of its former pool keep it, as it was,
    until all of the others serve it (`moves.continue_moves`).

    Raises ZoneNotFound, Forbidden, BadInput, NoValidPool, MultiplePoolsFound, NoServersConfigured, DuplicateZone.
    Cost   one transaction of at most 24 statements (31 with a catalog zone), whatever the number of zones
    """
    caller = command.caller
    seen = movable(rules, work, caller, command.zone_id)
    work.quotas.queue_on(family(seen.name))  # before the zone, as creations do
    zone, _ = locked(work, caller, command.zone_id)
    if zone.action is Action.DELETE:
        raise BadInput("Can not update a deleting zone")
    pool, apex_version = held_pool(work, _target(rules, work, caller, zone, command.pool_id).id)
    _check_target(rules, work, zone, pool)
    moves, leases = Moves(work.conn), _stopped(work, zone, pool)
    above = sorted(work.zones.named(ancestors(zone.name)), key=lambda one: len(one.name), reverse=True)
    parent = parent_in([one for one in above if one.name != zone.name], pool.id)
    work.zones.disown(zone)
    try:
        after = _moved(work, caller, zone, (pool, apex_version), parent.id if parent else None)
    except IntegrityError as error:
        raise DuplicateZone(f"Pool {pool.name} has a zone of this name") from error
    work.peers.forget([zone.id])
    moves.end(zone.id, pool.id)
    if not zone.waiting:
        moves.begin(Move(zone_id=zone.id, pool_id=zone.pool_id, revision=after.revision), work.now)
    if leases:
        work.outbox.enqueue_after(after, work.now, until=max(until for _, _, until in leases), released_by=None)
        work.hints += [Hint(Kind.OUTBOUND, zone_id) for zone_id, _, _ in leases]
    work.zones.adopt(after)
    catalogs.add_member(work, pool, after)
    PoolGuard(work.conn).created(zone.id)
    work.events.append(("zone moves to another pool", {"zone": zone.name, "id": zone.id, "pool": pool.id}))
    return after


def movable(rules: Rules, work: Work, caller: Caller, zone_id: str) -> Zone:
    """Return the zone that the caller may move. Raises ZoneNotFound, Forbidden."""
    zone = visible(work, caller, work.zones.get(zone_id))
    rules.policy.may("pool_move_zone", caller, {"zone_id": zone_id} | dict(own(caller)))
    if zone.type is ZoneType.CATALOG:
        raise Forbidden("This operation is not allowed for catalog zones.")
    return zone


def _target(rules: Rules, work: Work, caller: Caller, zone: Zone, pool_id: str | None) -> Pool:
    """The pool that is named, or else chosen as for a new zone. Raises BadInput, NoValidPool, MultiplePoolsFound."""
    if pool_id is not None:
        named = work.pools.get(pool_id)
        if named is None:
            raise BadInput("Target pool does not exist")
        if named.id == zone.pool_id:
            raise BadInput("Target pool must be different for zone pool move")
        return named
    like = NewZone(name=zone.name, type=zone.type, email=zone.email, attributes=dict(zone.attributes))
    chosen = schedule(rules, caller, like, work.pools.all())
    if chosen.id == zone.pool_id:
        raise BadInput("No valid pool selected")
    return chosen


def _check_target(rules: Rules, work: Work, zone: Zone, pool: Pool) -> None:
    check_pool(rules, work, pool)
    if not pool.nameservers:
        raise BadInput(
            f"Target pool {pool.name} has no nameservers, so that nothing would say when it serves the zone; add some"
            " with `redesignate manage pool update`"
        )
    moves = Moves(work.conn).of([zone.id])
    for left_id in {zone.pool_id, *(move.pool_id for move in moves)} - {pool.id}:
        left = work.pools.get(left_id)
        if left is not None and (shared := common(left, pool)) is not None:
            raise BadInput(
                f"The pools {left.name} and {pool.name} share the server {shared}, which would drop the zone with the"
                " one; take it out of one of them"
            )
    if len(moves) >= MOST_SOURCES:
        raise BadInput(f"The zone is still leaving {len(moves)} pools; wait until one of them has dropped it")
    if any(one.pool_id == pool.id for one in work.zones.named([zone.name])):
        raise DuplicateZone(f"Pool {pool.name} has a zone of this name")


def _stopped(work: Work, zone: Zone, pool: Pool) -> list[tuple[str, str | None, int]]:
    """Take the work on the zone, and on earlier zones of its name in the pool, from whoever does it: no worker may
    begin with the zone in its new pool before these leases end. Nothing is taken where there were no earlier zones."""
    earlier = [] if zone.waiting else work.zones.departed(zone.name, pool.id)
    return work.outbox.take([zone.id, *(gone.id for gone in earlier)], work.now) if earlier else []


def _moved(work: Work, caller: Caller, zone: Zone, target: tuple[Pool, int], parent_id: str | None) -> Zone:
    """Write the zone in its new pool (with the version of that pool's NS records) and queue it. The content of a
    SECONDARY zone is its primaries', and so is its serial."""
    pool, apex_version = target
    if zone.type is ZoneType.PRIMARY:
        edit = Edit(zone, work.now, apex_version=apex_version)
        apex.follow(work, edit, pool)
        edit.set(pool_id=pool.id, parent_id=parent_id)
        (after,) = apply(work, caller, edit)
        return after
    after = structs.replace(zone, pool_id=pool.id, parent_id=parent_id, version=zone.version + 1, updated_at=work.now)
    if not zone.waiting:
        after = structs.replace(after, action=Action.UPDATE, status=Status.PENDING)
    work.zones.advance(zone, after, apex_version=apex_version)
    queue(work, after)
    return after


def zone_move(rules: Rules, work: Work, command: GetZoneMove) -> ZoneMove:
    """Return how far a zone's moves have come. Raises ZoneNotFound, Forbidden.

    Cost   three queries, and one for each pool that the zone is leaving
    """
    zone = movable(rules, work, command.caller, command.zone_id)
    moves = Moves(work.conn).of([zone.id])
    removals = [move.removal_id for move in moves if move.removal_id is not None]
    found = work.peers.progress([zone.id, *removals], work.now)
    if zone.id not in found:
        raise Stale
    sources = [source_of(work, move, found) for move in moves]
    return ZoneMove(
        zone_id=zone.id, pool_id=zone.pool_id, sources=tuple(source for source in sources if source is not None)
    )


ANSWERS: Answers = {
    AbandonZone: abandon_zone,
    MoveZone: move_zone,
    GetZoneMove: zone_move,
}
