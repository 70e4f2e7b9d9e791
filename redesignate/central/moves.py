# SPDX-License-Identifier: Apache-2.0
"""Zones that move between pools: the servers of the former pool drop a zone when all of the new one serve it.

All is stored: a row for each pool that a zone has left (`store/moves.py`), and what each server is known to have. The
producer looks at these rows again and again, so that a move goes on whatever is killed at whatever moment. A pool's
servers are asked to drop a zone by a deleted zone of its name in that pool, as for any zone that was deleted: it stays
queued until all have dropped it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import structs

from redesignate.central import catalogs
from redesignate.central.change import queue
from redesignate.central.pools import common
from redesignate.central.rules import Answers, Rules
from redesignate.central.rules.agreement import deleting
from redesignate.central.rules.ownership import family
from redesignate.commands.zonetasks import ContinueMoves, MovesLooked, MoveSource, MoveStep
from redesignate.model.clock import new_id
from redesignate.model.work import PeerState
from redesignate.model.zone import Action, Status
from redesignate.store.moves import Move, Moves
from redesignate.store.peers import Progress
from redesignate.store.unit import Work


def continue_moves(_rules: Rules, work: Work, command: ContinueMoves) -> MovesLooked:
    """Have servers of former pools drop the zones that all servers of their new pool serve; forget the moves that are
    complete. Idempotent.

    Cost   three queries where nothing can go on, without a lock; about a dozen statements for each zone that does
    """
    moves = Moves(work.conn)
    ids = moves.zones_after(command.after, command.limit)
    ready = _ready(work, moves.of(ids)) if ids else []
    if ready:
        names = {one.zone.name for _, one in ready}
        for name in sorted({family(name) for name in names}):  # no zone of the name is created meanwhile
            work.quotas.queue_on(name)
        held = {move.zone_id for move, _ in ready}
        work.zones.hold(held)
        ready = _ready(work, moves.of(held))
    for move, one in ready:
        if move.removal_id is None:
            _let_go(work, moves, move, one)
        else:
            moves.end(move.zone_id, move.pool_id)
            work.events.append(("zone gone from its former pool", {"id": move.zone_id, "pool": move.pool_id}))
    more = len(ids) == command.limit
    return MovesLooked(count=len(ready), after=ids[-1] if more else "", more=more)


def _ready(work: Work, moves: Iterable[Move]) -> list[tuple[Move, Progress]]:
    """The moves that can go on, each with what is known of the zone."""
    listed = list(moves)
    removals = [move.removal_id for move in listed if move.removal_id is not None]
    found = work.peers.progress([*(move.zone_id for move in listed), *removals], work.now)
    ready = []
    for move in listed:
        one = found.get(move.zone_id)
        removal = found.get(move.removal_id) if move.removal_id is not None else None
        if one is None:  # purged
            Moves(work.conn).end(move.zone_id, move.pool_id)
            continue
        if move.removal_id is None:
            on = _left(one, move.revision) == 0 and _blocked(work, move, one) is None
        else:
            on = removal is None or removal.row is None
        if on:
            ready.append((move, one))
    return ready


def _left(one: Progress, revision: int) -> int:
    """How many servers of the zone's pool do not serve it at this revision yet. A zone that is deleted waits for none:
    its former servers drop it as well."""
    if deleting(one.zone):
        return 0
    if one.pool is None or not one.pool.nameservers:
        return 1
    return sum(not _serves(one.states.get(peer_id), revision) for peer_id in one.pool.peers)


def _serves(state: PeerState | None, revision: int) -> bool:
    return state is not None and state.present and state.revision >= revision


def _blocked(work: Work, move: Move, one: Progress) -> str | None:
    """Why the former pool's servers may not be asked: one of them is the new pool's too, by a change since."""
    left = work.pools.get(move.pool_id)
    if left is None or one.pool is None or deleting(one.zone):
        return None
    shared = common(left, one.pool)
    return None if shared is None else f"both pools have the server {shared}; take it out of one of them"


def _let_go(work: Work, moves: Moves, move: Move, one: Progress) -> None:
    """Ask the former pool's servers to drop the zone. Where the pool has another zone of the name by now, that one
    takes its place there; where the pool is gone, nobody is asked."""
    zone, pool = one.zone, work.pools.get(move.pool_id)
    if pool is not None:
        catalogs.remove_member(work, structs.replace(zone, pool_id=pool.id))
    if pool is None or any(each.pool_id == pool.id for each in work.zones.named([zone.name])):
        moves.end(move.zone_id, move.pool_id)
        return
    gone = structs.replace(
        zone,
        id=new_id(),
        pool_id=pool.id,
        parent_id=None,
        shares=None,
        action=Action.NONE,
        status=Status.DELETED,
        created_at=work.now,
        deleted_at=work.now,
    )
    work.zones.add_departed(gone)
    queue(work, gone)
    moves.removing(move, gone.id)
    work.events.append(("zone leaves its former pool", {"zone": zone.name, "id": zone.id, "pool": pool.id}))


def source_of(work: Work, move: Move, found: Mapping[str, Progress]) -> MoveSource | None:
    """Show one pool that a zone is leaving; None where it has left. `found`: the zone's progress, and its removals'."""
    if move.removal_id is None:
        one = found[move.zone_id]
        behind = [one.states.get(peer_id) for peer_id in one.pool.peers] if one.pool else []
        behind = [state for state in behind if not _serves(state, move.revision)]
        error = _blocked(work, move, one) or _error(behind)
        step, left = MoveStep.WAITING, _left(one, move.revision)
    else:
        gone = found.get(move.removal_id)
        if gone is None or gone.row is None or gone.pool is None:
            return None
        step, peers = MoveStep.REMOVING, [gone.states.get(peer_id) for peer_id in gone.pool.peers]
        behind = [state for state in peers if state is None or state.present or state.revision < gone.zone.revision]
        error, left = _error(behind), len(behind)
    return MoveSource(pool_id=move.pool_id, step=step, servers_left=left, error=error)


def _error(states: Iterable[PeerState | None]) -> str | None:
    return next((state.error for state in states if state is not None and state.error), None)


ANSWERS: Answers = {
    ContinueMoves: continue_moves,
}
