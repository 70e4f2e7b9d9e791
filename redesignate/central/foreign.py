# SPDX-License-Identifier: Apache-2.0
"""Handles foreign serials, which a server serves and which were never published here.

They come from a restored backup, or from an edit on the server itself. Such content is not our zone, whatever its
serial. A server that holds a newer serial would accept no transfer from us any more (RFC 1982), so our serial jumps
past it, as an ordinary revision with its journal row.
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
"""The most jumps of a zone in this time (µs). A server that always claims a newer serial, by fault or by malice, can
raise the serial only a few times an hour; it stays reported as not serving the zone. Several servers with foreign
serials of their own need one jump each at worst."""
JUMP = operator("serial-jump")
"""The author of a jump in the journal, by which jumps are counted."""


def unknown(work: Work, zones: Mapping[str, Zone], seen: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """Return those of these (zone, serial) pairs that were never published, neither now nor according to the journal.

    Cost   one query where some serial is earlier than the zone's, otherwise none
    """
    others = {(zone_id, serial) for zone_id, serial in seen if serial != zones[zone_id].serial}
    later = {pair for pair in others if newer(pair[1], zones[pair[0]].serial)}
    earlier = others - later
    return later | (earlier - work.journal.published(earlier) if earlier else set())


def jump(work: Work, zone: Zone, serials: Iterable[int], *, limited: bool = True) -> Zone | None:
    """Raise the zone's serial past these, as one revision; return the zone after it, or None where the serial stays.

    It stays where none of them comes after it; where it has jumped JUMPS times within JUMPS_WITHIN (unless not
    `limited`: an operator asks); and in a SECONDARY zone, whose serial is its primary's.
    Call under the zone's lock, with the zone as its row is. Cost  five statements
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
