# SPDX-License-Identifier: Apache-2.0
"""The audit: servers' recorded states are compared with their answers; a difference is recorded and its zone queued.

A zone at rest has no outbox row: every peer agreed on its newest revision once. Workers query the nameservers for their
serials and report only what differs. From then on the peers' states show what is missing where, the zone's status
follows from them, and it is repaired like any other work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from msgspec import structs

from redesignate.central import foreign
from redesignate.central.change import queue
from redesignate.central.rules import Answers, Rules
from redesignate.central.rules.agreement import judge
from redesignate.commands.audit import ReportDifferences, Restored, RestoreZones, ZonesAtRest
from redesignate.model.audit import Difference, RestingZone
from redesignate.model.serial import newer
from redesignate.model.work import PeerState, Role
from redesignate.model.zone import Action, Zone
from redesignate.store.peers import Progress
from redesignate.store.resting import at_rest
from redesignate.store.unit import Work


def zones_at_rest(_rules: Rules, work: Work, command: ZonesAtRest) -> tuple[RestingZone, ...]:
    """Return a page of zones without queued work. One query."""
    return at_rest(
        work.conn,
        command.after,
        first_shard=command.first_shard,
        last_shard=command.last_shard,
        pool_id=command.pool_id,
        busy=command.busy,
        limit=command.limit,
    )


def report_differences(rules: Rules, work: Work, command: ReportDifferences) -> int:
    """Record what servers lack, and queue the zones; return how many.

    Cost   two statements, four for each zone that is queued, and one for all peer states
    """
    found = _by_zone(command.differences)
    work.zones.hold(found)
    resting = [one for one in work.peers.progress(found, work.now).values() if one.row is None and _resting(one.zone)]
    current = {
        one.zone.id: [each for each in found[one.zone.id] if each.revision == one.zone.revision] for one in resting
    }
    noted = _noted(rules, work, resting, current)
    for zone in noted:
        if not foreign.jump(work, zone, _ahead(zone, current[zone.id])):
            queue(work, zone)
    return len(noted)


def restore_zones(rules: Rules, work: Work, command: RestoreZones) -> Restored:
    """After a backup was restored: record what servers lack, raise serials past foreign ones, and queue all zones.

    Cost   two statements, six for each zone, and one for all peer states
    """
    found = _by_zone(command.differences)
    work.zones.hold(command.zone_ids)
    all_of_them = work.peers.progress(command.zone_ids, work.now).values()
    living = [one for one in all_of_them if one.zone.deleted_at is None]
    after = {one.zone.id: one.zone for one in living}
    kept = [one for one in living if one.zone.action is not Action.DELETE]  # of others the worker reports the end
    after |= {zone.id: zone for zone in _noted(rules, work, kept, found)}
    moved = 0
    for zone in after.values():
        if foreign.jump(work, zone, _ahead(zone, found.get(zone.id, ())), limited=False):
            moved += 1
        else:
            queue(work, zone)
    return Restored(queued=len(after), moved=moved)


def _by_zone(differences: Iterable[Difference]) -> dict[str, list[Difference]]:
    found: dict[str, list[Difference]] = {}
    for each in differences:
        found.setdefault(each.zone_id, []).append(each)
    return found


def _ahead(zone: Zone, differences: Iterable[Difference]) -> list[int]:
    return [each.serial for each in differences if each.serial is not None and newer(each.serial, zone.serial)]


def _noted(
    rules: Rules, work: Work, zones: Sequence[Progress], differences: Mapping[str, Sequence[Difference]]
) -> list[Zone]:
    """Write the differences into the peers' states; return the zones concerned, with the status that follows."""
    before = {one.zone.id: dict(one.states) for one in zones}
    different = [one for one in zones if _note(one, differences.get(one.zone.id, ()))]
    work.peers.save(before, {one.zone.id: one.states for one in zones})
    settled = []
    for one in different:
        zone = one.zone
        moving = structs.replace(zone, action=Action.UPDATE) if zone.action is Action.NONE else zone
        verdict = judge(moving, one.pool, one.states, rules.settings, one.now)
        if verdict.zone != zone:
            work.zones.settle(zone, verdict.zone)
        settled.append(verdict.zone)
    return settled


def _resting(zone: Zone) -> bool:
    return zone.action is Action.NONE and zone.deleted_at is None


def _note(one: Progress, differences: Sequence[Difference]) -> bool:
    """Write the differences into the states; return whether any of them is of a peer of the pool."""
    members, states = one.pool.peers if one.pool else frozenset(), one.states
    seen = [each for each in differences if each.peer_id in members]
    for each in seen:
        known = states.get(each.peer_id) or PeerState(peer_id=each.peer_id, role=Role.NAMESERVER)
        why = "".join(c if c.isprintable() else "?" for c in each.why)
        states[each.peer_id] = replace(known, revision=0, error=why, next_try=one.now)
        if not each.silent:
            states[each.peer_id] = replace(states[each.peer_id], present=each.serial is not None, serial=each.serial)
        for target_id in each.targets:
            if target_id in states and states[target_id].role is Role.TARGET:
                states[target_id] = replace(states[target_id], present=False, revision=0)
    return bool(seen)


ANSWERS: Answers = {
    ZonesAtRest: zones_at_rest,
    ReportDifferences: report_differences,
    RestoreZones: restore_zones,
}
