# SPDX-License-Identifier: Apache-2.0
"""The way from the asker's version of a zone to ours, out of the journal (RFC 1995)."""

from __future__ import annotations

from collections.abc import Sequence

from redesignate.mdns.render import Chunker, Rendered
from redesignate.mdns.source import View
from redesignate.model.serial import newer
from redesignate.observe.log import events
from redesignate.store.serving import Change, Mark, ServedZone
from redesignate.wire import rrset
from redesignate.wire.names import Malformed

log = events(__name__)

_PAGE = 256
_SOAS = 160
"""About how much the two SOAs of a change weigh."""
SMALL = 64 * 1024
"""Differences up to this many octets are sent without asking whether the whole zone would be less."""


def differences(view: View, zone: ServedZone, since: int, room: int) -> Rendered | None:
    """The changes that lead from serial `since` to the zone's; None if the whole zone has to be sent.

    That is the case if the journal does not reach back, knows a revision only as "everything", has a gap, or is more
    than the zone itself. Cost: one query for a few small changes; otherwise three, and one that weighs the zone if the
    changes are over 64 KiB.
    """
    changes = view.latest(zone, since) or _long_way(view, zone, since)
    if not changes or not all(change.soa_from and change.soa_to for change in changes):
        return None
    chunker, soa = Chunker(room), rrset.soa(zone)
    try:  # RFC 1995 §4: our SOA, then for each change the old SOA, what goes, the new SOA, what comes; our SOA again
        chunker.add(1, soa)
        for change in changes:
            for blob in (change.soa_from, change.removed, change.soa_to, change.added):
                if blob:
                    chunker.add(*rrset.ready(blob, None))
        chunker.add(1, soa)
    except Malformed as error:
        log.error("journal unreadable; sending the whole zone", zone=zone.id, name=zone.name, why=str(error))
        return None
    return chunker.done(zone.serial)


def _long_way(view: View, zone: ServedZone, since: int) -> Sequence[Change]:
    """Every change from `since` on; none if the whole zone has to be sent."""
    marks = _chain(view, zone, since)
    if marks is None:
        return ()
    changes = view.changes(zone.id, marks[-1].revision, marks[0].revision)
    return changes if len(changes) == len(marks) else ()


def _chain(view: View, zone: ServedZone, since: int) -> list[Mark] | None:
    """The journal's revisions from the newest back to the one that began at `since`, newest first."""
    found: list[Mark] = []
    wanted, before = zone.serial, zone.revision + 1
    octets, most = 0, 0
    while True:
        page = view.marks(zone.id, before=before, limit=_PAGE)
        for mark in page:
            if mark.full or mark.serial_to != wanted:
                return None
            found.append(mark)
            octets += mark.octets + _SOAS
            if octets > SMALL and octets > (most := most or view.octets(zone)):
                return None
            if mark.serial_from == since:
                return found
            if newer(since, mark.serial_from):
                return None
            wanted = mark.serial_from
        if len(page) < _PAGE:
            return None
        before = page[-1].revision
