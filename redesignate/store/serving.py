# SPDX-License-Identifier: Apache-2.0
"""The hidden primary's reads: zones by name, RRsets as wire blobs, the journal. It parses nothing.

Each question is one query on an index; whole zones come as a stream of bare rows, because a transfer that is
not rendered yet pays for every object made for a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Executable
from sqlalchemy.exc import DBAPIError

from redesignate.model.pool import Pool
from redesignate.model.rrset import place
from redesignate.model.tsigkey import TSIGKey
from redesignate.model.zone import ZoneType
from redesignate.store import serving_statements as statements
from redesignate.store.errors import refuse
from redesignate.store.fast import Rows, run, stream
from redesignate.store.served_zone import Blobs, Change, Mark, Reach, ServedZone
from redesignate.store.unit import Store
from redesignate.store.unplaced import MOST_UNPLACED, Unplaced, between

_BATCH = 2000
LATEST, SHORT = 16, 4096
MOST_PASSED = 500
"""RRsets among which the owner of an NSEC3 record is looked for by its name."""


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
        return {ident: int(version) for ident, version in self._run(statements.POOL_VERSIONS, {})}

    def pools(self) -> list[Pool]:
        """Every pool. One query."""
        with _translating():
            return self._store.over(self._conn).pools.all()

    def nearest_zone(self, names: Sequence[str], reach: Reach) -> ServedZone | None:
        """The live zone with the longest of `names` that is not being deleted and is within reach. One query, two
        for a SECONDARY or CATALOG zone."""
        given = dict(zip(statements.BINDS, names, strict=False))
        given["reach"] = reach.resource_id
        return self._zone(statements.nearest(reach.scope, len(names)), given)

    def zone(self, zone_id: str) -> ServedZone | None:
        """One zone, unless it is deleted or being deleted. One query, two for a SECONDARY or CATALOG
        zone."""
        return self._zone(statements.BY_ID, {"z": zone_id})

    def secondaries(self, name: str) -> list[tuple[str, tuple[str, ...]]]:
        """Id and primaries of each SECONDARY zone of this name, in any pool. One query."""
        rows = self._run(statements.SECONDARIES, {"n": name})
        return [(ident, msgspec.json.decode(primaries, type=tuple[str, ...])) for ident, primaries in rows]

    def at_names(self, zone: ServedZone, names: Sequence[str]) -> list[tuple[str, int | None, bytes]]:
        """Name, TTL and blob of every RRset at these names that holds records. One query for each 64."""
        if len(names) > statements.AT_ONCE:
            return self.at_names(zone, names[: statements.AT_ONCE]) + self.at_names(zone, names[statements.AT_ONCE :])
        if not names:
            return []
        given = dict(zip(statements.BINDS, names, strict=False))
        given["z"] = zone.id
        rows = self._run(statements.at_names(zone.kept, len(names), self._sqlite), given)
        return [(name, ttl, bytes(wire)) for name, ttl, wire in rows if wire]

    def neighbours(self, zone: ServedZone, keys: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        """For each order key (`model.names.order_key`) the last of the zone's names before it and the first after it,
        in canonical order; empty if there is none. Names without records do not count.

        Cost  one query: two probes of an index for each key, however large the zone; one more query for the first
              question about a version of the zone.
        """
        # first: what central fills in meanwhile is then in both
        lacking = self._lacking(zone)
        given: dict[str, Any] = dict(zip(statements.BINDS, keys, strict=False))
        given["z"] = zone.id
        (row,) = self._run(statements.next_to(zone.kept, len(keys)), given)
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
        return self._run(statements.HASHED_BEFORE[zone.kept], {"z": zone.id, "n": name, "most": MOST_PASSED}).scalars()

    def _lacking(self, zone: ServedZone) -> list[bytes]:
        """The sorted order keys that RRsets with records lack, at most MOST_UNPLACED. A process of a release that knew
        no such keys wrote them; central fills them in (`central/upkeep.py`)."""
        version = (zone.id, zone.revision, zone.kept)
        known = self._unplaced.get(version)
        if known is None:
            rows = self._run(statements.UNPLACED[zone.kept], {"z": zone.id, "most": MOST_UNPLACED})
            known = sorted(place(name, rrtype, zone.name) for name, rrtype, octets in rows if octets)
            self._unplaced.keep(version, known)
        return known

    def whole_zone(self, zone: ServedZone) -> Iterator[Blobs]:
        """All RRsets of a zone in batches, in a fixed order; those without records have an empty blob. One query."""
        query = (statements.WHOLE_ZONE_OF_SQLITE if self._sqlite else statements.WHOLE_ZONE)[zone.kept]
        with _translating():
            for batch in stream(self._conn, query, {"z": zone.id}, _BATCH):
                yield batch if self._sqlite else [(ttl, bytes(wire)) for ttl, wire in batch]

    def octets(self, zone: ServedZone) -> int:
        """The total length of the zone's blobs. One query that reads them all."""
        return int(self._run(statements.OCTETS[zone.kept], {"z": zone.id}).scalar_one())

    def latest(self, zone: ServedZone, since: int) -> list[Change] | None:
        """The way from serial `since` to the zone's, oldest first, if it is at most LATEST revisions of at most SHORT
        octets each; otherwise, and after a serial that has wrapped round, None. One query."""
        changes, at = [], since
        of = {"z": zone.id, "after": zone.revision - LATEST, "last": zone.revision, "since": since, "short": SHORT}
        rows = self._run(statements.LATEST, of)
        for serial_from, serial_to, *blobs in rows:
            if serial_from != at:
                return None
            changes.append(Change(*map(bytes, blobs)))
            at = serial_to
        return changes if at == zone.serial else None

    def marks(self, zone_id: str, *, before: int, limit: int) -> list[Mark]:
        """The spans and sizes of up to `limit` revisions below `before`, newest first. One query, no blob is read."""
        return [Mark(*row) for row in self._run(statements.MARKS, {"z": zone_id, "before": before, "most": limit})]

    def changes(self, zone_id: str, first: int, last: int) -> list[Change]:
        """The journal's blobs of revisions `first` to `last`, oldest first. One query."""
        return [
            Change(*map(bytes, row))
            for row in self._run(statements.CHANGES, {"z": zone_id, "first": first, "last": last})
        ]

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
        loaded = self._run(
            statements.LOADED if row.type == ZoneType.SECONDARY.value else statements.COMPLETE, {"z": row.id}
        )
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
