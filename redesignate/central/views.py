# SPDX-License-Identifier: Apache-2.0
"""Shows which servers have a zone, and why the others do not."""

from __future__ import annotations

from redesignate.central.pools import roles
from redesignate.central.rules import Answers, Rules, target_of, visible
from redesignate.commands.zones import ZonePeers
from redesignate.model.inbound import Inbound
from redesignate.model.work import Condition, PeerState, PeerView, Role
from redesignate.model.zone import Action, Zone, ZoneType
from redesignate.store.unit import Work


def zone_peers(rules: Rules, work: Work, command: ZonePeers) -> tuple[PeerView, ...]:
    """List the targets and nameservers of the zone's pool with their states; not to a project with which the zone is
    shared, as the nameservers. Raises ZoneNotFound, Forbidden."""
    caller, zone_id = command.caller, command.zone_id
    zone = visible(work, caller, work.zones.get(zone_id))
    rules.policy.may("get_zone", caller, target_of(zone, caller) | {"zone_shared": False})
    found = work.peers.progress([zone.id], work.now)[zone.id]
    if found.pool is None:
        return ()
    states = found.states
    row = work.inbound.get(zone.id, work.now) if zone.type is ZoneType.SECONDARY else None
    return ((_primary(zone, row),) if row else ()) + tuple(
        _view(zone, states.get(peer_id) or PeerState(peer_id=peer_id, role=role), address, known=peer_id in states)
        for peer_id, (role, address) in roles(found.pool).items()
    )


def _view(zone: Zone, state: PeerState, address: str, *, known: bool) -> PeerView:
    if not known:
        condition = Condition.UNKNOWN
    elif not state.present:
        condition = Condition.ABSENT
    elif state.revision >= zone.revision or (state.revision >= zone.confirmed == zone.revision):
        condition = Condition.CURRENT
    else:
        condition = Condition.BEHIND
    if zone.action is Action.DELETE and condition is Condition.CURRENT:
        condition = Condition.BEHIND
    return PeerView(
        peer_id=state.peer_id,
        role=state.role,
        address=address,
        state=condition,
        serial=state.serial,
        since=state.since,
        attempts=state.attempts,
        error=state.error,
        next_try=state.next_try or None,
    )


def _primary(zone: Zone, row: Inbound) -> PeerView:
    """The primary of a SECONDARY zone that answered, or was queried, last; "absent" until the zone is fetched."""
    if not row.loaded:
        condition = Condition.ABSENT if zone.transferred_at is None else Condition.EXPIRED
    else:
        condition = Condition.BEHIND if row.attempts else Condition.CURRENT
    return PeerView(
        peer_id=zone.id,
        role=Role.PRIMARY,
        address=row.primary or ", ".join(zone.primaries),
        state=condition,
        serial=row.serial,
        since=zone.transferred_at,
        attempts=row.attempts,
        error=row.error,
        next_try=row.due_at,
    )


ANSWERS: Answers = {
    ZonePeers: zone_peers,
}
