# SPDX-License-Identifier: Apache-2.0
"""Writes the RRsets of a transferred zone over to its owner, those of a large zone in steps.

A row of `rrsets` names its project because lists of a project's RRsets are walked by it. While `zones.handed` is set,
the rows born up to that revision count as the owner's whatever they name (`store/rrset_list.py`, `central/rrsets.py`),
and are in no list of a project, the old one's or the new one's; with the last step they are in the owner's at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select

from redesignate.model.zone import Zone, ZoneType
from redesignate.store.fast import Module
from redesignate.store.schema import rrsets, zones
from redesignate.store.sharing_schema import zone_handovers

AT_ONCE = 500
"""RRsets that one transaction writes over; each is in nine indexes of its project."""


class Handovers(Module):
    """The handovers of one transaction."""

    def begin(self, zone: Zone, project_id: str, count: int) -> int | None:
        """Write a locked zone's RRsets over to its new owner, or leave that to steps where they are more than AT_ONCE.

        Those of a SECONDARY zone are its owner's alone, and some of its next revision may be stored already; they are
        not counted, and are left to steps too.
        Returns what `zones.handed` is to be. At most two statements.
        """
        self._conn.execute(zone_handovers.delete().where(zone_handovers.c.zone_id == zone.id))
        if count > AT_ONCE or zone.type is ZoneType.SECONDARY:
            self._conn.execute(zone_handovers.insert().values(zone_id=zone.id, up_to=""))
            return zone.revision + (zone.type is ZoneType.SECONDARY)
        written = rrsets.update().where(rrsets.c.zone_id == zone.id, _of_another(project_id))
        self._conn.execute(written.values(project_id=project_id))
        return None

    def next(self, after: str) -> str | None:
        """The next zone behind `after`, and behind the last of them the first, whose RRsets are not all written over.
        One query, two behind the last."""
        found = select(zone_handovers.c.zone_id).order_by(zone_handovers.c.zone_id).limit(1)
        behind: str | None = self._conn.execute(found.where(zone_handovers.c.zone_id > after)).scalar()
        return behind if behind is not None or not after else self._conn.execute(found).scalar()

    def step(self, zone: Zone, limit: int) -> int:
        """Write the next RRsets of a locked zone over; how many were looked at. At most four statements, of their
        number. Idempotent: the last step of a zone says so in its row."""
        done = self._conn.execute(select(zone_handovers.c.up_to).where(zone_handovers.c.zone_id == zone.id)).scalar()
        if done is None or zone.handed is None:
            self.forget([zone.id])  # else it would be the next one for ever
            return 0
        behind = select(rrsets.c.id).where(rrsets.c.zone_id == zone.id, rrsets.c.id > done)
        ids = list(self._conn.execute(behind.order_by(rrsets.c.id).limit(limit)).scalars())
        if ids:
            due = rrsets.c.born <= zone.handed, _of_another(zone.project_id or "")
            written = rrsets.update().where(rrsets.c.id.in_(ids), *due)
            self._conn.execute(written.values(project_id=zone.project_id))
        if len(ids) == limit:
            moved = zone_handovers.update().where(zone_handovers.c.zone_id == zone.id)
            self._conn.execute(moved.values(up_to=ids[-1]))
        else:
            self.forget([zone.id])
            self._conn.execute(zones.update().where(zones.c.id == zone.id).values(handed=None))
        return len(ids)

    def forget(self, zone_ids: Sequence[str]) -> None:
        """Delete the rows of zones that are done, or gone. One statement."""
        self._conn.execute(zone_handovers.delete().where(zone_handovers.c.zone_id.in_(zone_ids)))


def _of_another(project_id: str) -> ColumnElement[bool]:
    return func.coalesce(rrsets.c.project_id, "") != project_id
