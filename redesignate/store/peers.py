# SPDX-License-Identifier: Apache-2.0
"""The known state of each zone on each target and nameserver."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, bindparam, select

from redesignate.model.work import PeerState, Role
from redesignate.store.fast import Module, run
from redesignate.store.schema import peer_states

ERROR_LENGTH = 255
_CHANGING = ("present", "revision", "serial", "since", "attempts", "error", "next_try")

# Built once, as in store.zones.
_OF = select(peer_states).where(peer_states.c.zone_id.in_(bindparam("zones", expanding=True)))
_ADD = peer_states.insert()
_CHANGE = (
    peer_states.update()
    .where(peer_states.c.zone_id == bindparam("z"), peer_states.c.peer_id == bindparam("p"))
    .values({key: bindparam(f"v_{key}") for key in _CHANGING})
)


class Peers(Module):
    """Peer states of one transaction."""

    def of(self, zone_ids: Collection[str]) -> dict[str, dict[str, PeerState]]:
        """The states of these zones, by zone and peer. One query."""
        found: dict[str, dict[str, PeerState]] = {zone_id: {} for zone_id in zone_ids}
        for row in run(self._conn, _OF, {"zones": list(zone_ids)}):
            found[row.zone_id][row.peer_id] = _state(row)
        return found

    def save(self, before: Mapping[str, Mapping[str, PeerState]], after: Mapping[str, Mapping[str, PeerState]]) -> None:
        """Write the changed states. At most two statements, whatever the number of zones."""
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        for zone_id, states in after.items():
            for peer_id, state in states.items():
                known = before[zone_id].get(peer_id)
                if known is None:
                    new.append({"zone_id": zone_id, "peer_id": peer_id, "role": state.role.value} | _values(state))
                elif known != state:
                    changed.append(
                        {"z": zone_id, "p": peer_id} | {f"v_{key}": value for key, value in _values(state).items()}
                    )
        if new:
            run(self._conn, _ADD, new)
        if changed:
            run(self._conn, _CHANGE, changed)

    def forget(self, zone_ids: Collection[str]) -> None:
        """Remove the states of zones that are purged or leave their pool."""
        self._conn.execute(peer_states.delete().where(peer_states.c.zone_id.in_(list(zone_ids))))

    def forget_peers(self, peer_ids: Collection[str], after: str = "", last: str | None = None) -> None:
        """Remove the states of peers that left their pool, for zones with ids beyond `after`, up to `last` (None:
        all)."""
        chosen = [peer_states.c.peer_id.in_(list(peer_ids)), peer_states.c.zone_id > after]
        if last is not None:
            chosen.append(peer_states.c.zone_id <= last)
        self._conn.execute(peer_states.delete().where(*chosen))


def _values(state: PeerState) -> dict[str, Any]:
    return {
        "present": state.present,
        "revision": state.revision,
        "serial": state.serial,
        "since": state.since,
        "attempts": state.attempts,
        "error": state.error[:ERROR_LENGTH] if state.error else None,
        "next_try": state.next_try,
    }


def _state(row: Row[Any]) -> PeerState:
    return PeerState(
        peer_id=row.peer_id,
        role=Role(row.role),
        present=bool(row.present),
        revision=row.revision,
        serial=row.serial,
        since=row.since,
        attempts=row.attempts,
        error=row.error,
        next_try=row.next_try,
    )
