# SPDX-License-Identifier: Apache-2.0
"""What is believed of servers is looked at again: a difference is written down and its zone is queued.

A zone at rest has no outbox row: every peer agreed on its newest revision once. Workers ask the nameservers for their
serials and report only what differs. From then on the zone's peers say what is missing where, its status is what its
servers serve, and it is repaired as any other work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from redesignate.central import foreign
from redesignate.central.change import queue
from redesignate.central.rules import Answers, Rules
from redesignate.central.rules.agreement import judge
from redesignate.commands.audit import ReportDifferences, ZonesAtRest
from redesignate.model.audit import Difference, RestingZone
from redesignate.model.pool import Pool, peers
from redesignate.model.serial import newer
from redesignate.model.work import PeerState, Role
from redesignate.model.zone import Action, Zone
from redesignate.store.unit import Work


def zones_at_rest(_rules: Rules, work: Work, command: ZonesAtRest) -> tuple[RestingZone, ...]:
    """A page of zones that nobody works on. One query."""
    return work.zones.at_rest(
        command.after,
        first_shard=command.first_shard,
        last_shard=command.last_shard,
        pool_id=command.pool_id,
        limit=command.limit,
    )


def report_differences(rules: Rules, work: Work, command: ReportDifferences) -> int:
    """Write down what servers lack, and queue the zones; how many.

    Cost   four statements, four a zone that is queued, and two for all peer states
    """
    found: dict[str, list[Difference]] = {}
    for each in command.differences:
        found.setdefault(each.zone_id, []).append(each)
    zones = work.zones.lock_many(found)
    busy = work.outbox.rows(zones)
    resting = [zone for zone in zones.values() if zone.id not in busy and _resting(zone)]
    pools = work.pools.many({zone.pool_id for zone in resting})
    before = work.peers.of([zone.id for zone in resting])
    after = {zone_id: dict(states) for zone_id, states in before.items()}
    different = [
        zone for zone in resting if _note(zone, pools.get(zone.pool_id), found[zone.id], after[zone.id], work.now)
    ]
    work.peers.save(before, after)
    for zone in different:
        verdict = judge(
            replace(zone, action=Action.UPDATE), pools.get(zone.pool_id), after[zone.id], rules.settings, work.now
        )
        if verdict.zone != zone:
            work.zones.settle(zone, verdict.zone)
        ahead = [each.serial for each in found[zone.id] if each.serial is not None and newer(each.serial, zone.serial)]
        if not (ahead and foreign.jump(work, verdict.zone, ahead)):
            queue(work, verdict.zone)
    return len(different)


def _resting(zone: Zone) -> bool:
    return zone.action is Action.NONE and zone.deleted_at is None


def _note(
    zone: Zone, pool: Pool | None, differences: Sequence[Difference], states: dict[str, PeerState], now: int
) -> bool:
    """Take what was seen into the states; whether it concerns the zone as it is now."""
    members = {peer.id for peer in peers(pool)} if pool else set()
    noted = False
    for each in differences:
        if each.revision != zone.revision or each.peer_id not in members:
            continue
        known = states.get(each.peer_id) or PeerState(peer_id=each.peer_id, role=Role.NAMESERVER)
        states[each.peer_id] = replace(
            known,
            present=each.serial is not None,
            revision=0,
            serial=each.serial,
            error="".join(c if c.isprintable() else "?" for c in each.why),
            next_try=now,
        )
        for target_id in each.targets:
            if target_id in states and states[target_id].role is Role.TARGET:
                states[target_id] = replace(states[target_id], present=False, revision=0)
        noted = True
    return noted


ANSWERS: Answers = {
    ZonesAtRest: zones_at_rest,
    ReportDifferences: report_differences,
}
