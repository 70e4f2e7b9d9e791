# SPDX-License-Identifier: Apache-2.0
"""What the hidden primary reads: zones by name, RRsets as wire blobs, the journal. Reads only, nothing parsed.

Each question is one query on an index; whole zones come as a stream of bare rows, because a transfer that nobody
has rendered yet pays for every object that is made for a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, func, literal, select

from redesignate.model.tsig import Scope, TSIGKey
from redesignate.model.zone import Action, ZoneType
from redesignate.store.schema import journal, rrsets, zones
from redesignate.store.unit import Store, Work
from redesignate.store.zones import LIVE

_BATCH = 2000
# In the order of ix_rrsets_revision and so nearly of the table itself: three times as fast as by name, and as settled.
_WHOLE_ZONE = "SELECT ttl, wire FROM rrsets WHERE zone_id = ? ORDER BY revision, rowid"

Blobs = Iterable[tuple[int | None, bytes]]
"""RRsets of a zone: own TTL (None: the zone's) and wire blob (`wire/rrset.py` says its form)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedZone:
    """What of a zone's row is seen in DNS. Times in seconds; (id, revision) names one version of its content."""

    id: str
    name: str
    type: ZoneType
    pool_id: str
    revision: int
    serial: int
    ttl: int
    email: str
    mname: str
    refresh: int
    retry: int
    expire: int
    minimum: int


@dataclass(frozen=True, slots=True)
class Mark:
    """What one revision of the journal spans, and how many octets of RRs it holds."""

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
    """Which zones an asker may see: those of a pool, or one alone."""

    scope: Scope
    resource_id: str


_ZONE_COLUMNS = [zones.c[name] for name in ServedZone.__dataclass_fields__]


class Snapshot:
    """One consistent view of the database."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._conn = work.conn

    def key(self, name: str) -> TSIGKey | None:
        """The TSIG key of a name (lower case, no final dot). One query."""
        return self._work.tsigkeys.named(name)

    def nearest_zone(self, names: Sequence[str], reach: Reach) -> ServedZone | None:
        """The zone with the longest of `names` that lives, is not being deleted, and is within reach. One query."""
        query = (
            select(*_ZONE_COLUMNS)
            .where(zones.c.name.in_(names), _seen(reach), zones.c.deleted == LIVE)
            .where(zones.c.action != Action.DELETE.value)
            .order_by(func.length(zones.c.name).desc())
            .limit(1)
        )
        row = self._conn.execute(query).first()
        return _zone(row) if row else None

    def zone(self, zone_id: str) -> ServedZone | None:
        """One zone, unless it is deleted or being deleted. One query."""
        query = select(*_ZONE_COLUMNS).where(
            zones.c.id == zone_id, zones.c.deleted == LIVE, zones.c.action != Action.DELETE.value
        )
        row = self._conn.execute(query).first()
        return _zone(row) if row else None

    def secondaries(self, name: str) -> list[tuple[str, ...]]:
        """The primaries of each SECONDARY zone of this name, in whatever pool. One query."""
        query = select(zones.c.primaries).where(
            zones.c.name == name, zones.c.type == ZoneType.SECONDARY.value, zones.c.deleted == LIVE
        )
        return [msgspec.json.decode(text, type=tuple[str, ...]) for text in self._conn.execute(query).scalars()]

    def at_names(self, zone_id: str, names: Sequence[str]) -> list[tuple[str, int | None, bytes]]:
        """Name, TTL and blob of every RRset at these names that holds records, or is the SOA. One query."""
        query = select(rrsets.c.name, rrsets.c.ttl, rrsets.c.wire).where(
            rrsets.c.zone_id == zone_id, rrsets.c.name.in_(names)
        )
        return [(name, ttl, bytes(wire)) for name, ttl, wire in self._conn.execute(query) if wire]

    def has_below(self, zone_id: str, name: str) -> bool:
        """Whether any RRset that holds records stands strictly under `name`.

        Cost  one query that reads the zone's names in its index until it finds one: 10 ms in a zone of 100,000.
        """
        suffix = "." + name
        query = select(literal(1)).where(
            rrsets.c.zone_id == zone_id, rrsets.c.name.endswith(suffix, autoescape=True), func.length(rrsets.c.wire) > 0
        )
        return self._conn.execute(query.limit(1)).first() is not None

    def whole_zone(self, zone_id: str) -> Iterator[Blobs]:
        """All RRsets of a zone in batches, in a settled order; those without records have an empty blob. One query."""
        if self._conn.dialect.name == "sqlite":
            yield from self._from_driver(zone_id)
            return
        query = (
            select(rrsets.c.ttl, rrsets.c.wire)
            .where(rrsets.c.zone_id == zone_id)
            .order_by(rrsets.c.name, rrsets.c.type)
            .execution_options(stream_results=True, max_row_buffer=_BATCH)
        )
        with self._conn.execute(query) as result:
            for batch in result.partitions(_BATCH):
                yield [(ttl, bytes(wire)) for ttl, wire in batch]

    def _from_driver(self, zone_id: str) -> Iterator[Blobs]:
        """sqlite3's own rows: half the time of SQLAlchemy's."""
        self._begin()
        driver: Any = self._conn.connection.dbapi_connection
        cursor = driver.execute(_WHOLE_ZONE, (zone_id,))
        try:
            while batch := cursor.fetchmany(_BATCH):
                yield batch
        finally:
            cursor.close()

    def _begin(self) -> None:
        if not self._conn.in_transaction():
            self._conn.begin()

    def octets(self, zone_id: str) -> int:
        """How long the zone's blobs are together. One query that reads them all."""
        query = select(func.coalesce(func.sum(func.length(rrsets.c.wire)), 0)).where(rrsets.c.zone_id == zone_id)
        return int(self._conn.execute(query).scalar_one())

    def marks(self, zone_id: str, *, before: int, limit: int) -> list[Mark]:
        """What up to `limit` revisions below `before` span and weigh, newest first. One query, no blob is read."""
        weight = func.length(journal.c.removed) + func.length(journal.c.added)
        query = (
            select(journal.c.revision, journal.c.serial_from, journal.c.serial_to, journal.c.full, weight)
            .where(journal.c.zone_id == zone_id, journal.c.revision < before)
            .order_by(journal.c.revision.desc())
            .limit(limit)
        )
        return [Mark(*row) for row in self._conn.execute(query)]

    def changes(self, zone_id: str, first: int, last: int) -> list[Change]:
        """The journal's blobs of revisions `first` to `last`, oldest first. One query."""
        query = (
            select(journal.c.removed, journal.c.added, journal.c.soa_from, journal.c.soa_to)
            .where(journal.c.zone_id == zone_id, journal.c.revision.between(first, last))
            .order_by(journal.c.revision)
        )
        return [Change(*map(bytes, row)) for row in self._conn.execute(query)]


class Serving:
    """The database as mdns sees it. Safe for use from many threads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """A consistent view, for as long as it is held. Raises Unavailable."""
        with self._store.read() as work:
            yield Snapshot(work)


def _seen(reach: Reach) -> ColumnElement[bool]:
    match reach.scope:
        case Scope.POOL:
            return zones.c.pool_id == reach.resource_id
        case Scope.ZONE:
            return zones.c.id == reach.resource_id


def _zone(row: Row[Any]) -> ServedZone:
    fields = dict(row._mapping)
    fields["type"] = ZoneType(fields["type"])
    return ServedZone(**fields)
