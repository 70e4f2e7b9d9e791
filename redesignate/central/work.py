# SPDX-License-Identifier: Apache-2.0
"""The workers' commands: they lease work, and they report its outcome.

No stale state wins: the desired state is read in the transaction that leases the row, a report counts only for the
revision that it names, and a zone that changed meanwhile comes back in the answer as the next task. No change is lost:
a row leaves the outbox only when every peer agrees on the newest revision, under the zone's lock; when a lease runs
out, any worker may lease the row again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from redesignate.central.foreign import jump, unknown
from redesignate.central.rules import Answers, Rules
from redesignate.central.rules.agreement import deleting, heard, judge, missing, pause
from redesignate.central.rules.ownership import family
from redesignate.commands.hint import Hint, Kind
from redesignate.commands.work import BeginWork, PoolForWork, ReleaseWork, Report, WorkPool
from redesignate.model.clock import SECOND
from redesignate.model.errors import PoolNotFound
from redesignate.model.work import Outcome, Role, Task
from redesignate.store.outbox import Later, releaser
from redesignate.store.peers import Progress
from redesignate.store.unit import Work


def begin_work(_rules: Rules, work: Work, command: BeginWork) -> tuple[Task, ...]:
    """Lease those of these zones that are free; return each one's desired state.

    Cost   two statements for all; one for pools that were not read before, and up to three where zones are deleted or
           a pool has a catalog
    """
    worker, ids = command.worker, command.zone_ids
    leased = work.outbox.lease(worker, ids, work.now, work.now + int(command.lease_s * SECOND))
    if not leased:
        return ()
    found = work.peers.progress(ids, work.now)
    mine = [one for one in found.values() if one.holder == worker]
    if len(mine) < leased:  # of a zone that is purged
        work.outbox.forget_leased(worker, set(ids) - found.keys())
    return _tasks(work, mine)


def _tasks(work: Work, found: Sequence[Progress]) -> tuple[Task, ...]:
    """The tasks of these zones. The outbox rows of a pool that is deleted are removed."""
    gone = [one.zone.name for one in found if deleting(one.zone)]
    living = work.zones.named(gone) if gone else []
    successors = {(zone.name, zone.pool_id): zone.id for zone in living if not zone.waiting}
    with_catalog = {one.pool.id for one in found if one.pool is not None and one.pool.catalog is not None}
    catalogs = work.zones.catalog_of(with_catalog) if with_catalog else {}
    tasks = []
    for one in found:
        zone, pool = one.zone, one.pool
        if pool is None:
            work.outbox.forget(zone.id)
            continue
        catalog = catalogs.get(zone.pool_id)
        tasks.append(
            Task(
                zone_id=zone.id,
                name=zone.name,
                type=zone.type,
                present=not deleting(zone),
                superseded=successors.get((zone.name, zone.pool_id), zone.id) != zone.id,
                revision=zone.revision,
                serial=zone.serial,
                pool_id=pool.id,
                pool_version=pool.version,
                hard_delete=one.hard_delete,
                read_at=one.now,
                catalog=(catalog.name, catalog.serial) if catalog else None,
                peers=tuple(one.states.values()),
            )
        )
    return tuple(tasks)


def report(rules: Rules, work: Work, command: Report) -> tuple[Task, ...]:
    """Record outcomes; the answer holds the zones that changed meanwhile, still leased to this worker.

    Cost   five messages for all (four on SQLite), with a statement for each zone or row that changes, which PyMySQL
           sends as a message of its own; one more where zones are deleted, and one for each family of their names
    """
    worker, outcomes = command.worker, command.outcomes
    ids = {outcome.zone_id for outcome in outcomes}
    if going := [outcome.zone_id for outcome in outcomes if not outcome.present]:
        _queue_to_free(work, going)
    work.zones.hold(ids)
    found = work.peers.progress(ids, work.now)
    before = {zone_id: dict(one.states) for zone_id, one in found.items()}
    outcomes = tuple(outcome for outcome in outcomes if outcome.zone_id in found)
    ahead = any(said.ahead for outcome in outcomes for said in outcome.peers)
    foreign = _foreign(work, found, outcomes) if ahead else set()
    for outcome in outcomes:
        _hear(rules, worker, found[outcome.zone_id], _without(outcome, foreign) if foreign else outcome)
    due = _settle(rules, work, found)
    for zone_id in {zone_id for zone_id, _ in foreign if found[zone_id].holder == worker}:
        moved = jump(work, found[zone_id].zone, [serial for each, serial in foreign if each == zone_id])
        found[zone_id].zone = moved or found[zone_id].zone
    again = _next(work, command, found, due)
    work.peers.save(before, {zone_id: one.states for zone_id, one in found.items()})
    if any(one.row is None and one.zone.deleted_at is not None for one in found.values()):
        again += _let_go(work, worker, outcomes, found)
    return _tasks(work, [found[zone_id] for zone_id in again]) if again else ()


def _queue_to_free(work: Work, zone_ids: Sequence[str]) -> None:
    """Wait for those who create kindred zones where these may lose their names: they look for parents, and for earlier
    zones of the name. One statement for each family of names, and one for all."""
    going = work.zones.many(zone_ids).values()
    for name in sorted({family(zone.name) for zone in going if zone.deleted_at is None}):
        work.quotas.queue_on(name)


def _foreign(work: Work, found: Mapping[str, Progress], outcomes: Sequence[Outcome]) -> set[tuple[str, int]]:
    """The (zone, serial) pairs that nameservers serve and that were never published here. See `central/foreign.py`."""
    ahead = {
        (outcome.zone_id, said.serial)
        for outcome in outcomes
        for said in outcome.peers
        if said.ahead and said.serial is not None
    }
    return unknown(work, {zone_id: one.zone for zone_id, one in found.items()}, ahead) if ahead else set()


def _without(outcome: Outcome, foreign: Collection[tuple[str, int]]) -> Outcome:
    """The outcome, in which a peer with a foreign serial counts as failed."""
    said = tuple(
        replace(peer, ok=False) if peer.ahead and (outcome.zone_id, peer.serial) in foreign else peer
        for peer in outcome.peers
    )
    return replace(outcome, peers=said)


def _hear(rules: Rules, worker: str, one: Progress, outcome: Outcome) -> None:
    """Update the peers' states with an outcome.

    A report that a nameserver serves a revision counts from any worker. A report that it does not may be out of date,
    and what a worker did on a target may have been undone since by another worker or by a change of the pool: these
    two count only from the holder of the lease, which is responsible for the zone.
    """
    states, mine = one.states, one.holder == worker
    members = one.pool.peers if one.pool else frozenset()
    for said in outcome.peers:
        if said.peer_id not in members or not (mine or (said.ok and said.role is Role.NAMESERVER)):
            continue
        known = states.get(said.peer_id)
        wait = 0 if said.ok else pause((known.attempts if known else 0) + 1, rules.settings, rules.random)
        states[said.peer_id] = heard(known, said, outcome, now=one.now, wait=wait)
    if mine and missing(outcome) and not deleting(one.zone):
        for peer_id, state in states.items():
            if state.role is Role.TARGET:
                states[peer_id] = replace(state, present=False, revision=0)


def _settle(rules: Rules, work: Work, found: Mapping[str, Progress]) -> dict[str, int | None]:
    """Write each zone's status as its peers' states make it. Return when (µs) a peer is due; None: all agree."""
    verdicts = {
        zone_id: judge(one.zone, one.pool, one.states, rules.settings, one.now) for zone_id, one in found.items()
    }
    changed = [(one.zone, verdicts[zone_id].zone) for zone_id, one in found.items()]
    changed = [(before, after) for before, after in changed if before != after]
    work.zones.settle_all(changed)
    for before, after in changed:
        found[after.id].zone = after
        if after.deleted_at is not None and before.deleted_at is None:
            work.zones.disown(before)
            if before.project_id is not None:  # after all zones' rows, as a creation does
                work.quotas.release_zone(before.project_id)
    return {zone_id: None if verdict.agreed else verdict.next_try for zone_id, verdict in verdicts.items()}


def _next(work: Work, command: Report, found: Mapping[str, Progress], due: Mapping[str, int | None]) -> list[str]:
    """Finish, postpone or continue each outbox row; return the zones to continue with."""
    done: list[tuple[str, int, int]] = []
    kept: list[Later] = []
    freed: list[Later] = []
    more: list[str] = []
    for outcome in {outcome.zone_id: outcome for outcome in command.outcomes if outcome.zone_id in found}.values():
        one = found[outcome.zone_id]
        zone, row, next_try = one.zone, one.row, due[outcome.zone_id]
        if row is None:
            continue
        mine = one.holder == command.worker
        if next_try is None:
            done.append((zone.id, zone.revision, row.generation))
            event = "zone gone from every server" if deleting(zone) else "zone served"
            ms = (one.now - row.queued_at) // 1000
            work.events.append((event, {"zone": zone.name, "serial": zone.serial, "after_ms": ms, "id": zone.id}))
        elif outcome.revision < zone.revision and mine:
            more.append(zone.id)
            kept.append(Later(row, one.now, row.attempts))
        elif not outcome.final and mine:  # it waits for a slow peer: a change of the zone must hint at once
            kept.append(Later(row, row.next_try, row.attempts, waiting=True))
        elif mine:
            freed.append(Later(row, max(next_try, one.now), row.attempts + 1))
    if done:
        work.outbox.finish(done)
    if kept:
        work.outbox.keep(kept, work.now, work.now + int(command.lease_s * SECOND))
    if freed:
        work.outbox.let_go(freed)
    return more


def _let_go(work: Work, worker: str, outcomes: Sequence[Outcome], found: Mapping[str, Progress]) -> list[str]:
    """Find deleted zones whose name another zone has taken: a worker that still works on one must stop, and its final
    report says that it has. Then work on the other zone may begin. Return the zones on which to stop.

    Three statements where there is such a zone, otherwise none.
    """
    gone = [one.zone for one in found.values() if one.row is None and one.zone.deleted_at is not None]
    deleted = {zone.id: zone for zone in gone}
    successors = work.zones.named([zone.name for zone in gone])
    stop = []
    for outcome in outcomes:
        zone = deleted.get(outcome.zone_id)
        mine = [each.id for each in successors if zone and (each.name, each.pool_id) == (zone.name, zone.pool_id)]
        if not mine:
            continue
        if outcome.final:
            freed = work.outbox.release_after(mine, releaser(outcome.zone_id, worker), work.now)
            work.hints += [Hint(Kind.OUTBOUND, zone_id) for zone_id in freed]
        else:
            stop.append(outcome.zone_id)
    return stop


def pool_for_work(_rules: Rules, work: Work, command: PoolForWork) -> WorkPool:
    """Return a pool and the TSIG keys that its peers need. Raises PoolNotFound."""
    pool = work.pools.get(command.pool_id)
    if pool is None:
        raise PoolNotFound("Could not find Pool")
    wanted = set(pool.peer_keys.values())
    return WorkPool(pool=pool, keys=work.tsigkeys.many(wanted) if wanted else ())


def release_work(_rules: Rules, work: Work, _command: ReleaseWork) -> int:
    """Release all leased work, whichever worker holds it; return the number of rows. Two statements."""
    return work.outbox.release() + work.inbound.release()


ANSWERS: Answers = {
    BeginWork: begin_work,
    Report: report,
    PoolForWork: pool_for_work,
    ReleaseWork: release_work,
}
