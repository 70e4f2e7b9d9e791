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
from typing import Any

from redesignate.central.foreign import jump, unknown
from redesignate.central.rules import Answers, Rules
from redesignate.central.rules.agreement import Verdict, heard, judge, missing, pause
from redesignate.commands.hint import Hint, Kind
from redesignate.commands.work import BeginWork, PoolForWork, ReleaseWork, Report, WorkPool
from redesignate.model.clock import SECOND
from redesignate.model.errors import PoolNotFound
from redesignate.model.pool import Pool, peers
from redesignate.model.work import Outcome, PeerState, Role, Task
from redesignate.model.zone import Action, Zone
from redesignate.store.outbox import Later, releaser
from redesignate.store.unit import Work

States = dict[str, dict[str, PeerState]]


def begin_work(_rules: Rules, work: Work, command: BeginWork) -> tuple[Task, ...]:
    """Lease those of these zones that are free; return each one's desired state. At most seven statements for all."""
    until = work.now + int(command.lease_s * SECOND)
    rows = work.outbox.lease(command.worker, command.zone_ids, work.now, until)
    if not rows:
        return ()
    zones = work.zones.many(rows)
    pools = work.pools.many({zone.pool_id for zone in zones.values()})
    for zone_id in rows.keys() - zones.keys():
        work.outbox.forget(zone_id)
    return _tasks(work, zones, pools, work.peers.of(zones), until)


def _tasks(
    work: Work,
    zones: Mapping[str, Zone],
    pools: Mapping[str, Pool],
    states: Mapping[str, Mapping[str, PeerState]],
    until: int,
) -> tuple[Task, ...]:
    gone = [zone for zone in zones.values() if _deleting(zone)]
    living = work.zones.named([zone.name for zone in gone]) if gone else []
    successors = {(zone.name, zone.pool_id): zone.id for zone in living if not zone.waiting}
    hard = work.zones.hard_deletes([zone.id for zone in gone]) if gone else set()
    with_catalog = {pool.id for pool in pools.values() if pool.catalog is not None}
    catalogs = work.zones.catalog_of(with_catalog) if with_catalog else {}
    tasks = []
    for zone in zones.values():
        pool = pools.get(zone.pool_id)
        if pool is None:
            work.outbox.forget(zone.id)
            continue
        catalog = catalogs.get(zone.pool_id)
        tasks.append(
            Task(
                zone_id=zone.id,
                name=zone.name,
                type=zone.type,
                present=not _deleting(zone),
                superseded=successors.get((zone.name, zone.pool_id), zone.id) != zone.id,
                revision=zone.revision,
                serial=zone.serial,
                pool_id=pool.id,
                pool_version=pool.version,
                hard_delete=zone.id in hard,
                lease_until=until,
                catalog=(catalog.name, catalog.serial) if catalog else None,
                peers=tuple(states[zone.id].values()),
            )
        )
    return tuple(tasks)


def _deleting(zone: Zone) -> bool:
    return zone.action is Action.DELETE or zone.deleted_at is not None


def report(rules: Rules, work: Work, command: Report) -> tuple[Task, ...]:
    """Record outcomes; the answer holds the zones that changed meanwhile, still leased to this worker.

    Cost   at most eight statements for all, and one for each zone whose row changes
    """
    worker, outcomes = command.worker, command.outcomes
    until = work.now + int(command.lease_s * SECOND)
    ids = {outcome.zone_id for outcome in outcomes}
    zones = work.zones.lock_many(ids)
    rows = work.outbox.rows(zones)
    pools = work.pools.many({zone.pool_id for zone in zones.values()})
    before = work.peers.of(zones)
    after: States = {zone_id: dict(states) for zone_id, states in before.items()}
    foreign = _foreign(work, zones, outcomes)
    for outcome in outcomes:
        zone_id = outcome.zone_id
        if zone_id in zones:
            mine = zone_id in rows and rows[zone_id].lease_owner == worker
            pool = pools.get(zones[zone_id].pool_id)
            _hear(rules, work, _without(outcome, foreign), pool, states=after[zone_id], mine=mine)
    verdicts = {
        zone.id: judge(zone, pools.get(zone.pool_id), after[zone.id], rules.settings, work.now)
        for zone in zones.values()
    }
    work.peers.save(before, after)
    settled = {zone_id: _settle(work, zones[zone_id], verdict) for zone_id, verdict in verdicts.items()}
    for zone_id in {zone_id for zone_id, _ in foreign if zone_id in rows and rows[zone_id].lease_owner == worker}:
        moved = jump(work, settled[zone_id], [serial for each, serial in foreign if each == zone_id])
        settled[zone_id] = moved or settled[zone_id]
    more = _next(work, worker, outcomes, zones=settled, verdicts=verdicts, rows=rows, until=until)
    more += _let_go(work, worker, outcomes, gone=[zone for zone in settled.values() if zone.id not in rows])
    return _tasks(work, {zone_id: settled[zone_id] for zone_id in more}, pools, after, until) if more else ()


def _foreign(work: Work, zones: Mapping[str, Zone], outcomes: Sequence[Outcome]) -> set[tuple[str, int]]:
    """The (zone, serial) pairs that nameservers serve and that were never published here. See `central/foreign.py`."""
    ahead = {
        (outcome.zone_id, said.serial)
        for outcome in outcomes
        for said in outcome.peers
        if said.ahead and said.serial is not None and outcome.zone_id in zones
    }
    return unknown(work, zones, ahead) if ahead else set()


def _without(outcome: Outcome, foreign: Collection[tuple[str, int]]) -> Outcome:
    """The outcome, in which a peer with a foreign serial counts as failed."""
    if not foreign:
        return outcome
    said = tuple(
        replace(peer, ok=False) if peer.ahead and (outcome.zone_id, peer.serial) in foreign else peer
        for peer in outcome.peers
    )
    return replace(outcome, peers=said)


def _hear(
    rules: Rules, work: Work, outcome: Outcome, pool: Pool | None, *, states: dict[str, PeerState], mine: bool
) -> None:
    """Update the peers' states with an outcome.

    A report that a nameserver serves a revision counts from any worker. A report that it does not may be out of date,
    and what a worker did on a target may have been undone since by another worker or by a change of the pool: these
    two count only from the holder of the lease, which is responsible for the zone.
    """
    members = {peer.id for peer in peers(pool)} if pool else set()
    for said in outcome.peers:
        if said.peer_id not in members or not (mine or (said.ok and said.role is Role.NAMESERVER)):
            continue
        known = states.get(said.peer_id)
        wait = pause((known.attempts if known else 0) + 1, rules.settings, rules.random)
        states[said.peer_id] = heard(known, said, outcome, now=work.now, wait=wait)
    if mine and missing(outcome):
        for peer_id, state in states.items():
            if state.role is Role.TARGET:
                states[peer_id] = replace(state, present=False, revision=0)


def _settle(work: Work, zone: Zone, verdict: Verdict) -> Zone:
    if verdict.zone != zone:
        work.zones.settle(zone, verdict.zone)
        if verdict.zone.deleted_at is not None and zone.deleted_at is None:
            if zone.project_id is not None:
                work.quotas.count_zone(zone.project_id, -1)
            work.zones.disown(zone)
    return verdict.zone


def _next(
    work: Work,
    worker: str,
    outcomes: Sequence[Outcome],
    *,
    zones: Mapping[str, Zone],
    verdicts: Mapping[str, Verdict],
    rows: Mapping[str, Any],
    until: int,
) -> list[str]:
    """Finish, postpone or continue each outbox row; return the zones to continue with."""
    done: list[tuple[str, int, int]] = []
    kept: list[Later] = []
    freed: list[Later] = []
    more: list[str] = []
    for outcome in {outcome.zone_id: outcome for outcome in outcomes}.values():
        zone, row = zones.get(outcome.zone_id), rows.get(outcome.zone_id)
        if zone is None or row is None:
            continue
        verdict = verdicts[zone.id]
        mine = row.lease_owner == worker
        if verdict.agreed:
            done.append((zone.id, zone.revision, row.generation))
            event = "zone gone from every server" if _deleting(zone) else "zone served"
            ms = (work.now - row.queued_at) // 1000
            work.events.append((event, {"zone": zone.name, "serial": zone.serial, "after_ms": ms, "id": zone.id}))
        elif outcome.revision < zone.revision and mine:
            more.append(zone.id)
            kept.append(Later(row, work.now, row.attempts))
        elif not outcome.final and mine:  # it waits for a slow peer: a change of the zone must hint at once
            kept.append(Later(row, row.next_try, row.attempts, waiting=True))
        elif mine:
            freed.append(Later(row, max(verdict.next_try, work.now), row.attempts + 1))
    work.outbox.finish(done)
    work.outbox.keep(kept, work.now, until)
    work.outbox.let_go(freed)
    return more


def _let_go(work: Work, worker: str, outcomes: Sequence[Outcome], *, gone: Sequence[Zone]) -> list[str]:
    """Find deleted zones whose name another zone has taken: a worker that still works on one must stop, and its final
    report says that it has. Then work on the other zone may begin. Return the zones on which to stop.

    Three statements where there is such a zone, otherwise none.
    """
    deleted = {zone.id: zone for zone in gone if zone.deleted_at is not None}
    if not deleted:
        return []
    successors = work.zones.named([zone.name for zone in deleted.values()])
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
    wanted = {peer.tsigkey_id for peer in peers(pool) if peer.tsigkey_id is not None}
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
