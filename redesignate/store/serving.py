# SPDX-License-Identifier: Apache-2.0
"""The hidden primary's reads: zones by name, RRsets as wire blobs, the journal. It parses nothing.

Each question is one query on an index; whole zones come as a stream of bare rows, because a transfer that is
not rendered yet pays for every object made for a row.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from redesignate.model.pool import Pool
from redesignate.model.rrset import NSEC3, place
from redesignate.model.tsigkey import Scope, TSIGKey
from redesignate.model.zone import ZoneType
from redesignate.store.errors import refuse
from redesignate.store.schema import kept_rrsets, rrsets
from redesignate.store.unit import Store, Work

_BATCH = 2000
# In the order of ix_rrsets_revision and so nearly of the table itself: three times as fast as by name, and as settled.
_WHOLE_ZONE = {
    False: "SELECT ttl, wire FROM rrsets WHERE zone_id = ? ORDER BY revision, rowid",
    True: "SELECT ttl, wire FROM kept_rrsets WHERE zone_id = ? ORDER BY name, type",
}

Blobs = Iterable[tuple[int | None, bytes]]
"""RRsets of a zone: own TTL (None: the zone's) and wire blob (see `wire/rrset.py` for its form)."""


@dataclass(frozen=True, slots=True)
class ServedZone:
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


@dataclass(frozen=True, slots=True)
class Mark:
    """The serials that one revision of the journal spans, and its octets of RRs."""

    revision: int
    serial_from: int
    serial_to: int
    full: bool
    octets: int


@dataclass(frozen=True, slots=True)
class Change:
    """One revision of the journal as IXFR sends it; blobs as in the journal's row."""

    removed: bytes
    added: bytes
    soa_from: bytes
    soa_to: bytes


@dataclass(frozen=True, slots=True)
class Reach:
    """The zones that a client may see: those of a pool, or only one."""

    scope: Scope
    resource_id: str


_OF_INBOUND = ("loaded", "kept")
_ASKED = [name for name in ServedZone.__dataclass_fields__ if name not in _OF_INBOUND] + ["type"]
_ZONE = "SELECT " + ", ".join(_ASKED) + " FROM zones WHERE "
_LOADED = "SELECT kept_rrsets IS NOT NULL FROM inbound WHERE zone_id = ? AND loaded"
_COMPLETE = "SELECT 0 FROM zones WHERE id = ? AND transferred_at IS NOT NULL"
_SERVED = " AND deleted = '' AND action <> 'DELETE'"
_BY_LENGTH = " ORDER BY LENGTH(name) DESC LIMIT 1"
_REACH = {Scope.POOL: " AND pool_id = ?", Scope.ZONE: " AND id = ?"}
_POOL_VERSIONS = "SELECT id, version FROM pools"
_SECONDARIES = "SELECT id, primaries FROM zones WHERE name = ? AND type = 'SECONDARY' AND deleted = ''"
_AT_NAMES = "SELECT name, ttl, wire FROM {rows} WHERE zone_id = ? AND name IN "
# PostgreSQL and MariaDB would read a whole zone for a list of names where their statistics say that it is small: one
# name each, and MariaDB is given the index too.
_AT_NAME = "SELECT name, ttl, wire FROM {rows} WHERE zone_id = ? AND name = ?"
_NEXT_TO = "(SELECT order_key FROM {rows} WHERE zone_id = ? AND order_key {side} LIMIT 1)"
_BEFORE, _AFTER = "< ? ORDER BY order_key DESC", "> ? ORDER BY order_key"
_UNPLACED = "SELECT name, type, LENGTH(wire) FROM {rows} WHERE zone_id = ? AND order_key IS NULL LIMIT ?"
_HASHED_BEFORE = (
    "SELECT name FROM (SELECT name, type FROM {rows} WHERE zone_id = ? AND name < ? ORDER BY name DESC LIMIT ?) AS near"
    f" WHERE type = '{NSEC3}' ORDER BY name DESC LIMIT 8"
)
MOST_UNPLACED = 10_000
"""RRsets without an order key that are read of one zone; the names of further ones are not known to exist."""
MOST_PASSED = 500
"""RRsets among which the owner of an NSEC3 record is looked for by its name."""
_KEPT_UNPLACED = 10 * MOST_UNPLACED
_TABLE = {False: rrsets, True: kept_rrsets}
_BY_NAME = {False: "rrsets FORCE INDEX (uq_rrsets_name_type)", True: "kept_rrsets FORCE INDEX (PRIMARY)"}
_BY_ORDER = {False: "rrsets FORCE INDEX (ix_rrsets_order)", True: "kept_rrsets FORCE INDEX (ix_kept_rrsets_order)"}
_OCTETS = "SELECT COALESCE(SUM(LENGTH(wire)), 0) FROM {rows} WHERE zone_id = ?"
# FULL is a keyword of PostgreSQL, and quoting it would make it a text in MySQL: the table before it works in both.
_MARKS = (
    "SELECT revision, serial_from, serial_to, journal.full, LENGTH(removed) + LENGTH(added) FROM journal"
    " WHERE zone_id = ? AND revision < ? ORDER BY revision DESC LIMIT ?"
)
# What is left out breaks the chain of serials, so that its reader falls back on the marks.
_LATEST = (
    "SELECT serial_from, serial_to, removed, added, soa_from, soa_to FROM journal WHERE zone_id = ? AND revision > ?"
    " AND revision <= ? AND serial_from >= ? AND NOT journal.full AND LENGTH(removed) + LENGTH(added) <= ?"
    " ORDER BY revision"
)
LATEST, SHORT = 16, 4096
_CHANGES = (
    "SELECT removed, added, soa_from, soa_to FROM journal"
    " WHERE zone_id = ? AND revision BETWEEN ? AND ? ORDER BY revision"
)


class Snapshot:
    """One consistent view of the database.

    Statements are written out and go to the driver unchanged: building them from SQLAlchemy's expressions took
    nine tenths of the time of a query.
    """

    def __init__(self, work: Work, unplaced: Unplaced | None = None) -> None:
        self._work = work
        self._unplaced = Unplaced() if unplaced is None else unplaced
        self._conn = work.conn
        self._driver: Any = None
        if work.conn.dialect.name == "sqlite":
            if not work.conn.in_transaction():
                work.conn.begin()
            self._driver = work.conn.connection.dbapi_connection
        self._marked = work.conn.dialect.paramstyle == "qmark"

    def key(self, name: str) -> TSIGKey | None:
        """The TSIG key of a name (lower case, no final dot). One query."""
        with _translating():
            return self._work.tsigkeys.named(name)

    def pool_versions(self) -> dict[str, int]:
        """The version of every pool, by id: they are few. One query."""
        return {ident: int(version) for ident, version in self._run(_POOL_VERSIONS, ())}

    def pools(self) -> list[Pool]:
        """Every pool. One query."""
        with _translating():
            return self._work.pools.all()

    def nearest_zone(self, names: Sequence[str], reach: Reach) -> ServedZone | None:
        """The live zone with the longest of `names` that is not being deleted and is within reach. One query, two
        for a SECONDARY or CATALOG zone."""
        where = f"name IN ({', '.join('?' * len(names))})" + _REACH[reach.scope] + _SERVED + _BY_LENGTH
        return self._zone(_ZONE + where, (*names, reach.resource_id))

    def zone(self, zone_id: str) -> ServedZone | None:
        """One zone, unless it is deleted or being deleted. One query, two for a SECONDARY or CATALOG
        zone."""
        return self._zone(_ZONE + "id = ?" + _SERVED, (zone_id,))

    def secondaries(self, name: str) -> list[tuple[str, tuple[str, ...]]]:
        """Id and primaries of each SECONDARY zone of this name, in any pool. One query."""
        rows = self._run(_SECONDARIES, (name,))
        return [(ident, msgspec.json.decode(primaries, type=tuple[str, ...])) for ident, primaries in rows]

    def at_names(self, zone: ServedZone, names: Sequence[str]) -> list[tuple[str, int | None, bytes]]:
        """Name, TTL and blob of every RRset at these names that holds records. At most one query."""
        if not names:
            return []
        if self._driver is not None:
            some = _AT_NAMES.format(rows=_TABLE[zone.kept].name) + f"({', '.join('?' * len(names))})"
            rows = self._run(some, (zone.id, *names))
        else:
            each = tuple(value for name in names for value in (zone.id, name))
            one = _AT_NAME.format(rows=self._hinted(zone, _BY_NAME))
            rows = self._run(" UNION ALL ".join([one] * len(names)), each)
        return [(name, ttl, bytes(wire)) for name, ttl, wire in rows if wire]

    def neighbours(self, zone: ServedZone, keys: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        """For each order key (`model.names.order_key`) the last of the zone's names before it and the first after it,
        in canonical order; empty if there is none. Names without records do not count.

        Cost  one query: two probes of an index for each key, however large the zone; one more query for the first
              question about a version of the zone.
        """
        # first: what central fills in meanwhile is then in both
        lacking, rows = self._lacking(zone), self._hinted(zone, _BY_ORDER)
        probes = [_NEXT_TO.format(rows=rows, side=side) for _ in keys for side in (_BEFORE, _AFTER)]
        values = [value for key in keys for value in (zone.id, key) * 2]
        (row,) = self._run("SELECT " + ", ".join(probes), tuple(values))
        found = [bytes(key or b"") for key in row]
        around = list(zip(found[::2], found[1::2], strict=True))
        return [_between(lacking, key, *pair) for key, pair in zip(keys, around, strict=True)] if lacking else around

    def all_placed(self, zone: ServedZone) -> bool:
        """Whether `neighbours` knows every name of the zone: False while more than MOST_UNPLACED of its RRsets lack
        their order keys. At most one query for a version of the zone."""
        return len(self._lacking(zone)) < MOST_UNPLACED

    def hashed_before(self, zone: ServedZone, name: str) -> list[str]:
        """The nearest eight owners of NSEC3 records among the MOST_PASSED RRsets before a name in the order of their
        texts, which is that of the hashes too. One query."""
        statement = _HASHED_BEFORE.format(rows=self._hinted(zone, _BY_NAME))
        return [found for (found,) in self._run(statement, (zone.id, name, MOST_PASSED))]

    def _lacking(self, zone: ServedZone) -> list[bytes]:
        """The sorted order keys that RRsets with records lack, at most MOST_UNPLACED. A process of a release that knew
        no such keys wrote them; central fills them in (`central/upkeep.py`)."""
        version = (zone.id, zone.revision, zone.kept)
        known = self._unplaced.get(version)
        if known is None:
            statement = _UNPLACED.format(rows=self._hinted(zone, _BY_ORDER))
            rows = self._run(statement, (zone.id, MOST_UNPLACED))
            known = sorted(place(name, rrtype, zone.name) for name, rrtype, octets in rows if octets)
            self._unplaced.keep(version, known)
        return known

    def whole_zone(self, zone: ServedZone) -> Iterator[Blobs]:
        """All RRsets of a zone in batches, in a fixed order; those without records have an empty blob. One query."""
        if self._driver is not None:
            yield from self._from_driver(zone)
            return
        table = _TABLE[zone.kept]
        query = (
            select(table.c.ttl, table.c.wire)
            .where(table.c.zone_id == zone.id)
            .order_by(table.c.name, table.c.type)
            .execution_options(stream_results=True, max_row_buffer=_BATCH)
        )
        with _translating(), self._conn.execute(query) as result:
            for batch in result.partitions(_BATCH):
                yield [(ttl, bytes(wire)) for ttl, wire in batch]

    def _from_driver(self, zone: ServedZone) -> Iterator[Blobs]:
        """sqlite3's own rows: half the time of SQLAlchemy's."""
        with closing(self._driver.execute(_WHOLE_ZONE[zone.kept], (zone.id,))) as cursor:
            while batch := cursor.fetchmany(_BATCH):
                yield batch

    def octets(self, zone: ServedZone) -> int:
        """The total length of the zone's blobs. One query that reads them all."""
        return int(self._run(_OCTETS.format(rows=_TABLE[zone.kept].name), (zone.id,))[0][0])

    def latest(self, zone: ServedZone, since: int) -> list[Change] | None:
        """The way from serial `since` to the zone's, oldest first, if it is at most LATEST revisions of at most SHORT
        octets each; otherwise, and after a serial that has wrapped round, None. One query."""
        changes, at = [], since
        rows = self._run(_LATEST, (zone.id, zone.revision - LATEST, zone.revision, since, SHORT))
        for serial_from, serial_to, *blobs in rows:
            if serial_from != at:
                return None
            changes.append(Change(*map(bytes, blobs)))
            at = serial_to
        return changes if at == zone.serial else None

    def marks(self, zone_id: str, *, before: int, limit: int) -> list[Mark]:
        """The spans and sizes of up to `limit` revisions below `before`, newest first. One query, no blob is read."""
        return [Mark(*row) for row in self._run(_MARKS, (zone_id, before, limit))]

    def changes(self, zone_id: str, first: int, last: int) -> list[Change]:
        """The journal's blobs of revisions `first` to `last`, oldest first. One query."""
        return [Change(*map(bytes, row)) for row in self._run(_CHANGES, (zone_id, first, last))]

    def _hinted(self, zone: ServedZone, index: Mapping[bool, str]) -> str:
        """The table of the zone's RRsets, with the index to use on databases that take such a hint."""
        hinted = self._conn.dialect.name in {"mysql", "mariadb"}
        return index[zone.kept] if hinted else _TABLE[zone.kept].name

    def _run(self, statement: str, values: tuple[object, ...]) -> Sequence[Any]:
        if (
            self._driver is not None
        ):  # a file does not become unreachable: there is no error for SQLAlchemy to translate
            with closing(self._driver.execute(statement, values)) as cursor:
                return cursor.fetchall()  # type: ignore[no-any-return]
        with _translating():
            return self._conn.exec_driver_sql(statement if self._marked else statement.replace("?", "%s"), values).all()

    def _zone(self, statement: str, values: tuple[object, ...]) -> ServedZone | None:
        rows = self._run(statement, values)
        if not rows:
            return None
        *found, kind = rows[0]
        loaded: Sequence[Any] = [(False,)]
        if kind != ZoneType.PRIMARY.value:
            loaded = self._run(_LOADED if kind == ZoneType.SECONDARY.value else _COMPLETE, (found[0],))
        return ServedZone(*[*found, bool(loaded), bool(loaded and loaded[0][0])])


class Unplaced:
    """The order keys that RRsets lack, by version of their zone. Bounded; safe for use from many threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, bool], list[bytes]] = {}
        self._size = 0

    def get(self, version: tuple[str, int, bool]) -> list[bytes] | None:
        """The keys that this version of a zone lacks; None where that is not known."""
        return self._known.get(version)

    def keep(self, version: tuple[str, int, bool], keys: list[bytes]) -> None:
        """Remember the keys of a version; all others are forgotten where they have become too many."""
        self._size += 1 + len(keys)
        if self._size > _KEPT_UNPLACED:
            self._known, self._size = {}, 1 + len(keys)
        self._known[version] = keys


def _between(keys: Sequence[bytes], key: bytes, before: bytes, after: bytes) -> tuple[bytes, bytes]:
    """The nearest keys around one: those given, or nearer ones of a sorted list."""
    low, high = bisect_left(keys, key), bisect_right(keys, key)
    before = max(before, keys[low - 1]) if low else before
    return before, min(filter(None, (after, *keys[high : high + 1])), default=b"")


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
        with self._store.read() as work:
            yield Snapshot(work, self._unplaced)
