# SPDX-License-Identifier: Apache-2.0
"""Maps RRsets to rows and back. Status and action are computed from the zone's confirmed revision, never written.

The texts that filters search are stored separately (`store/ending.py`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    String,
    bindparam,
    literal_column,
    or_,
    select,
    union_all,
)

from redesignate.model.paging import ListQuery, Page
from redesignate.model.rrset import Held, RRset
from redesignate.model.zone import Zone
from redesignate.store.fast import Module, run
from redesignate.store.rrset_list import listed
from redesignate.store.rrset_rows import QUERY, as_seen
from redesignate.store.schema import rrset_data, rrsets, zones
from redesignate.store.settings_schema import quotas
from redesignate.store.zones import HAS_A_NAME, LIVE

# Built once, as in store.zones.
_ONE = QUERY.where(rrsets.c.id == bindparam("i"), zones.c.deleted == LIVE)
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
    _HELD.where(rrsets.c.id > bindparam("i"), rrsets.c.ttl.is_(None), rrsets.c.type != "SOA")
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


@dataclass
class RRsets(Module):
    """The RRsets of one transaction. A deleted RRset's row is gone; the journal remembers it.

    deferred  new ones that `add` leaves to `write_deferred`; None: it writes at once. `around` knows of them; no other
              method does, nor can any caller know their ids
    """

    deferred: list[Held] | None = None

    def get(self, rrset_id: str, *, zone_id: str | None = None) -> RRset | None:
        """One RRset of a live zone. One query."""
        query, given = (_ONE, {"i": rrset_id}) if zone_id is None else (_ONE_OF_ZONE, {"i": rrset_id, "z": zone_id})
        rows = run(self._conn, query, given)
        return as_seen(rows)[0] if rows else None

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
        if self.deferred:
            types.update([one.type for one in self.deferred if (one.zone_id, one.name) == (zone.id, name)])
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
        if self.deferred is not None and new is not self.deferred:
            self.deferred += new
            return
        rows = [held._asdict() | {"records": _encode_records(held.records).decode()} for held in new]
        run(self._conn, _ADD, rows)

    def write_deferred(self) -> None:
        """Insert what `add` has left. One statement. Raises IntegrityError as `add`."""
        if self.deferred:
            self.add(self.deferred)
            self.deferred.clear()

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
        """A page of one zone's RRsets, of one project's, or of all. Raises MarkerNotFound. Cost: `rrset_list`."""
        return listed(self._conn, query, zone_id=zone_id, project_id=project_id)


_encode_records = msgspec.json.Encoder().encode
_decode_records = msgspec.json.Decoder(tuple[str, ...]).decode


def _changing(held: Held) -> dict[str, Any]:
    row = held._asdict() | {"records": _encode_records(held.records).decode()}
    return {"i": held.id} | {f"v_{column}": row[column] for column in _CHANGING}


def _held(row: Row[Any]) -> Held:
    held = Held._make(row)
    return held._replace(records=_decode_records(row.records), wire=bytes(held.wire), managed=bool(held.managed))
