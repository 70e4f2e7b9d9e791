# SPDX-License-Identifier: Apache-2.0
"""Maps RRsets to rows and back. Status and action are computed from the zone's confirmed revision, never written.

The texts that filters search are stored separately (`store/ending.py`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    Row,
    Select,
    String,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    union_all,
)

from redesignate.model.paging import Condition, ListQuery, Page
from redesignate.model.rrset import Held, RRset, seen
from redesignate.model.zone import Status, Zone
from redesignate.store.fast import Module, run
from redesignate.store.listing import marker, matches, page, where
from redesignate.store.schema import DATA_PREFIX, quotas, rrset_data, rrsets, zones
from redesignate.store.zones import HAS_A_NAME, LIVE

AT_ONCE = 100
PAGE_OCTETS = 2 * 2**20
"""Characters of record text after which a page ends, at the next multiple of AT_ONCE."""

_SOA = rrsets.c.type == "SOA"
_REVISION = case((_SOA, zones.c.revision), else_=rrsets.c.revision)
_COLUMNS = (
    *(rrsets.c[name] for name in Held._fields if name not in {"wire", "order_key"}),
    func.coalesce(zones.c.typed_name, zones.c.name).label("zone_name"),
    zones.c.revision.label("zone_revision"),
    zones.c.confirmed.label("zone_confirmed"),
    zones.c.status.label("zone_status"),
    zones.c.mname,
    zones.c.email,
    zones.c.serial,
    zones.c.refresh,
    zones.c.retry,
    zones.c.expire,
    zones.c.minimum,
)
"""What `_seen` reads by position: an RRset without its RRs, and then its zone."""
_ZONE_ID, _RECORDS, _ZONE = 1, 6, 15
_QUERY = select(*_COLUMNS).join_from(rrsets, zones, rrsets.c.zone_id == zones.c.id)
# Built once, as in store.zones.
_ONE = _QUERY.where(rrsets.c.id == bindparam("i"), zones.c.deleted == LIVE)
_ONE_OF_ZONE = _ONE.where(rrsets.c.zone_id == bindparam("z"))
_NONE: ColumnElement[int] = literal_column("0", Integer)
_AROUND = union_all(
    select(literal_column("'type'", String).label("kind"), rrsets.c.type.label("what"), _NONE.label("number")).where(
        rrsets.c.zone_id == bindparam("z"), rrsets.c.name == bindparam("n")
    ),
    select(literal_column("'zone'", String), zones.c.name, _NONE).where(HAS_A_NAME, zones.c.pool_id == bindparam("p")),
    select(literal_column("'limit'", String), quotas.c.resource, quotas.c.hard_limit).where(
        quotas.c.project_id == bindparam("o")
    ),
)
_A_DEPARTED_ZONE = select(zones.c.id).where(zones.c.deleted_at > 0).limit(1)
_HELD = select(*(rrsets.c[name] for name in Held._fields)).where(rrsets.c.zone_id == bindparam("z"))
_HELD_ONE = _HELD.where(rrsets.c.id == bindparam("i"))
_HELD_AT = _HELD.where(rrsets.c.name == bindparam("n"), rrsets.c.type == bindparam("t"))
_IN_ORDER = (rrsets.c.name, rrsets.c.type)
_FIRST = _HELD.order_by(*_IN_ORDER).limit(bindparam("most"))
_NEXT = _FIRST.where(
    rrsets.c.name >= bindparam("n"),
    or_(rrsets.c.name > bindparam("n"), rrsets.c.type > bindparam("t")),
)
_UNTIMED = (
    _HELD.where(rrsets.c.id > bindparam("i"), rrsets.c.ttl.is_(None), ~_SOA)
    .order_by(rrsets.c.id)
    .limit(bindparam("most"))
)
_ADD = rrsets.insert()
_REMOVE = rrsets.delete().where(rrsets.c.id.in_(bindparam("ids", expanding=True)))
_CHANGING = ("ttl", "records", "wire", "order_key", "description", "revision", "version", "updated_at")
_CHANGE = (
    rrsets.update()
    .where(rrsets.c.id == bindparam("i"))
    .values({column: bindparam(f"v_{column}") for column in _CHANGING})
)
BULK = 1000
"""Rows of one statement."""
_FEW = 20
"""Rows that are changed one by one; more are deleted and inserted, which every database does in bulk."""


class Around(NamedTuple):
    """The rows that the rules on a new RRset need.

    types     the types that the zone has at the name
    children  the live zones of the pool to which the name belongs, rather than to this zone
    limits    the quotas that the operator set for the project of the zone
    """

    types: set[str]
    children: list[str]
    limits: dict[str, int]


class RRsets(Module):
    """The RRsets of one transaction. A deleted RRset's row is gone; the journal remembers it."""

    def get(self, rrset_id: str, *, zone_id: str | None = None) -> RRset | None:
        """One RRset of a live zone. One query."""
        query, given = (_ONE, {"i": rrset_id}) if zone_id is None else (_ONE_OF_ZONE, {"i": rrset_id, "z": zone_id})
        rows = run(self._conn, query, given)
        return _seen(rows)[0] if rows else None

    def around(self, zone: Zone, name: str, between: Sequence[str]) -> Around:
        """The rows that the rules on a new RRset at this name need. `between`: names of which none may be a zone of
        the pool. One query, on the indexes of names."""
        given = {"z": zone.id, "n": name, "names": between, "p": zone.pool_id, "o": zone.project_id or ""}
        types: set[str] = set()
        children: list[str] = []
        limits: dict[str, int] = {}
        for kind, what, number in run(self._conn, _AROUND, given):
            if kind == "type":
                types.add(what)
            elif kind == "zone":
                children.append(what)
            else:
                limits[what] = number
        return Around(types, children, limits)

    def held(self, rrset_id: str, zone_id: str) -> Held | None:
        """An RRset of the zone with its RRs. One query."""
        row = run(self._conn, _HELD_ONE, {"i": rrset_id, "z": zone_id}).first()
        return _held(row) if row else None

    def held_at(self, zone_id: str, name: str, rrtype: str) -> Held | None:
        """The RRset of a name and type with its RRs. One query."""
        row = run(self._conn, _HELD_AT, {"z": zone_id, "n": name, "t": rrtype}).first()
        return _held(row) if row else None

    def names_of(self, zone_id: str, names: Collection[str]) -> set[str]:
        """Those of these names at which the zone has RRsets. One query."""
        query = select(rrsets.c.name).where(rrsets.c.zone_id == zone_id, rrsets.c.name.in_(list(names)))
        return set(self._conn.execute(query).scalars())

    def walk(self, zone_id: str) -> Iterator[Held]:
        """Every RRset of a zone by name and type, in the order of their octets. A query per thousand, when reached:
        rows written meanwhile further on are seen, and memory does not grow with the zone."""
        given: dict[str, Any] = {"z": zone_id, "most": BULK}
        rows = run(self._conn, _FIRST, given)
        while True:
            some = [_held(row) for row in rows]
            yield from some
            if len(some) < BULK:
                return
            rows = run(self._conn, _NEXT, given | {"n": some[-1].name, "t": some[-1].type})

    def untimed(self, zone_id: str) -> Iterator[Held]:
        """Each RRset that uses the zone's TTL. A query for each thousand, when it is reached."""
        last = ""
        while True:
            some = [_held(row) for row in run(self._conn, _UNTIMED, {"z": zone_id, "i": last, "most": BULK})]
            yield from some
            if len(some) < BULK:
                return
            last = some[-1].id

    def add(self, new: Sequence[Held]) -> None:
        """Insert RRsets. One statement. Raises IntegrityError if name and type are taken."""
        rows = [held._asdict() | {"records": _encode_records(held.records).decode()} for held in new]
        run(self._conn, _ADD, rows)

    def change(self, changed: Sequence[Held]) -> None:
        """Update the rows of RRsets: the columns that an edit may change. One statement, two for many."""
        if len(changed) > _FEW:
            self.remove([held.id for held in changed])
            self.add(changed)
        else:
            run(self._conn, _CHANGE, [_changing(held) for held in changed])

    def remove(self, rrset_ids: Sequence[str]) -> None:
        """Delete any number of RRsets. One statement a thousand."""
        for at in range(0, len(rrset_ids), BULK):
            run(self._conn, _REMOVE, {"ids": list(rrset_ids[at : at + BULK])})

    def forget(self, zone_ids: Sequence[str]) -> None:
        """Delete every RRset of zones that are purged, and its texts. Two statements."""
        self._conn.execute(rrset_data.delete().where(rrset_data.c.zone_id.in_(zone_ids)))
        self._conn.execute(rrsets.delete().where(rrsets.c.zone_id.in_(zone_ids)))

    def listed(self, query: ListQuery, *, zone_id: str | None, project_id: str | None) -> Page[RRset]:
        """A page of one zone's RRsets, of one project's, or of all. Raises MarkerNotFound. 1 to 4 queries,
        one more for each AT_ONCE of the limit."""
        # COALESCE keeps SQLite from starting with the zones, which would read and sort every RRset for one page
        living = func.coalesce(zones.c.deleted, "") == LIVE
        seen: list[ColumnElement[bool]] = []
        if zone_id is not None:
            seen.append(rrsets.c.zone_id == zone_id)
        if project_id is not None:
            seen.append(rrsets.c.project_id == project_id)
        order = (rrsets.c[query.sort_key], rrsets.c.id)
        after = None if query.marker is None else marker(self._conn, query.marker, order, seen)
        scope = seen + [_where(condition) for condition in query.conditions]
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
            items += _seen(rows)
            if len(rows) < most or len(items) == query.limit:
                return tuple(items), False
            octets += sum([len(row[_RECORDS]) for row in rows])
            if octets > PAGE_OCTETS:
                return tuple(items), True
            after = dict(rows[-1]._mapping)

    def _count(self, scope: Sequence[ColumnElement[bool]], *, joined: bool, over_zones: bool) -> int:
        """The number of RRsets. Zones deleted and not yet purged are few: theirs are counted and subtracted, so
        that the count of the rest needs an index of RRsets alone."""
        counting: Select[Any] = select(func.count()).select_from(rrsets)
        with_zones = counting.join(zones, rrsets.c.zone_id == zones.c.id)
        every = int(self._conn.execute((with_zones if joined else counting).where(*scope)).scalar_one())
        if not over_zones or run(self._conn, _A_DEPARTED_ZONE, {}).first() is None:
            return every
        departed = with_zones.where(*scope, zones.c.deleted_at > 0)
        return every - int(self._conn.execute(departed).scalar_one())


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


class _Zone(NamedTuple):
    """The zone of a listed RRset."""

    shown_name: str
    revision: int
    confirmed: int
    status: Status
    mname: str
    email: str
    serial: int
    refresh: int
    retry: int
    expire: int
    minimum: int


_encode_records = msgspec.json.Encoder().encode
_decode_records = msgspec.json.Decoder(tuple[str, ...]).decode


def _changing(held: Held) -> dict[str, Any]:
    row = held._asdict() | {"records": _encode_records(held.records).decode()}
    return {"i": held.id} | {f"v_{column}": row[column] for column in _CHANGING}


def _held(row: Row[Any]) -> Held:
    held = Held._make(row)
    return held._replace(records=_decode_records(row.records), wire=bytes(held.wire), managed=bool(held.managed))


def _seen(rows: Sequence[Sequence[Any]]) -> list[RRset]:
    """The RRsets of one query's rows, each of `_COLUMNS`. Cost: three microseconds each; a page may hold a thousand."""
    of: dict[str, _Zone] = {}  # most lists are of one zone or of few
    found = []
    for row in rows:
        zone = of.get(row[_ZONE_ID])
        if zone is None:
            name, revision, confirmed, status, *soa = row[_ZONE:]
            zone = of[row[_ZONE_ID]] = _Zone(name, revision, confirmed, Status(status), *soa)
        (
            ident, zone_id, project_id, name, rrtype, ttl, records, description, managed, revision, born, version,
            created_at, updated_at, typed_name, *_,
        ) = row  # fmt: skip
        held = Held(
            ident, zone_id, project_id, name, rrtype, ttl, _decode_records(records), b"", None, description,
            bool(managed), revision, born, version, created_at, updated_at, typed_name,
        )  # fmt: skip
        found.append(seen(held, zone))
    return found
