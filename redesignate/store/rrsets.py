# SPDX-License-Identifier: Apache-2.0
"""RRsets: rows and back. Status and action are computed from the zone's confirmed revision, never written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    or_,
    select,
)

from redesignate.model.names import order_key
from redesignate.model.paging import Condition, ListQuery, Page
from redesignate.model.rrset import RRset
from redesignate.model.zone import Action, Status, rname
from redesignate.store.fast import run
from redesignate.store.listing import matches, page, where
from redesignate.store.schema import rrset_data, rrsets, zones
from redesignate.store.zones import LIVE

DATA_PREFIX = 255
"""How much of a record's text the filter by data sees."""
AT_ONCE = 100
PAGE_OCTETS = 2 * 2**20
"""A page ends after so much text of records, at the next multiple of AT_ONCE."""

_SOA = rrsets.c.type == "SOA"
_REVISION = case((_SOA, zones.c.revision), else_=rrsets.c.revision)
_COLUMNS = (
    *(column for column in rrsets.c if column.name not in {"wire", "order_key"}),
    zones.c.name.label("zone_name"),
    zones.c.confirmed.label("zone_confirmed"),
    zones.c.status.label("zone_status"),
    zones.c.revision.label("zone_revision"),
    zones.c.mname,
    zones.c.email,
    zones.c.serial,
    zones.c.refresh,
    zones.c.retry,
    zones.c.expire,
    zones.c.minimum,
)
_QUERY = select(*_COLUMNS).join_from(rrsets, zones, rrsets.c.zone_id == zones.c.id)
# Built once, as in store.zones.
_ONE = _QUERY.where(rrsets.c.id == bindparam("i"), zones.c.deleted == LIVE)
_ONE_OF_ZONE = _ONE.where(rrsets.c.zone_id == bindparam("z"))
_TYPES_AT = select(rrsets.c.type).where(rrsets.c.zone_id == bindparam("z"), rrsets.c.name == bindparam("n"))
_WIRE = select(rrsets.c.wire).where(rrsets.c.id == bindparam("i"))
_A_DEPARTED_ZONE = select(zones.c.id).where(zones.c.deleted_at > 0).limit(1)
_ADD = rrsets.insert()
_ADD_DATA = rrset_data.insert()
_REMOVE = rrsets.delete().where(rrsets.c.id.in_(bindparam("ids", expanding=True)))
_REMOVE_DATA = rrset_data.delete().where(rrset_data.c.rrset_id.in_(bindparam("ids", expanding=True)))


class Held(NamedTuple):
    """An RRset as a transfer compares it; `wire` without the TTLs of those that take the zone's (`ttl` None)."""

    id: str
    name: str
    type: str
    ttl: int | None
    wire: bytes
    description: str | None
    managed: bool
    born: int
    version: int
    created_at: int
    project_id: str | None


_WHOLE = select(*(rrsets.c[name] for name in Held._fields)).where(rrsets.c.zone_id == bindparam("z"), ~_SOA)
_BULK = 1000


class RRsets:
    """The RRsets of one transaction. A deleted RRset's row is gone; the journal remembers it."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._new_data: list[dict[str, Any]] = []

    def get(self, rrset_id: str, *, zone_id: str | None = None) -> RRset | None:
        """One RRset of a living zone. One query."""
        query, given = (_ONE, {"i": rrset_id}) if zone_id is None else (_ONE_OF_ZONE, {"i": rrset_id, "z": zone_id})
        row = self._conn.execute(query, given).first()
        return _rrset(row) if row else None

    def types_at(self, zone_id: str, name: str) -> set[str]:
        """The types that the zone has at one name. One query on (zone_id, name)."""
        return set(run(self._conn, _TYPES_AT, {"z": zone_id, "n": name}).scalars())

    def find(self, zone_id: str, name: str, rrtype: str) -> RRset | None:
        """The RRset of a name and type. One query."""
        query = _QUERY.where(rrsets.c.zone_id == zone_id, rrsets.c.name == name, rrsets.c.type == rrtype)
        row = self._conn.execute(query).first()
        return _rrset(row) if row else None

    def wire(self, rrset_id: str) -> bytes:
        """The RRset's RRs in the form of the journal; empty for the SOA. One query."""
        return bytes(run(self._conn, _WIRE, {"i": rrset_id}).scalar_one())

    def untimed(self, zone_id: str) -> bytes:
        """Every RR of the zone that takes the zone's TTL, for a change of that. Grows with the zone."""
        query = select(rrsets.c.wire).where(rrsets.c.zone_id == zone_id, rrsets.c.ttl.is_(None), ~_SOA)
        return b"".join(self._conn.execute(query.order_by(rrsets.c.name, rrsets.c.type)).scalars())

    def whole(self, zone_id: str) -> dict[tuple[str, str], Held]:
        """Everything but the SOA that a zone holds, by name and type. One query; grows with the zone."""
        return {(row.name, row.type): Held(*row) for row in run(self._conn, _WHOLE, {"z": zone_id})}

    def remove_many(self, rrset_ids: Sequence[str]) -> None:
        """Delete any number of RRsets. Two statements a thousand."""
        for at in range(0, len(rrset_ids), _BULK):
            self.remove(rrset_ids[at : at + _BULK])

    def add(self, new: Sequence[tuple[RRset, bytes]]) -> None:
        """Insert RRsets with their wire form. Two statements. Raises IntegrityError where name and type are taken."""
        run(self._conn, _ADD, [_row(rrset) | {"wire": wire} for rrset, wire in new])
        self._add_data([rrset for rrset, _ in new])

    def change(self, after: RRset, wire: bytes | None, *, records: bool) -> None:
        """Write an RRset over its row; `wire` None and `records` False leave those. 1 or 3 statements."""
        row = _row(after)
        if wire is not None:
            row["wire"] = wire
        self._conn.execute(rrsets.update().where(rrsets.c.id == after.id).values(row))
        if records:
            self.flush()
            self._conn.execute(rrset_data.delete().where(rrset_data.c.rrset_id == after.id))
            self._add_data([after])

    def remove(self, rrset_ids: Sequence[str]) -> None:
        """Delete RRsets. Two statements."""
        self.flush()
        run(self._conn, _REMOVE_DATA, {"ids": list(rrset_ids)})
        run(self._conn, _REMOVE, {"ids": list(rrset_ids)})

    def forget(self, zone_ids: Sequence[str]) -> None:
        """Delete every RRset of zones that are purged. Two statements."""
        self.flush()
        self._conn.execute(rrset_data.delete().where(rrset_data.c.zone_id.in_(zone_ids)))
        self._conn.execute(rrsets.delete().where(rrsets.c.zone_id.in_(zone_ids)))

    def listed(self, query: ListQuery, *, zone_id: str | None, project_id: str | None) -> Page[RRset] | None:
        """A page of one zone's RRsets, of one project's, or of all. None: unknown marker. 2 or 3 queries,
        one more for each AT_ONCE of the limit."""
        # COALESCE keeps SQLite from beginning with the zones, which would read and sort every RRset for one page
        living = func.coalesce(zones.c.deleted, "") == LIVE
        scope: list[ColumnElement[bool]] = [_where(condition) for condition in query.conditions]
        if zone_id is not None:
            scope.append(rrsets.c.zone_id == zone_id)
        if project_id is not None:
            scope.append(rrsets.c.project_id == project_id)
        order = (rrsets.c[query.sort_key], rrsets.c.id)
        after: Mapping[str, Any] | None = None
        if query.marker is not None:
            after = self._marker(query.marker, zone_id, project_id, order)
            if after is None:
                return None
        wanted = _QUERY.where(*scope) if zone_id is not None else _QUERY.where(living, *scope)
        items, cut = self._page(wanted, order, query, after)
        if not query.count:
            return Page(items, None, cut)
        by_status = any(condition.field == "status" for condition in query.conditions)
        return Page(items, self._count(scope, joined=by_status, over_zones=zone_id is None), cut)

    def _page(
        self, wanted: Select[Any], order: Sequence[Column[Any]], query: ListQuery, after: Mapping[str, Any] | None
    ) -> tuple[tuple[RRset, ...], bool]:
        """The page's RRsets, and whether it was cut: a thousand of the largest would be a hundred megabytes. A query
        for each AT_ONCE of them."""
        items: list[RRset] = []
        octets = 0
        while True:
            most = min(AT_ONCE, query.limit - len(items))
            chosen = page(self._conn, wanted, order, descending=query.descending, limit=most, after=after)
            rows = self._conn.execute(chosen).all()
            items += [_rrset(row) for row in rows]
            octets += sum(len(row.records) for row in rows)
            if len(rows) < most or len(items) == query.limit:
                return tuple(items), False
            if octets > PAGE_OCTETS:
                return tuple(items), True
            after = dict(rows[-1]._mapping)

    def _marker(
        self, marker: str, zone_id: str | None, project_id: str | None, order: Sequence[Any]
    ) -> Mapping[str, Any] | None:
        query = select(*dict.fromkeys(order)).where(rrsets.c.id == marker)
        if zone_id is not None:
            query = query.where(rrsets.c.zone_id == zone_id)
        if project_id is not None:
            query = query.where(rrsets.c.project_id == project_id)
        found = self._conn.execute(query).first()
        return dict(found._mapping) if found else None

    def _count(self, scope: Sequence[ColumnElement[bool]], *, joined: bool, over_zones: bool) -> int:
        """How many there are. Zones that are deleted and not yet purged are few: theirs are counted and taken off, so
        that the count of the rest needs an index of RRsets alone."""
        counting: Select[Any] = select(func.count()).select_from(rrsets)
        with_zones = counting.join(zones, rrsets.c.zone_id == zones.c.id)
        every = int(self._conn.execute((with_zones if joined else counting).where(*scope)).scalar_one())
        if not over_zones or run(self._conn, _A_DEPARTED_ZONE, {}).first() is None:
            return every
        departed = with_zones.where(*scope, zones.c.deleted_at > 0)
        return every - int(self._conn.execute(departed).scalar_one())

    def _add_data(self, new: Sequence[RRset]) -> None:
        rows = [
            {"rrset_id": rrset.id, "position": at, "zone_id": rrset.zone_id, "data": text[:DATA_PREFIX]}
            for rrset in new
            for at, text in enumerate(rrset.records)
        ]
        self._new_data += rows

    def flush(self) -> None:
        """Insert the texts that filters see, of the RRsets that were added. One statement for all."""
        if self._new_data:
            new, self._new_data = self._new_data, []
            run(self._conn, _ADD_DATA, new)


def _where(condition: Condition) -> ColumnElement[bool]:
    if condition.field == "status":
        return _with_status(condition)
    if condition.field == "data":
        data = Condition("data", condition.op, condition.value[:DATA_PREFIX], condition.upper)
        return exists().where(rrset_data.c.rrset_id == rrsets.c.id, where(data, rrset_data.c.data))
    return where(condition, rrsets.c[condition.field])


def _with_status(condition: Condition) -> ColumnElement[bool]:
    """The status is computed, so the condition becomes one on revisions."""
    behind = and_(zones.c.confirmed < _REVISION, or_(_SOA, rrsets.c.records != "[]"))
    failed = zones.c.status == Status.ERROR.value
    meaning = {"ACTIVE": ~behind, "PENDING": and_(behind, ~failed), "ERROR": and_(behind, failed)}
    wanted = [meant for word, meant in meaning.items() if matches(condition, word)]
    return or_(false(), *wanted)


def _row(rrset: RRset) -> dict[str, Any]:
    return {
        "id": rrset.id,
        "zone_id": rrset.zone_id,
        "project_id": rrset.project_id,
        "name": rrset.name,
        "type": rrset.type,
        "ttl": rrset.ttl,
        "records": msgspec.json.encode(rrset.records).decode(),
        "order_key": order_key(rrset.name, rrset.zone_name) if rrset.records or rrset.type == "SOA" else None,
        "description": rrset.description,
        "managed": rrset.managed,
        "revision": rrset.revision,
        "born": rrset.born,
        "version": rrset.version,
        "created_at": rrset.created_at,
        "updated_at": rrset.updated_at,
    }


_decode_records = msgspec.json.Decoder(tuple[str, ...]).decode


def state(*, revision: int, born: int, confirmed: int, empty: bool, failed: bool) -> tuple[Status, Action]:
    """An RRset's status and action: behind while the zone's confirmed revision is below the one that changed it."""
    if empty or revision <= confirmed:
        return Status.ACTIVE, Action.NONE
    action = Action.CREATE if born > confirmed else Action.UPDATE
    return (Status.ERROR if failed else Status.PENDING), action


def _rrset(row: Row[Any]) -> RRset:
    is_soa = row.type == "SOA"
    records = (_soa(row),) if is_soa else _decode_records(row.records)
    status, action = state(
        revision=row.zone_revision if is_soa else row.revision,
        born=row.born,
        confirmed=row.zone_confirmed,
        empty=not records,
        failed=row.zone_status == Status.ERROR.value,
    )
    return RRset(
        id=row.id,
        zone_id=row.zone_id,
        zone_name=row.zone_name,
        project_id=row.project_id,
        name=row.name,
        type=row.type,
        ttl=row.ttl,
        records=records,
        description=row.description,
        managed=bool(row.managed),
        revision=row.revision,
        born=row.born,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        status=status,
        action=action,
    )


def _soa(row: Row[Any]) -> str:
    return f"{row.mname} {rname(row.email)} {row.serial} {row.refresh} {row.retry} {row.expire} {row.minimum}"
