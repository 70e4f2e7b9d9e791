# SPDX-License-Identifier: Apache-2.0
"""Lists of RRsets as users see them: each with the status that its zone's confirmed revision gives it.

A filter that few RRsets match is answered from the ids of those (`store/few.py`); any other walks the list's order. By
status few match where few zones have changes that are not everywhere yet: those are the zones in the outbox.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    or_,
    select,
    union_all,
)

from redesignate.model.paging import Condition, ListQuery, Page
from redesignate.model.rrset import Held, RRset, seen
from redesignate.model.zone import Status
from redesignate.store import few
from redesignate.store.fast import run
from redesignate.store.listing import marker, matches, page, where
from redesignate.store.schema import DATA_PREFIX, outbox, rrset_data, rrsets, zones

AT_ONCE = 100
PAGE_OCTETS = 2 * 2**20
"""Characters of record text after which a page ends, at the next multiple of AT_ONCE."""
MANY_ZONES = 200
"""Changed zones whose RRsets are looked for one zone at a time."""

_SOA = rrsets.c.type == "SOA"
_REVISION = case((_SOA, zones.c.revision), else_=rrsets.c.revision)
COLUMNS = (
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
"""What `as_seen` reads by position: an RRset without its RRs, and then its zone."""
_ZONE_ID, _RECORDS, _ZONE = 1, 6, 15
Rows = Sequence[Sequence[Any]]
Batch = tuple[Rows, bool]
"""Some rows of a page, and whether there may be more of it."""
_ITS_ZONE = rrsets.c.zone_id == zones.c.id
QUERY = select(*COLUMNS).join_from(rrsets, zones, _ITS_ZONE)

_decode_records = msgspec.json.Decoder(tuple[str, ...]).decode
# COALESCE keeps SQLite from starting with the zones, which would read and sort every RRset for one page
_LIVING = func.coalesce(zones.c.deleted, "") == ""


_STATUSES = frozenset(("ACTIVE", "PENDING", "ERROR"))
_FAILED = zones.c.status == Status.ERROR.value
_BEHIND = and_(zones.c.confirmed < _REVISION, or_(_SOA, rrsets.c.records != "[]"))
_MEANING = {"ACTIVE": ~_BEHIND, "PENDING": and_(_BEHIND, ~_FAILED), "ERROR": and_(_BEHIND, _FAILED)}
_OF_ZONE = select(zones.c.rrset_count).where(zones.c.id == bindparam("z"))
_A_DEPARTED_ZONE = select(zones.c.id).where(zones.c.deleted_at > 0).limit(1)


def listed(conn: Connection, query: ListQuery, *, zone_id: str | None, project_id: str | None) -> Page[RRset]:
    """A page of one zone's RRsets, of one project's, or of all. Raises MarkerNotFound.

    Cost   1 to 6 queries, one more for each AT_ONCE of the limit. With a filter that at most `few.FEW` RRsets match
           they read what the filter's index holds of those, else what the order's index holds up to the page's end.
    """
    scope: list[ColumnElement[bool]] = []
    if zone_id is not None:
        scope.append(rrsets.c.zone_id == zone_id)
    if project_id is not None:
        scope.append(rrsets.c.project_id == project_id)
    order = (rrsets.c[query.sort_key], rrsets.c.id)
    after = None if query.marker is None else marker(conn, query.marker, order, scope)
    return _Asked(conn, query, zone_id, project_id, tuple(scope), order, after).answer()


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question for a page.

    scope  the RRsets that are in the list whatever it is filtered by; those of deleted zones are left out besides
    after  the place of the marker
    """

    conn: Connection
    query: ListQuery
    zone_id: str | None
    project_id: str | None
    scope: tuple[ColumnElement[bool], ...]
    order: tuple[Column[Any], Column[Any]]
    after: Mapping[str, Any] | None

    def answer(self) -> Page[RRset]:
        words = {word for word in _STATUSES if all(matches(one, word) for one in self._by_status())}
        ids = self._few(words) if self.query.conditions else None
        if ids is None:
            items, cut = _filled(self._walked(words))
            total = self._counted(words) if self.query.count else None
        else:
            placed = select(*dict.fromkeys(self.order)).join_from(rrsets, zones, _ITS_ZONE)
            chosen, total = few.in_order(
                self.conn, self._living(placed), self.order, ids, query=self.query, after=self.after
            )
            items, cut = _filled(self._these(chosen))
        return Page(items, total if self.query.count else None, cut)

    def _by_status(self) -> list[Condition]:
        return [one for one in self.query.conditions if one.field == "status"]

    def _filters(self, *, walked: bool = False) -> list[ColumnElement[bool]]:
        """The filters but those by status. `walked`: for the walk of an order."""
        return [self._filter(one, walked=walked) for one in self.query.conditions if one.field != "status"]

    def _filter(self, condition: Condition, *, walked: bool) -> ColumnElement[bool]:
        if condition.field != "data":
            column = rrsets.c[condition.field]
            return where(condition, few.walked(self.conn, column, self.order[0]) if walked else column)
        data = Condition("data", condition.op, condition.value[:DATA_PREFIX], condition.upper)
        meant = where(data, rrset_data.c.data)
        if walked:
            return exists().where(rrset_data.c.rrset_id == rrsets.c.id, meant)
        having = select(rrset_data.c.rrset_id).where(meant)
        if self.zone_id is not None:
            having = having.where(rrset_data.c.zone_id == self.zone_id)
        return rrsets.c.id.in_(having)

    def _living(self, rows: Select[Any]) -> Select[Any]:
        return rows.where(_LIVING) if self.zone_id is None else rows

    # -- a filter that few RRsets match

    def _few(self, words: Collection[str]) -> list[str] | None:
        """The ids of the RRsets that the filter selects, those of deleted zones too; None if they may be many. At
        most two queries."""
        if not words:
            return []
        if len(words) == len(_STATUSES):
            return few.found(self.conn, select(rrsets.c.id).where(*self.scope, *self._filters()))
        changed = None if "ACTIVE" in words else self._changed_zones(words)
        if changed is None:
            return None
        return few.found(self.conn, self._changed(changed)) if changed else []

    def _changed_zones(self, words: Collection[str]) -> list[tuple[str, int]] | None:
        """Id and confirmed revision of the zones with changes that not all peers confirmed: each has a row in the
        outbox, and it has failed or not, as these words say. None if they are many. One query."""
        query = select(zones.c.id, zones.c.confirmed).where(zones.c.confirmed < zones.c.revision, _LIVING)
        if len(words) == 1:
            query = query.where(_FAILED if "ERROR" in words else ~_FAILED)
        if self.zone_id is not None:
            query = query.where(zones.c.id == self.zone_id)
        else:
            query = query.where(zones.c.id.in_(select(outbox.c.zone_id)))
        found = [(row[0], row[1]) for row in self.conn.execute(query.limit(MANY_ZONES + 1))]
        return None if len(found) > MANY_ZONES else found

    def _changed(self, zones_: Sequence[tuple[str, int]]) -> CompoundSelect[Any]:
        """The RRsets of these zones that were changed after a revision, in the index of revisions, and each SOA."""
        project = func.coalesce(rrsets.c.project_id, "")  # not by the project's index, which would read all of it
        filters = self._filters() if self.project_id is None else [project == self.project_id, *self._filters()]
        later = or_(*(and_(rrsets.c.zone_id == ident, rrsets.c.revision > confirmed) for ident, confirmed in zones_))
        apexes = and_(rrsets.c.zone_id.in_([ident for ident, _ in zones_]), _SOA)
        query = select(rrsets.c.id).where(*filters)
        return union_all(query.where(later, ~_SOA, rrsets.c.records != "[]"), query.where(apexes))

    def _these(self, ids: Sequence[str]) -> Iterator[Batch]:
        """The rows of RRsets, in this order. A query for each AT_ONCE of them."""
        for at in range(0, len(ids), AT_ONCE):
            some = ids[at : at + AT_ONCE]
            rows = {row[0]: row for row in self.conn.execute(QUERY.where(rrsets.c.id.in_(some)))}
            yield [rows[ident] for ident in some], at + AT_ONCE < len(ids)

    # -- any other list

    def _walked(self, words: Collection[str]) -> Iterator[Batch]:
        """The rows of the page, by the index of its order. A query for each AT_ONCE of them."""
        wanted = self._living(QUERY).where(*self.scope, *self._filters(walked=True), *self._meant(words))
        after, left, more = self.after, self.query.limit, True
        while more:
            most = min(AT_ONCE, left)
            chosen = page(self.conn, wanted, self.order, descending=self.query.descending, limit=most, after=after)
            rows = self.conn.execute(chosen).all()
            left -= most
            more = len(rows) == most and left > 0
            yield rows, more
            after = dict(rows[-1]._mapping) if rows else None

    def _meant(self, words: Collection[str]) -> list[ColumnElement[bool]]:
        """The status is computed, so a condition on it becomes one on revisions."""
        if len(words) == len(_STATUSES):
            return []
        meant: ColumnElement[bool] = or_(false(), *(_MEANING[word] for word in words))
        if "ACTIVE" in words or self.zone_id is not None:
            return [meant]
        return [meant, rrsets.c.zone_id.in_(select(outbox.c.zone_id))]

    def _counted(self, words: Collection[str]) -> int:
        """The number of RRsets in the list. Those with changes on their way are few, so that it is they who are
        counted, and subtracted where the others are wanted."""
        if "ACTIVE" not in words:
            return self._number(self._meant(words))
        others = _STATUSES - set(words)
        ids = self._few(others)
        return self._every() - (self._number(self._meant(others)) if ids is None else len(ids))

    def _every(self) -> int:
        """The number of RRsets whatever their status."""
        if self.zone_id is not None and len(self._by_status()) == len(self.query.conditions):
            return int(run(self.conn, _OF_ZONE, {"z": self.zone_id}).scalar() or 0)
        return self._number(())

    def _number(self, meant: Sequence[ColumnElement[bool]]) -> int:
        """The number of RRsets that the filter selects and of which this is true as well. Zones deleted and not yet
        purged are few: theirs are counted and subtracted, so that the count of the rest needs an index of RRsets
        alone."""
        scope = (*self.scope, *self._filters(), *meant)
        counting: Select[Any] = select(func.count()).select_from(rrsets)
        with_zones = counting.join(zones, _ITS_ZONE)
        every = int(self.conn.execute((with_zones if meant else counting).where(*scope)).scalar_one())
        if self.zone_id is not None or run(self.conn, _A_DEPARTED_ZONE, {}).first() is None:
            return every
        return every - int(self.conn.execute(with_zones.where(*scope, zones.c.deleted_at > 0)).scalar_one())


def _filled(batches: Iterable[Batch]) -> tuple[tuple[RRset, ...], bool]:
    """The RRsets of a page, and whether it was cut: a thousand of the largest would be a hundred megabytes."""
    items: list[RRset] = []
    octets = 0
    for rows, more in batches:
        items += as_seen(rows)
        octets += sum([len(row[_RECORDS]) for row in rows])
        if more and octets > PAGE_OCTETS:
            return tuple(items), True
    return tuple(items), False


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


def as_seen(rows: Sequence[Sequence[Any]]) -> list[RRset]:
    """The RRsets of one query's rows, each of `COLUMNS`. Cost: three microseconds each; a page may hold a thousand."""
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
