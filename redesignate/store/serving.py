# SPDX-License-Identifier: Apache-2.0
"""The hidden primary's reads: zones by name, RRsets as wire blobs, the journal. It parses nothing.

Each question is one query on an index; whole zones come as a stream of bare rows, because a transfer that is
not rendered yet pays for every object made for a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Executable
from sqlalchemy.exc import DBAPIError

from redesignate.model.pool import Pool
from redesignate.model.rrset import place
from redesignate.model.tsigkey import TSIGKey
from redesignate.store import serving_statements as statements
from redesignate.store.errors import refuse
from redesignate.store.fast import Rows, run, stream
from redesignate.store.served_zone import Blobs, Change, Mark, Reach, ServedZone
from redesignate.store.unit import Store
from redesignate.store.unplaced import MOST_UNPLACED, Unplaced, between

K = TypeVar("K")
_BATCH = 2000
LATEST, SHORT = 16, 4096
MOST_PASSED = 500
"""RRsets among which the owner of an NSEC3 record is looked for by its name."""


Part = tuple[str, bool]
"""A zone's id, and whether its copy is meant."""


class Snapshot:
    """One consistent view of the database.

    What was asked of a zone's name, of the RRsets at a name and of the names around a key is remembered, so that many
    questions may be asked with one statement, and then each finds its part.
    """

    def __init__(self, store: Store, conn: Connection, unplaced: Unplaced | None = None) -> None:
        self._store = store
        self._unplaced = Unplaced() if unplaced is None else unplaced
        self._conn = conn
        self._database = conn.dialect.name
        self._sqlite = self._database == "sqlite"
        self._zones: dict[Reach, dict[str, ServedZone | None]] = {}
        self._at: dict[Part, dict[str, list[tuple[str, int | None, bytes]]]] = {}
        self._around: dict[Part, dict[bytes, tuple[bytes, bytes]]] = {}

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

    def zones_at(self, names: Iterable[str], reach: Reach) -> Mapping[str, ServedZone | None]:
        """The live zones within reach, by name, that have one of these names and are not being deleted; None for the
        other names. One query for each 64 that were not asked for before."""
        known = self._zones.setdefault(reach, {})
        for some, binds in self._unknown(names, known, ""):
            found: dict[str, ServedZone | None] = dict.fromkeys(some)
            statement = statements.zones_at(reach.scope, len(binds), self._database)
            for row in self._run(statement, binds | {"reach": reach.resource_id}):
                found[row.name] = ServedZone(*row)
            known.update(found)  # not before: where the statement fails, nothing is known
        return known

    def nearest_zone(self, names: Sequence[str], reach: Reach) -> ServedZone | None:
        """The first of `zones_at` in the order of the names, nearest first."""
        known = self.zones_at(names, reach)
        return next((zone for name in names if (zone := known[name])), None)

    def zone(self, zone_id: str) -> ServedZone | None:
        """One zone, unless it is deleted or being deleted. One query."""
        row = self._run(statements.BY_ID, {"z": zone_id}).first()
        return row and ServedZone(*row)

    def secondaries(self, name: str) -> list[tuple[str, tuple[str, ...]]]:
        """Id and primaries of each SECONDARY zone of this name, in any pool. One query."""
        rows = self._run(statements.SECONDARIES, {"n": name})
        return [(ident, msgspec.json.decode(primaries, type=tuple[str, ...])) for ident, primaries in rows]

    def at_names(self, zone: ServedZone, names: Sequence[str]) -> list[tuple[str, int | None, bytes]]:
        """Name, TTL and blob of every RRset at these names that holds records. One query for each 64 names that were
        not asked for before."""
        known = self._at.setdefault((zone.id, zone.kept), {})
        for some, binds in self._unknown(names, known, ""):
            found: dict[str, list[tuple[str, int | None, bytes]]] = {name: [] for name in some}
            statement = statements.at_names(zone.kept, len(binds), self._database)
            for name, ttl, wire in self._run(statement, binds | {"z": zone.id}):
                if wire:
                    found[name].append((name, ttl, bytes(wire)))
            known.update(found)  # not before: where the statement fails, nothing is known
        return [rrset for name in names for rrset in known[name]]

    def neighbours(self, zone: ServedZone, keys: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        """For each order key (`model.names.order_key`) the last of the zone's names before it and the first after it,
        in canonical order; empty if there is none. Names without records do not count.

        Cost  one query for each 64 keys that were not asked for before: two probes of an index for each, however large
              the zone; one more query for the first question about a version of the zone.
        """
        # first: what central fills in meanwhile is then in both
        lacking = self._lacking(zone)
        known = self._around.setdefault((zone.id, zone.kept), {})
        for some, binds in self._unknown(keys, known, b""):
            rows = self._run(statements.next_to(zone.kept, len(binds), self._database), binds | {"z": zone.id})
            found = [bytes(key or b"") for row in rows for key in row]
            for key, *pair in zip(some, found[::2], found[1::2], strict=False):
                known[key] = between(lacking, key, *pair) if lacking else (pair[0], pair[1])
        return [known[key] for key in keys]

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
        query = statements.WHOLE_ZONE[self._database][zone.kept]
        with _translating():
            for batch in stream(self._conn, query, {"z": zone.id}, _BATCH):
                yield batch if self._sqlite else [(ttl, bytes(wire)) for ttl, wire in batch]

    def octets(self, zone: ServedZone) -> int:
        """The total length of the zone's blobs. One query that reads them all."""
        return int(self._run(statements.OCTETS[zone.kept], {"z": zone.id}).scalar_one())

    def latest(self, zone: ServedZone, since: int, most: int = LATEST) -> list[Change] | None:
        """The way from serial `since` to the zone's, oldest first, if it is at most `most` revisions of at most SHORT
        octets each; otherwise, and after a serial that has wrapped round, None. One query."""
        changes, at = [], since
        of = {"z": zone.id, "after": zone.revision - most, "last": zone.revision, "since": since, "short": SHORT}
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

    def _unknown(
        self, wanted: Iterable[K], known: Mapping[K, object], nothing: K
    ) -> Iterator[tuple[list[K], dict[str, Any]]]:
        """Those not known, each once, as many at a time as a statement takes, and its binds for them.

        On PostgreSQL they are one list. Elsewhere each is a bind, and of more than eight there are a multiple of eight,
        so that the database keeps few texts; `nothing`, which fills them up, equals none of what is stored.
        """
        rest = iter([one for one in dict.fromkeys(wanted) if one not in known])
        while some := list(islice(rest, statements.AT_ONCE)):
            if self._database == "postgresql":
                yield some, {"listed": some}
                continue
            more = -len(some) % 8 if len(some) > 8 else 0
            yield some, dict(zip(statements.BINDS, [*some, *[nothing] * more], strict=False))

    def _run(self, statement: Executable, given: dict[str, Any]) -> Rows:
        try:
            return run(self._conn, statement, given)
        except DBAPIError as error:
            refuse(error)


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
