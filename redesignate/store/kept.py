# SPDX-License-Identifier: Apache-2.0
"""The copy of a SECONDARY zone that DNS serves while the zone's RRsets are changed in steps.

It is made and dropped in steps too. `inbound.kept_rrsets` says whether it is served, and `kept_revision` alone that it
is being made; without both its rows are left over from a change that is published, or from one that will not come.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Table, and_, bindparam, or_, select

from redesignate.store.fast import Module, run
from redesignate.store.schema import kept_rrsets, rrsets

STEP = 2000
"""Rows that one transaction copies or drops."""
Place = tuple[str, str]
"""Name and type of an RRset: where a step ends."""
START: Place = ("", "")

_NEXT_ZONE = (
    select(kept_rrsets.c.zone_id).where(kept_rrsets.c.zone_id > bindparam("z")).order_by(kept_rrsets.c.zone_id).limit(1)
)
_LAST = (
    select(kept_rrsets.c.name, kept_rrsets.c.type)
    .where(kept_rrsets.c.zone_id == bindparam("z"))
    .order_by(kept_rrsets.c.name.desc(), kept_rrsets.c.type.desc())
    .limit(1)
)


class Kept(Module):
    """The kept copies of one transaction. The caller holds the lock on the zone's row, and has written its row of
    `inbound` (`InboundRows.step`)."""

    def copy(self, zone_id: str) -> bool:
        """Copy the next STEP RRsets behind those that the copy has; return whether there may be more. Three
        statements."""
        row = run(self._conn, _LAST, {"z": zone_id}).first()
        after = (row.name, row.type) if row else START
        last = self._end(rrsets, zone_id, after)
        names = [column.name for column in kept_rrsets.columns]
        wanted = select(*(rrsets.c[name] for name in names)).where(_between(rrsets, zone_id, after, last))
        self._conn.execute(kept_rrsets.insert().from_select(names, wanted))
        return last is not None

    def drop(self, zone_id: str) -> bool:
        """Delete about STEP rows of a copy; return whether there may be more. Two statements."""
        last = self._end(kept_rrsets, zone_id, START)
        self._conn.execute(kept_rrsets.delete().where(_between(kept_rrsets, zone_id, START, last)))
        return last is not None

    def zone_after(self, zone_id: str) -> str | None:
        """The next zone, by id, that has rows of a copy. One query that reads one entry of the index."""
        found: str | None = run(self._conn, _NEXT_ZONE, {"z": zone_id}).scalar()
        return found

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
