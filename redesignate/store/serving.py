# SPDX-License-Identifier: Apache-2.0
"""The hidden primary's reads: zones by name, RRsets as wire blobs, the journal. It parses nothing.

Each question is one query on an index; whole zones come as a stream of bare rows, because a transfer that is
not rendered yet pays for every object made for a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Executable,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from redesignate.model.pool import Pool
from redesignate.model.rrset import NSEC3, place
from redesignate.model.tsigkey import Scope, TSIGKey
from redesignate.model.zone import Action, ZoneType
from redesignate.store.errors import refuse
from redesignate.store.fast import Rows, run, stream
from redesignate.store.schema import inbound, journal, kept_rrsets, pools, rrsets, zones
from redesignate.store.unit import Store
from redesignate.store.unplaced import MOST_UNPLACED, Unplaced, between
from redesignate.store.zones import LIVE

_BATCH = 2000
Blobs = Iterable[tuple[int | None, bytes]]
"""RRsets of a zone: own TTL (None: the zone's) and wire blob (see `wire/rrset.py` for its form)."""


class ServedZone(msgspec.Struct, frozen=True):
    """The columns of a zone that DNS shows. Times in seconds; (id, revision) names one version of its content.

    The fields are the columns that are asked for, in this order.

    loaded   False: a SECONDARY zone that was never fetched, or has expired, or a catalog that does not list all of its
             zones yet; it must not be answered (SERVFAIL)
    kept     its content is the copy in `kept_rrsets`, because its RRsets are being changed in steps
    """

    id: str
    name: str
    revision: int
    serial: int
    ttl: int
    email: str
    mname: str
    pool_id: str
    refresh: int
    retry: int
    expire: int
    minimum: int
    loaded: bool = True
    kept: bool = False


class Mark(msgspec.Struct, frozen=True):
    """The serials that one revision of the journal spans, and its octets of RRs."""

    revision: int
    serial_from: int
    serial_to: int
    full: bool
    octets: int


class Change(msgspec.Struct, frozen=True):
    """One revision of the journal as IXFR sends it; blobs as in the journal's row."""

    removed: bytes
    added: bytes
    soa_from: bytes
    soa_to: bytes


class Reach(msgspec.Struct, frozen=True):
    """The zones that a client may see: those of a pool, or only one."""

    scope: Scope
    resource_id: str


# Constants that stand in the text: a bind that is the same each time costs as much as one that is not.
_ONE: ColumnElement[int] = literal_column("1")
_STANDS = and_(
    zones.c.deleted == literal_column(f"'{LIVE}'"), zones.c.action != literal_column(f"'{Action.DELETE.value}'")
)
_OF_INBOUND = ("loaded", "kept")
_ZONE = select(
    *[zones.c[name] for name in ServedZone.__struct_fields__ if name not in _OF_INBOUND], zones.c.type
).where(_STANDS)
_BY_ID = _ZONE.where(zones.c.id == bindparam("z"))
_REACH = {Scope.POOL: zones.c.pool_id, Scope.ZONE: zones.c.id}
_LOADED = select(inbound.c.kept_rrsets.is_not(None)).where(inbound.c.zone_id == bindparam("z"), inbound.c.loaded)
_COMPLETE = select(zones.c.transferred_at.is_(None)).where(
    zones.c.id == bindparam("z"), zones.c.transferred_at.is_not(None)
)
_POOL_VERSIONS = select(pools.c.id, pools.c.version)
_SECONDARIES = select(zones.c.id, zones.c.primaries).where(
    zones.c.name == bindparam("n"), zones.c.type == ZoneType.SECONDARY.value, zones.c.deleted == LIVE
)
_TABLE = {False: rrsets, True: kept_rrsets}
_OCTETS = {
    kept: select(func.coalesce(func.sum(func.length(table.c.wire)), 0)).where(table.c.zone_id == bindparam("z"))
    for kept, table in _TABLE.items()
}
_WHOLE = {
    kept: select(table.c.ttl, table.c.wire).where(table.c.zone_id == bindparam("z")) for kept, table in _TABLE.items()
}
_WHOLE_ZONE = {kept: whole.order_by(_TABLE[kept].c.name, _TABLE[kept].c.type) for kept, whole in _WHOLE.items()}
# In the order of ix_rrsets_revision and so nearly of the table itself: three times as fast as by name, and as settled.
_WHOLE_ZONE_OF_SQLITE = _WHOLE_ZONE | {False: _WHOLE[False].order_by(rrsets.c.revision, literal_column("rowid"))}
_LENGTH = func.length(journal.c.removed) + func.length(journal.c.added)
_OF_JOURNAL = journal.c.zone_id == bindparam("z")
_MARKS = (
    select(journal.c.revision, journal.c.serial_from, journal.c.serial_to, journal.c.full, _LENGTH)
    .where(_OF_JOURNAL, journal.c.revision < bindparam("before"))
    .order_by(journal.c.revision.desc())
    .limit(bindparam("most"))
)
_CHANGE = (journal.c.removed, journal.c.added, journal.c.soa_from, journal.c.soa_to)
# What is left out breaks the chain of serials, so that its reader falls back on the marks.
_LATEST = (
    select(journal.c.serial_from, journal.c.serial_to, *_CHANGE)
    .where(_OF_JOURNAL, journal.c.revision > bindparam("after"), journal.c.revision <= bindparam("last"))
    .where(journal.c.serial_from >= bindparam("since"), ~journal.c.full, bindparam("short") >= _LENGTH)
    .order_by(journal.c.revision)
)
LATEST, SHORT = 16, 4096
_CHANGES = (
    select(*_CHANGE)
    .where(_OF_JOURNAL, journal.c.revision.between(bindparam("first"), bindparam("last")))
    .order_by(journal.c.revision)
)
_INDEXES = {"name": ("uq_rrsets_name_type", "PRIMARY"), "order_key": ("ix_rrsets_order", "ix_kept_rrsets_order")}


def _by(column: str, kept: bool, *wanted: ColumnElement[Any]) -> Select[Any]:
    """A SELECT of a zone's RRsets. MariaDB, whose statistics may say that the zone is small, is told the index."""
    table, hint = _TABLE[kept], f"FORCE INDEX ({_INDEXES[column][kept]})"
    query = select(*wanted).where(table.c.zone_id == bindparam("z"))
    return query.with_hint(table, hint, "mysql").with_hint(table, hint, "mariadb")


MOST_PASSED = 500
"""RRsets among which the owner of an NSEC3 record is looked for by its name."""
_UNPLACED = {
    kept: _by("order_key", kept, table.c.name, table.c.type, func.length(table.c.wire))
    .where(table.c.order_key.is_(None))
    .limit(bindparam("most"))
    for kept, table in _TABLE.items()
}


def _hashed_before(kept: bool) -> Select[Any]:
    table = _TABLE[kept]
    some = _by("name", kept, table.c.name, table.c.type).where(table.c.name < bindparam("n"))
    near = some.order_by(table.c.name.desc()).limit(bindparam("most")).subquery("near")
    return select(near.c.name).where(near.c.type == NSEC3).order_by(near.c.name.desc()).limit(8)


_HASHED_BEFORE = {kept: _hashed_before(kept) for kept in _TABLE}
_BINDS = tuple(f"b{at}" for at in range(128))
"""The binds of the values of which a statement has as many as are asked for: a name has 127 labels at most."""
_AT_ONCE = 64
"""Names that one statement asks for: there is a statement for each number of them."""


def _some(count: int, kind: TypeEngine[Any] | None = None) -> list[BindParameter[Any]]:
    return [bindparam(name, type_=kind) for name in _BINDS[:count]]


@cache
def _nearest(scope: Scope, count: int) -> Select[Any]:
    query = _ZONE.where(zones.c.name.in_(_some(count)), _REACH[scope] == bindparam("reach"))
    return query.order_by(func.length(zones.c.name).desc()).limit(_ONE)


@cache
def _at_names(kept: bool, count: int, sqlite: bool) -> Executable:
    """PostgreSQL and MariaDB would read a whole zone for a list of names where their statistics say that it is small:
    a SELECT for each name."""
    table = _TABLE[kept]
    some = _by("name", kept, table.c.name, table.c.ttl, table.c.wire)
    if sqlite:
        return some.where(table.c.name.in_(_some(count)))
    return union_all(*[some.where(table.c.name == name) for name in _some(count)])


@cache
def _next_to(kept: bool, count: int) -> Select[Any]:
    """The order keys before and after each of so many."""
    key = _TABLE[kept].c.order_key
    of_zone = _by("order_key", kept, key)
    probes = [
        probe.limit(_ONE).scalar_subquery()
        for given in _some(count, key.type)
        for probe in (of_zone.where(key < given).order_by(key.desc()), of_zone.where(key > given).order_by(key))
    ]
    return select(*[probe.label(f"p{at}") for at, probe in enumerate(probes)])


class Snapshot:
    """One consistent view of the database."""

    def __init__(self, store: Store, conn: Connection, unplaced: Unplaced | None = None) -> None:
        self._store = store
        self._unplaced = Unplaced() if unplaced is None else unplaced
        self._conn = conn
        self._sqlite = conn.dialect.name == "sqlite"

    def key(self, name: str) -> TSIGKey | None:
        """The TSIG key of a name (lower case, no final dot). One query."""
        with _translating():
            return self._store.over(self._conn).tsigkeys.named(name)

    def pool_versions(self) -> dict[str, int]:
        """The version of every pool, by id: they are few. One query."""
        return {ident: int(version) for ident, version in self._run(_POOL_VERSIONS, {})}

    def pools(self) -> list[Pool]:
        """Every pool. One query."""
        with _translating():
            return self._store.over(self._conn).pools.all()

    def nearest_zone(self, names: Sequence[str], reach: Reach) -> ServedZone | None:
        """The live zone with the longest of `names` that is not being deleted and is within reach. One query, two
        for a SECONDARY or CATALOG zone."""
        given = dict(zip(_BINDS, names, strict=False))
        given["reach"] = reach.resource_id
        return self._zone(_nearest(reach.scope, len(names)), given)

    def zone(self, zone_id: str) -> ServedZone | None:
        """One zone, unless it is deleted or being deleted. One query, two for a SECONDARY or CATALOG
        zone."""
        return self._zone(_BY_ID, {"z": zone_id})

    def secondaries(self, name: str) -> list[tuple[str, tuple[str, ...]]]:
        """Id and primaries of each SECONDARY zone of this name, in any pool. One query."""
        rows = self._run(_SECONDARIES, {"n": name})
        return [(ident, msgspec.json.decode(primaries, type=tuple[str, ...])) for ident, primaries in rows]

    def at_names(self, zone: ServedZone, names: Sequence[str]) -> list[tuple[str, int | None, bytes]]:
        """Name, TTL and blob of every RRset at these names that holds records. One query for each 64."""
        if len(names) > _AT_ONCE:
            return self.at_names(zone, names[:_AT_ONCE]) + self.at_names(zone, names[_AT_ONCE:])
        if not names:
            return []
        given = dict(zip(_BINDS, names, strict=False))
        given["z"] = zone.id
        rows = self._run(_at_names(zone.kept, len(names), self._sqlite), given)
        return [(name, ttl, bytes(wire)) for name, ttl, wire in rows if wire]

    def neighbours(self, zone: ServedZone, keys: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        """For each order key (`model.names.order_key`) the last of the zone's names before it and the first after it,
        in canonical order; empty if there is none. Names without records do not count.

        Cost  one query: two probes of an index for each key, however large the zone; one more query for the first
              question about a version of the zone.
        """
        # first: what central fills in meanwhile is then in both
        lacking = self._lacking(zone)
        given: dict[str, Any] = dict(zip(_BINDS, keys, strict=False))
        given["z"] = zone.id
        (row,) = self._run(_next_to(zone.kept, len(keys)), given)
        found = [bytes(key or b"") for key in row]
        around = list(zip(found[::2], found[1::2], strict=True))
        return [between(lacking, key, *pair) for key, pair in zip(keys, around, strict=True)] if lacking else around

    def all_placed(self, zone: ServedZone) -> bool:
        """Whether `neighbours` knows every name of the zone: False while more than MOST_UNPLACED of its RRsets lack
        their order keys. At most one query for a version of the zone."""
        return len(self._lacking(zone)) < MOST_UNPLACED

    def hashed_before(self, zone: ServedZone, name: str) -> list[str]:
        """The nearest eight owners of NSEC3 records among the MOST_PASSED RRsets before a name in the order of their
        texts, which is that of the hashes too. One query."""
        return self._run(_HASHED_BEFORE[zone.kept], {"z": zone.id, "n": name, "most": MOST_PASSED}).scalars()

    def _lacking(self, zone: ServedZone) -> list[bytes]:
        """The sorted order keys that RRsets with records lack, at most MOST_UNPLACED. A process of a release that knew
        no such keys wrote them; central fills them in (`central/upkeep.py`)."""
        version = (zone.id, zone.revision, zone.kept)
        known = self._unplaced.get(version)
        if known is None:
            rows = self._run(_UNPLACED[zone.kept], {"z": zone.id, "most": MOST_UNPLACED})
            known = sorted(place(name, rrtype, zone.name) for name, rrtype, octets in rows if octets)
            self._unplaced.keep(version, known)
        return known

    def whole_zone(self, zone: ServedZone) -> Iterator[Blobs]:
        """All RRsets of a zone in batches, in a fixed order; those without records have an empty blob. One query."""
        query = (_WHOLE_ZONE_OF_SQLITE if self._sqlite else _WHOLE_ZONE)[zone.kept]
        with _translating():
            for batch in stream(self._conn, query, {"z": zone.id}, _BATCH):
                yield batch if self._sqlite else [(ttl, bytes(wire)) for ttl, wire in batch]

    def octets(self, zone: ServedZone) -> int:
        """The total length of the zone's blobs. One query that reads them all."""
        return int(self._run(_OCTETS[zone.kept], {"z": zone.id}).scalar_one())

    def latest(self, zone: ServedZone, since: int) -> list[Change] | None:
        """The way from serial `since` to the zone's, oldest first, if it is at most LATEST revisions of at most SHORT
        octets each; otherwise, and after a serial that has wrapped round, None. One query."""
        changes, at = [], since
        of = {"z": zone.id, "after": zone.revision - LATEST, "last": zone.revision, "since": since, "short": SHORT}
        rows = self._run(_LATEST, of)
        for serial_from, serial_to, *blobs in rows:
            if serial_from != at:
                return None
            changes.append(Change(*map(bytes, blobs)))
            at = serial_to
        return changes if at == zone.serial else None

    def marks(self, zone_id: str, *, before: int, limit: int) -> list[Mark]:
        """The spans and sizes of up to `limit` revisions below `before`, newest first. One query, no blob is read."""
        return [Mark(*row) for row in self._run(_MARKS, {"z": zone_id, "before": before, "most": limit})]

    def changes(self, zone_id: str, first: int, last: int) -> list[Change]:
        """The journal's blobs of revisions `first` to `last`, oldest first. One query."""
        return [Change(*map(bytes, row)) for row in self._run(_CHANGES, {"z": zone_id, "first": first, "last": last})]

    def _run(self, statement: Executable, given: dict[str, Any]) -> Rows:
        try:
            return run(self._conn, statement, given)
        except DBAPIError as error:
            refuse(error)

    def _zone(self, statement: Executable, given: dict[str, Any]) -> ServedZone | None:
        rows = self._run(statement, given)
        if not rows:
            return None
        row = rows[0]
        if row.type == ZoneType.PRIMARY.value:
            return ServedZone(*row[:-1])
        loaded = self._run(_LOADED if row.type == ZoneType.SECONDARY.value else _COMPLETE, {"z": row.id})
        return ServedZone(*[*row[:-1], bool(loaded), bool(loaded and loaded[0][0])])


@contextmanager
def _translating() -> Iterator[None]:
    """Raise `Unavailable` for a connection that breaks during a view, as for one that cannot be opened."""
    try:
        yield
    except DBAPIError as error:
        refuse(error)


class Serving:
    """The database as mdns sees it. Safe for use from many threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._unplaced = Unplaced()

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """A consistent view, while it is held. Raises Unavailable."""
        with self._store.view() as conn:
            yield Snapshot(self._store, conn, self._unplaced)
