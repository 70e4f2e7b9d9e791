# SPDX-License-Identifier: Apache-2.0
"""How far the nameservers of zones are, for requests that wait until these serve what was changed."""

from __future__ import annotations

from redesignate.central.rules import Answers, Rules
from redesignate.central.rules.agreement import everywhere
from redesignate.commands.reach import AskReach, ImportReach, Reached, ZoneReach
from redesignate.store.imports import Imports
from redesignate.store.peers import Progress
from redesignate.store.unit import Work


def ask_reach(_rules: Rules, work: Work, command: AskReach) -> Reached:
    """Return how far zones and imports are; those that do not exist are missing.

    Cost   one query for the zones, one for pools that were not read before, one for the imports, where there are any
    """
    found = work.peers.progress(command.zone_ids, work.now) if command.zone_ids else {}
    tasks = Imports(work.conn).reached(command.import_ids) if command.import_ids else []
    return Reached(
        zones=tuple(map(_reach, found.values())),
        imports=tuple(ImportReach(import_id=one, status=status, zone_id=zone) for one, status, zone in tasks),
    )


def _reach(one: Progress) -> ZoneReach:
    zone = one.zone
    # of a zone that is gone and has no work queued nothing is left to be reported: another of its name replaced it
    replaced = zone.deleted_at is not None and one.row is None
    return ZoneReach(
        zone_id=zone.id,
        revision=zone.revision,
        confirmed=zone.confirmed,
        served=zone.revision if replaced else everywhere(zone, one.pool, one.states),
        status=zone.status,
        gone=zone.deleted_at is not None,
    )


ANSWERS: Answers = {
    AskReach: ask_reach,
}
