# SPDX-License-Identifier: Apache-2.0
"""Serials that a server serves and that we never published: after a restored backup, or an edit on the server itself.

Such a branch is not our zone, whatever its number. A server that holds a newer one would take no transfer of ours any
more (RFC 1982), so our serial jumps past it, as an ordinary revision with its journal row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from redesignate.central.change import apply
from redesignate.central.edit import Edit
from redesignate.model.caller import operator
from redesignate.model.clock import SECOND
from redesignate.model.serial import newer, past
from redesignate.model.zone import Zone, ZoneType
from redesignate.store.unit import Work

JUMPS, JUMPS_WITHIN = 3, 3600 * SECOND
"""A zone jumps at most so often in this time (µs). A server that always claims something newer, by fault or by malice,
can move the serial on a few times an hour and no more; it stays reported as not serving the zone. Several servers with
branches of their own need a jump each at worst."""
JUMP = operator("serial-jump")
"""The journal's author of a jump, by which jumps are counted."""


def unknown(work: Work, zones: Mapping[str, Zone], seen: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those of these (zone, serial) pairs that we never published: neither now nor by the journal.

    Cost   one query where some serial is an earlier one than the zone's, none else
    """
    others = {(zone_id, serial) for zone_id, serial in seen if serial != zones[zone_id].serial}
    later = {pair for pair in others if newer(pair[1], zones[pair[0]].serial)}
    earlier = others - later
    return later | (earlier - work.journal.published(earlier) if earlier else set())


def jump(work: Work, zone: Zone, serials: Iterable[int], *, limited: bool = True) -> Zone | None:
    """Move the zone's serial past these, as one revision; the zone after it, or None where it has to stay.

    It stays where none of them comes after it; where it has jumped JUMPS times of late (unless not `limited`: an
    operator asks); and in a SECONDARY zone, whose serial is its primary's.
    Call under the zone's lock, the zone as its row is. Cost  five statements
    """
    newest = zone.serial
    for serial in serials:
        if newer(serial, newest):
            newest = serial
    if newest == zone.serial or zone.type is ZoneType.SECONDARY:
        return None
    if limited and work.journal.jumps(zone.id, JUMP, work.now - JUMPS_WITHIN) >= JUMPS:
        return None
    edit = Edit(zone, work.now)
    edit.set(serial=past(zone.serial, newest, work.now // SECOND))
    (after,) = apply(work, JUMP, edit)
    return after
