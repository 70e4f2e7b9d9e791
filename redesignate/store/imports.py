# SPDX-License-Identifier: Apache-2.0
"""Imports of zone files: the tasks, the files' parts, and who works on which, by lease."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, and_, bindparam, func, or_, select

from redesignate.model.caller import Caller
from redesignate.model.paging import ListQuery, Page
from redesignate.model.rrset import Held
from redesignate.model.zonetask import ImportTask, TaskStatus, ZoneImport
from redesignate.store.exports import forget
from redesignate.store.fast import Module, insert, run
from redesignate.store.leasetime import NOW
from redesignate.store.listing import listed
from redesignate.store.outbox import FAR, NEVER
from redesignate.store.schema import rrset_data, rrsets, zones
from redesignate.store.task_schema import zone_import_parts, zone_imports

_TEXT = ("rrset_id", "position", "zone_id", "data")
STEP = 500
"""RRsets that one transaction removes."""
MESSAGE = 255
_SHOWN = tuple(zone_imports.c[name] for name in ZoneImport.__struct_fields__)
_VISIBLE = and_(zone_imports.c.parts.is_not(None), ~zone_imports.c.hidden)
_FREE = or_(zone_imports.c.lease_until <= NOW, zone_imports.c.lease_until > NOW + FAR)
_HELD = and_(zone_imports.c.id == bindparam("i"), zone_imports.c.lease_owner == bindparam("w"))
_DUE = select(zone_imports.c.id, zone_imports.c.project_id).where(
    zone_imports.c.todo,
    _FREE,
    or_(zone_imports.c.parts.is_not(None), zone_imports.c.created_at <= bindparam("old")),
)
_LEASE = (
    zone_imports.update()
    .where(zone_imports.c.id == bindparam("i"), zone_imports.c.todo, _FREE)
    .values(
        lease_owner=bindparam("w"),
        lease_until=NOW + bindparam("length"),
        attempts=func.coalesce(zone_imports.c.attempts, 0) + 1,
    )
)
_RENEW = zone_imports.update().where(_HELD).values(lease_until=NOW + bindparam("length"))
_PART = select(zone_import_parts.c.data).where(
    zone_import_parts.c.import_id == bindparam("i"), zone_import_parts.c.number == bindparam("n")
)


class Imports(Module):
    """The imports of one transaction."""

    def get(self, import_id: str, project_id: str | None) -> ZoneImport | None:
        """One import that users see, of this project or (None) of any. One query."""
        query = select(*_SHOWN).where(zone_imports.c.id == import_id, _VISIBLE)
        if project_id is not None:
            query = query.where(zone_imports.c.project_id == project_id)
        row = self._conn.execute(query).first()
        return _import(row) if row else None

    def reached(self, import_ids: Sequence[str]) -> list[tuple[str, TaskStatus, str | None]]:
        """Id, status and zone of each of these imports. One query."""
        query = select(zone_imports.c.id, zone_imports.c.status, zone_imports.c.zone_id)
        found = self._conn.execute(query.where(zone_imports.c.id.in_(list(import_ids))))
        return [(row.id, TaskStatus(row.status), row.zone_id) for row in found]

    def task(self, import_id: str, *, lock: bool = False) -> ImportTask | None:
        """One import as it is worked on. One query."""
        query = select(zone_imports).where(zone_imports.c.id == import_id)
        row = self._conn.execute(query.with_for_update() if lock else query).first()
        return _task(row) if row else None

    def unfinished(self, project_id: str | None) -> int:
        """How many imports of a project are not finished. One query."""
        mine = zone_imports.c.project_id == project_id
        query = select(func.count()).select_from(zone_imports).where(mine, zone_imports.c.todo)
        return int(self._conn.execute(query).scalar_one())

    def add(self, made: ZoneImport, *, caller: Caller, attributes: dict[str, str], target_id: str) -> None:
        """Insert an import that has received nothing. One statement."""
        row = msgspec.to_builtins(made) | {
            "caller": msgspec.json.encode(caller).decode(),
            "attributes": msgspec.json.encode(attributes).decode(),
            "parts": None,
            "target_id": target_id,
            "stored": 0,
            "todo": True,
            "hidden": False,
            "lease_owner": None,
            "lease_until": NEVER,
        }
        self._conn.execute(zone_imports.insert().values(row))

    def add_part(self, import_id: str, number: int, data: bytes, *, last: bool) -> None:
        """Insert a part of a file; the `last` makes it whole. At most two statements. Raises IntegrityError."""
        self._conn.execute(zone_import_parts.insert().values(import_id=import_id, number=number, data=data))
        if last:
            self.change(import_id, parts=number + 1)

    def change(self, import_id: str, **values: Any) -> None:
        """Write members of an import. One statement."""
        self._conn.execute(zone_imports.update().where(zone_imports.c.id == import_id).values(values))

    def leave(self, import_id: str, owner: str, **values: Any) -> None:
        """Write members of an import as its owner; nothing where another has it by now. One statement."""
        own = zone_imports.c.id == import_id, zone_imports.c.lease_owner == owner
        self._conn.execute(zone_imports.update().where(*own).values(values))

    def part(self, import_id: str, number: int) -> bytes | None:
        """A part of a file, compressed. One query."""
        data = run(self._conn, _PART, {"i": import_id, "n": number}).scalar()
        return None if data is None else bytes(data)

    def remove(self, import_id: str) -> None:
        """Delete an import. One statement."""
        self._conn.execute(zone_imports.delete().where(zone_imports.c.id == import_id))

    def forget(self, zone_ids: Sequence[str]) -> None:
        """Delete the imports of zones that are purged. One statement."""
        self._conn.execute(zone_imports.delete().where(zone_imports.c.zone_id.in_(zone_ids), ~zone_imports.c.todo))

    def remove_ended(self, import_id: str) -> None:
        """Delete an import of which nothing is left to be done. One statement."""
        self._conn.execute(zone_imports.delete().where(zone_imports.c.id == import_id, ~zone_imports.c.todo))

    def listed(self, query: ListQuery, project_id: str | None) -> Page[ZoneImport]:
        """A page of the imports of one project, or of all. Raises MarkerNotFound. 1 to 4 queries."""
        seen = [_VISIBLE] if project_id is None else [_VISIBLE, zone_imports.c.project_id == project_id]
        return listed(self._conn, zone_imports, query, _import, seen=seen)

    # -- work

    def due(self, now: int, old: int, limit: int, *, short: bool = False) -> list[tuple[str, str | None]]:
        """Id and project of imports that nobody works on: those that are whole, and those begun before `old` (µs) that
        are not, the oldest first; `short`: of files of one part alone. One query, which reads those that are not
        finished."""
        busy = select(zone_imports.c.project_id).where(zone_imports.c.todo, ~_FREE)
        query = _DUE.where(or_(zone_imports.c.project_id.is_(None), zone_imports.c.project_id.not_in(busy)))
        query = query.where(zone_imports.c.parts == 1) if short else query
        rows = self._conn.execute(query.order_by(zone_imports.c.id).limit(limit), {"now": now, "old": old})
        return [(row.id, row.project_id) for row in rows]

    def lease(self, import_id: str, owner: str, now: int, length: int) -> ImportTask | None:
        """Take an import that nobody works on, for `length` µs; None where somebody does. Two statements."""
        if not run(self._conn, _LEASE, {"i": import_id, "w": owner, "now": now, "length": length}).rowcount:
            return None
        return self.task(import_id)

    def hold(self, import_id: str, owner: str, now: int, length: int) -> None:
        """Renew a lease, first of all in each transaction of the work. One statement. Raises Lost."""
        if run(self._conn, _RENEW, {"i": import_id, "w": owner, "now": now, "length": length}).rowcount != 1:
            raise Lost

    def store_ahead(self, rows: Sequence[tuple[Any, ...]], texts: Sequence[tuple[Any, ...]]) -> None:
        """Insert RRsets as the members of `Held`, their records as JSON, and their texts: id, position, zone, text. Two
        statements; on SQLite more, each of `fast.MOST_BINDS`. Raises IntegrityError."""
        insert(self._conn, rrsets, Held._fields, rows)
        insert(self._conn, rrset_data, _TEXT, texts)

    def drop_stored(self, target_id: str) -> bool:
        """Delete some of the RRsets that were stored ahead, unless the zone was made after all; whether there may be
        more. At most four statements."""
        if self._conn.execute(select(zones.c.id).where(zones.c.id == target_id)).first() is not None:
            return False
        query = select(rrsets.c.id).where(rrsets.c.zone_id == target_id).limit(STEP)
        ids = list(self._conn.execute(query).scalars())
        if ids:
            self._conn.execute(rrset_data.delete().where(rrset_data.c.rrset_id.in_(ids)))
            self._conn.execute(rrsets.delete().where(rrsets.c.id.in_(ids)))
        return len(ids) == STEP

    def forget_failed(self, before: int, most: int, limit: int) -> int:
        """Delete at most `limit` imports that failed: begun before this time (µs), and a project's oldest beyond
        `most`. Returns how many. Cost: `exports.forget`."""
        failed = and_(zone_imports.c.status == TaskStatus.ERROR.value, ~zone_imports.c.todo)
        of = zone_imports.c.project_id
        return forget(self._conn, zone_imports, of, failed, before=before, most=most, limit=limit)

    def drop_parts(self, import_id: str) -> bool:
        """Delete some parts of a file; whether there may be more. Two statements."""
        mine = zone_import_parts.c.import_id == import_id
        numbers = list(self._conn.execute(select(zone_import_parts.c.number).where(mine).limit(8)).scalars())
        self._conn.execute(zone_import_parts.delete().where(mine, zone_import_parts.c.number.in_(numbers)))
        return len(numbers) == 8


class Lost(Exception):
    """Another process works on the import now, or nobody is to."""


def _import(row: Row[Any]) -> ZoneImport:
    given = {name: getattr(row, name) for name in ZoneImport.__struct_fields__}
    return ZoneImport(**(given | {"status": TaskStatus(row.status)}))


def _task(row: Row[Any]) -> ImportTask:
    return ImportTask(
        id=row.id,
        project_id=row.project_id,
        status=TaskStatus(row.status),
        caller=msgspec.json.decode(row.caller, type=Caller),
        attributes=msgspec.json.decode(row.attributes, type=dict[str, str]),
        parts=row.parts,
        target_id=row.target_id,
        stored=row.stored,
        hidden=bool(row.hidden),
        attempts=row.attempts or 0,
    )
