# SPDX-License-Identifier: Apache-2.0
"""The copy of a SECONDARY zone that DNS serves while the zone's RRsets are changed in steps.

It is made and dropped in steps too. `inbound.kept_rrsets` says whether it is served; without that its rows are left
over from a run that ended early, or from a change that is published.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Table, and_, or_, select

from redesignate.store.fast import Module
from redesignate.store.schema import inbound, kept_rrsets, rrsets

STEP = 2000
"""Rows that one transaction copies or drops."""
Place = tuple[str, str]
"""Name and type of an RRset: where a step ends."""
START: Place = ("", "")


class Kept(Module):
    """The kept copies of one transaction. The caller holds the lock on the zone's row."""

    def copy(self, zone_id: str, after: Place) -> Place | None:
        """Copy the next STEP RRsets behind `after`; return the last one, or None if there are no more. Two statements.

        Raises IntegrityError where the copy has them already.
        """
        last = self._end(rrsets, zone_id, after)
        names = [column.name for column in kept_rrsets.columns]
        wanted = select(*(rrsets.c[name] for name in names)).where(_between(rrsets, zone_id, after, last))
        self._conn.execute(kept_rrsets.insert().from_select(names, wanted))
        return last

    def drop(self, zone_id: str) -> bool:
        """Delete about STEP rows of a copy; return whether there may be more. Two statements."""
        last = self._end(kept_rrsets, zone_id, START)
        self._conn.execute(kept_rrsets.delete().where(_between(kept_rrsets, zone_id, START, last)))
        return last is not None

    def left_over(self, limit: int) -> list[str]:
        """Zones with rows of a copy that is not served: also of one that is being made. One query."""
        served = select(inbound.c.zone_id).where(inbound.c.zone_id == kept_rrsets.c.zone_id, inbound.c.kept_rrsets >= 0)
        query = select(kept_rrsets.c.zone_id).where(~served.exists()).group_by(kept_rrsets.c.zone_id)
        return list(self._conn.execute(query.limit(limit)).scalars())

    def forget(self, zone_ids: Sequence[str]) -> None:
        """Delete the copies of zones that are purged."""
        self._conn.execute(kept_rrsets.delete().where(kept_rrsets.c.zone_id.in_(zone_ids)))

    def _end(self, table: Table, zone_id: str, after: Place) -> Place | None:
        """The STEP-th RRset behind `after`; None if there are fewer."""
        query = select(table.c.name, table.c.type).where(_between(table, zone_id, after, None))
        row = self._conn.execute(query.order_by(table.c.name, table.c.type).limit(1).offset(STEP - 1)).first()
        return (row.name, row.type) if row else None


def _between(table: Table, zone_id: str, after: Place, last: Place | None) -> ColumnElement[bool]:
    """The RRsets behind one place, up to another; the plain conditions on the name are a range of the index."""
    name, rrtype = table.c.name, table.c.type
    found = and_(table.c.zone_id == zone_id, name >= after[0], or_(name > after[0], rrtype > after[1]))
    return found if last is None else and_(found, name <= last[0], or_(name < last[0], rrtype <= last[1]))
