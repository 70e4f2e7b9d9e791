# SPDX-License-Identifier: Apache-2.0
"""Exports of zones, and the texts of a zone's RRsets in the order of names, as a zone file needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Row, Table, bindparam, func, or_, select, true

from redesignate.model.paging import ListQuery, Page
from redesignate.model.zonefile import Entry
from redesignate.model.zonetask import TaskStatus, ZoneExport
from redesignate.store.fast import Module, run
from redesignate.store.listing import listed
from redesignate.store.schema import rrsets
from redesignate.store.task_schema import zone_exports

_FIXED = 10
"""Characters of class, type and blanks of a record."""
AT_ONCE = 300
"""RRsets of one query: of the longest there are, 80 MB."""
_FIRST = (
    select(
        rrsets.c.name,
        rrsets.c.type,
        rrsets.c.ttl,
        rrsets.c.records,
        rrsets.c.typed_name,
    )
    .where(rrsets.c.zone_id == bindparam("z"))
    .order_by(rrsets.c.name, rrsets.c.type)
    .limit(bindparam("most"))
)
_NEXT = _FIRST.where(
    rrsets.c.name >= bindparam("n"), or_(rrsets.c.name > bindparam("n"), rrsets.c.type > bindparam("t"))
)
_decode_records = msgspec.json.Decoder(tuple[str, ...]).decode
Found = tuple[tuple[str, str], Entry]
"""The key of an RRset, by which they are ordered, and what is written of it."""


class Exports(Module):
    """The exports of one transaction."""

    def get(self, export_id: str, project_id: str | None) -> ZoneExport | None:
        """One export, of this project or (None) of any. One query."""
        query = select(zone_exports).where(zone_exports.c.id == export_id)
        if project_id is not None:
            query = query.where(zone_exports.c.project_id == project_id)
        row = self._conn.execute(query).first()
        return _export(row) if row else None

    def add(self, export: ZoneExport) -> None:
        """Insert an export. One statement."""
        self._conn.execute(zone_exports.insert().values(msgspec.to_builtins(export)))

    def remove(self, export_id: str) -> None:
        """Delete an export. One statement."""
        self._conn.execute(zone_exports.delete().where(zone_exports.c.id == export_id))

    def forget(self, zone_ids: Sequence[str]) -> None:
        """Delete the exports of zones that are purged. One statement."""
        self._conn.execute(zone_exports.delete().where(zone_exports.c.zone_id.in_(zone_ids)))

    def forget_old(self, before: int, most: int, limit: int) -> int:
        """Delete at most `limit` exports: made before this time (µs), and a zone's oldest beyond `most`. Returns how
        many. Cost: `forget`."""
        of = zone_exports.c.zone_id
        return forget(self._conn, zone_exports, of, true(), before=before, most=most, limit=limit)

    def listed(self, query: ListQuery, project_id: str | None) -> Page[ZoneExport]:
        """A page of the exports of one project, or of all. Raises MarkerNotFound. 1 to 4 queries."""
        seen = [] if project_id is None else [zone_exports.c.project_id == project_id]
        return listed(self._conn, zone_exports, query, _export, seen=seen)

    def texts(self, zone_id: str, after: tuple[str, str] | None) -> tuple[list[Found], int]:
        """The next AT_ONCE RRsets behind a name and type, by name and type, and about how many characters they take.
        One query, which reads those alone."""
        given: dict[str, Any] = {"z": zone_id, "most": AT_ONCE}
        if after is None:
            rows = run(self._conn, _FIRST, given)
        else:
            rows = run(self._conn, _NEXT, given | {"n": after[0], "t": after[1]})
        found, octets = [], 0
        for name, rrtype, ttl, records, typed in rows:
            octets += len(name) + len(records) + _FIXED
            found.append(((name, rrtype), Entry(typed or name, rrtype, ttl, _decode_records(records))))
        return found, octets


def forget(
    conn: Connection,
    tasks: Table,
    of: Column[Any],
    which: ColumnElement[bool],
    *,
    before: int,
    most: int,
    limit: int,
) -> int:
    """Delete at most `limit` of such tasks: those that were made before a time (µs), and of any one value of this
    column the oldest beyond `most`. Returns how many. Three statements, one more for each such value."""
    old = select(tasks.c.id).where(which, tasks.c.created_at < before).limit(limit)
    ids = list(conn.execute(old).scalars())
    chosen = (which, tasks.c.id.not_in(ids))
    crowded = select(of).where(*chosen, of.is_not(None)).group_by(of).having(func.count() > most)
    for value in list(conn.execute(crowded.limit(limit - len(ids))).scalars()):
        if len(ids) >= limit:
            break
        newest = select(tasks.c.id).where(*chosen, of == value).order_by(tasks.c.id.desc())
        ids += conn.execute(newest.offset(most).limit(limit - len(ids))).scalars()
    conn.execute(tasks.delete().where(tasks.c.id.in_(ids)))
    return len(ids)


def _export(row: Row[Any]) -> ZoneExport:
    return ZoneExport(**(dict(row._mapping) | {"status": TaskStatus(row.status)}))
