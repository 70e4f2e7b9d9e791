# SPDX-License-Identifier: Apache-2.0
"""Lists of RRsets as users see them: each with the status that its zone's confirmed revision gives it.

A filter that few RRsets match is answered from the ids of those (`store/few.py`); any other walks the list's order for
some rows, and where they do not fill the page, what matches is sorted. By status few match where few zones have changes
that are not everywhere yet: those are the zones in the outbox.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
    union_all,
)

from redesignate.model.paging import Condition, ListQuery, Op, Page
from redesignate.model.rrset import RRset
from redesignate.model.zone import Status
from redesignate.store import few
from redesignate.store.fast import run
from redesignate.store.listing import bounds, marker, matches, page, walk_end, walks, where
from redesignate.store.rrset_pages import AT_ONCE, Batch, Within, by_ids, filled, total, unfiltered, walked
from redesignate.store.rrset_rows import HANDED, ITS_ZONE, QUERY, REVISION, SOA, has_data
from redesignate.store.schema import outbox, rrset_data, rrsets, zones
from redesignate.store.sharing_schema import zone_handovers
from redesignate.store.task_schema import zone_imports

MANY_ZONES = 200
"""Changed zones whose RRsets are looked for one zone at a time."""

# COALESCE keeps SQLite from starting with the zones, which would read and sort every RRset for one page
_LIVING = func.coalesce(zones.c.deleted, "") == ""
_DATA = rrset_data.c.data
_STATUSES = frozenset(("ACTIVE", "PENDING", "ERROR"))
_FAILED = zones.c.status == Status.ERROR.value
_BEHIND = and_(zones.c.confirmed < REVISION, or_(SOA, rrsets.c.records != "[]"))
_MEANING = {"ACTIVE": ~_BEHIND, "PENDING": and_(_BEHIND, ~_FAILED), "ERROR": and_(_BEHIND, _FAILED)}
_OF_ZONE = select(zones.c.rrset_count).where(zones.c.id == bindparam("z"))
_HANDED = func.coalesce(select(zones.c.handed).where(ITS_ZONE).scalar_subquery(), -1)
_IMPORTED = and_(zone_imports.c.todo, zone_imports.c.zone_id.is_(None), zone_imports.c.stored > 0)
_LEFT_OUT = select(
    select(zones.c.id).where(zones.c.deleted_at > 0).limit(1).scalar_subquery().label("departed"),
    select(zone_handovers.c.zone_id).limit(1).scalar_subquery().label("handed"),
    select(zone_imports.c.id).where(_IMPORTED).limit(1).scalar_subquery().label("ahead"),
)
"""A zone that is deleted and not yet purged, one that is handed over, and one that is imported, where there are any."""
_AHEAD = select(rrsets.c.id).where(rrsets.c.zone_id.in_(select(zone_imports.c.target_id).where(_IMPORTED)))
"""RRsets that are stored under the id of a zone that is not there yet."""
_SETTLED = and_(_LIVING, ~HANDED)
"""In the list of a project: a row that is handed over is in no project's, until all of its zone are."""
_OF_A_DEPARTED_ZONE = zones.c.deleted_at > 0
_HANDED_OVER = and_(zones.c.id.in_(select(zone_handovers.c.zone_id)), _LIVING, HANDED)


def listed(conn: Connection, query: ListQuery, *, zone_id: str | None, project_id: str | None) -> Page[RRset]:
    """A page of one zone's RRsets, of one project's, or of all. Raises MarkerNotFound.

    Cost   1 to 10 queries, one more for each AT_ONCE of the limit. With a filter that at most `few.FEW` RRsets match
           they read what the filter's index holds of those, else what the order's index holds up to the page's end,
           and where that is more than `listing.FAR` rows on, those that match.
    """
    scope: list[ColumnElement[bool]] = []
    if zone_id is not None:
        scope.append(rrsets.c.zone_id == zone_id)
    if project_id is not None:
        scope.append(rrsets.c.project_id == project_id)
    key = "id" if zone_id is not None and query.sort_key == "zone_id" else query.sort_key  # MariaDB would sort them all
    order = (rrsets.c[key], rrsets.c.id)
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
        ids = None if self._is_part() and len(words) == len(_STATUSES) else self._few(words)
        if ids is None:
            count = self._counted(words) if self.query.count else None
            items, cut = self._page_of_many(words, count)
            return Page(items, count, cut)
        placed = select(*dict.fromkeys(self.order)).join_from(rrsets, zones, ITS_ZONE)
        chosen, count = few.in_order(
            self.conn, self._living(placed), self.order, ids, query=self.query, after=self.after
        )
        items, cut = filled(self._these(chosen))
        return Page(items, count if self.query.count else None, cut)

    def _by_status(self) -> list[Condition]:
        return [one for one in self.query.conditions if one.field == "status"]

    def _part(self) -> list[Condition]:
        """The filters that select one part of the order, which an index holds without anything between: those by its
        own column; and one type, in the order of creation, which the most ask for."""
        within = self.zone_id is not None or self.project_id is not None
        return [one for one in self.query.conditions if bounds(one, self.order[0]) or (within and self._is_type(one))]

    def _is_type(self, condition: Condition) -> bool:
        return condition.field == "type" and condition.op is Op.EQ and self.order[0] is rrsets.c.created_at

    def _is_part(self) -> bool:
        """Whether the list is one part of the order, whole."""
        return len(self._part()) == len(self.query.conditions)

    def _filters(self, *, walked: bool = False) -> list[ColumnElement[bool]]:
        """The filters but those by status. `walked`: for the walk of an order."""
        return [self._filter(one, walked=walked) for one in self.query.conditions if one.field != "status"]

    def _filter(self, condition: Condition, *, walked: bool = False) -> ColumnElement[bool]:
        if condition.field != "data":
            column = rrsets.c[condition.field]
            aside = walked and condition not in self._part()
            return where(condition, few.walked(self.conn, column, self.order[0]) if aside else column)
        if walked:
            # of one row, or MariaDB would collect all data that matches before it walks
            has = select(rrset_data.c.rrset_id).where(has_data(condition, few.aside(_DATA)))
            return has.where(rrset_data.c.rrset_id == rrsets.c.id).limit(1).scalar_subquery().is_not(None)
        return rrsets.c.id.in_(self._having(condition))

    def _having(self, data: Condition) -> Select[Any]:
        """The ids of the RRsets with such data, one for each record that has it."""
        having = select(rrset_data.c.rrset_id).where(has_data(data))
        return having if self.zone_id is None else having.where(rrset_data.c.zone_id == self.zone_id)

    def _by_data_alone(self) -> Select[Any] | None:
        """The ids of a zone's RRsets with the data asked for, where nothing else is: an index of data holds them."""
        if self.zone_id is None or [one.field for one in self.query.conditions] != ["data"]:
            return None
        return self._having(self.query.conditions[0]).distinct()

    def _data_first(self) -> Select[Any] | None:
        """The ids that the filter selects in all zones, one for each record that has the data asked for, by the index
        of data: a database that begins with the RRsets asks each of the project for its data, and SQLite collects all
        that match for one page. None: nothing to gain."""
        data = [one for one in self.query.conditions if one.field == "data"]
        if self.zone_id is not None or len(data) != 1:
            return None
        others = [one for one in self.query.conditions if one.field not in ("data", "status")]
        is_mysql = self.conn.dialect.name in ("mysql", "mariadb")
        if is_mysql:
            ident, of = rrset_data.c.rrset_id, [*self.scope, *(self._filter(one) for one in others)]
        else:  # no index of RRsets but that by id serves any of it
            ident, of = few.aside(rrset_data.c.rrset_id), [where(one, few.aside(rrsets.c[one.field])) for one in others]
            of += [] if self.project_id is None else [few.aside(rrsets.c.project_id) == self.project_id]
        ids = select(rrset_data.c.rrset_id).select_from(rrset_data.join(rrsets, rrsets.c.id == ident))
        ids = ids.where(has_data(data[0]), *of)
        return ids.prefix_with("STRAIGHT_JOIN") if is_mysql else ids

    def _there(self) -> ColumnElement[bool]:
        """What a row and its zone must say to be in a list over all zones."""
        return _LIVING if self.project_id is None else _SETTLED

    def _living(self, rows: Select[Any]) -> Select[Any]:
        return rows.where(self._there()) if self.zone_id is None else rows

    # -- a filter that few RRsets match

    def _few(self, words: Collection[str]) -> list[str] | None:
        """The ids of the RRsets that the filter selects, those of deleted zones too; None if they may be many. At
        most two queries."""
        if not words:
            return []
        if len(words) == len(_STATUSES):
            by_data = self._by_data_alone() if self.zone_id is not None else self._data_first()
            every = select(rrsets.c.id).where(*self.scope, *self._filters()) if by_data is None else by_data
            return few.found(self.conn, every)
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
        filters = self._filters()
        if self.project_id is not None:
            mine = few.aside(rrsets.c.project_id) == self.project_id  # its index would read all of it
            filters = [mine, rrsets.c.born > _HANDED, *filters]
        later = or_(*(and_(rrsets.c.zone_id == ident, rrsets.c.revision > confirmed) for ident, confirmed in zones_))
        apexes = and_(rrsets.c.zone_id.in_([ident for ident, _ in zones_]), SOA)
        query = select(rrsets.c.id).where(*filters)
        return union_all(query.where(later, ~SOA, rrsets.c.records != "[]"), query.where(apexes))

    def _these(self, ids: Sequence[str], *meant: ColumnElement[bool]) -> Iterator[Batch]:
        """The rows of RRsets, in this order; of those that meet these conditions. A query for each AT_ONCE of them."""
        for at in range(0, len(ids), AT_ONCE):
            some = ids[at : at + AT_ONCE]
            those = QUERY.where(rrsets.c.id.in_(some), *meant)
            rows = {row[0]: row for row in (self.conn.execute(those) if meant else by_ids(self.conn, some))}
            yield [rows[ident] for ident in some if ident in rows], at + AT_ONCE < len(ids)

    # -- any other list

    def _page_of_many(self, words: Collection[str], total: int | None) -> tuple[tuple[RRset, ...], bool]:
        """The page of a list that is not known to be short. Where a filter selects little of the next rows of the
        order, what it selects stands together elsewhere, and is sorted."""
        if not self.query.conditions:
            return filled(self._unfiltered())
        if "ACTIVE" in words and len(self._by_status()) == len(self.query.conditions):  # nearly all of the list
            return filled(self._paged(words))
        part = self._part()
        if walks(self.query, total, part):
            within = [*self.scope, *(self._filter(one, walked=True) for one in part)]
            places = self._in_order(select(*dict.fromkeys(self.order)).where(*within))
            end = walk_end(self.conn, places, self.order, self.query, self.after, part=part)
            items, cut = filled(self._paged(words, before=end))
            if end is None or cut or len(items) == self.query.limit:
                return items, cut
        return filled(self._paged(words, sorts=True))

    def _unfiltered(self) -> Iterator[Batch]:
        rest = yield from unfiltered(self.conn, self.query, self.order, self._within(), self.after)
        if rest is not None:
            yield from self._paged(_STATUSES, rest=rest)

    def _paged(
        self,
        words: Collection[str],
        *,
        before: Mapping[str, Any] | None = None,
        sorts: bool = False,
        rest: tuple[Mapping[str, Any] | None, int] | None = None,
    ) -> Iterator[Batch]:
        """The rows of the page, by the index of its order; `sorts`: of all that the filter selects. `rest`: from this
        place on, so many.

        In all zones of a project the ids come first, of RRsets alone: a database that may join the zones as it likes
        reads every RRset for one page, where one zone is much larger than the others. What a row's zone says is looked
        at afterwards; where that leaves the page short twice, the zones are joined.
        """
        meant = self._meant(words)
        after, left = rest or (self.after, self.query.limit)
        if self.zone_id is not None:
            yield from self._joined(meant, after, left, before, sorts=sorts)
            return
        for most in (left, few.FEW) if "ACTIVE" in words else ():
            chosen = select(*dict.fromkeys(self.order)).where(*self.scope, *self._filters(walked=not sorts))
            chosen = chosen if sorts else self._in_order(chosen)
            chosen = page(
                self.conn.dialect.name, chosen, self.order, self.query, after, limit=most, before=before, sorts=sorts
            )
            found = self.conn.execute(chosen).all()
            for some, more in self._these([row.id for row in found], self._there(), *meant):
                rows = some[:left]
                left -= len(rows)
                yield rows, left > 0 and (more or len(found) == most)
                if not left:
                    return
            if len(found) < most:
                return
            after = dict(found[-1]._mapping)
        yield from self._joined(meant, after, left, before, sorts=sorts)

    def _joined(
        self,
        meant: Sequence[ColumnElement[bool]],
        after: Mapping[str, Any] | None,
        left: int,
        before: Mapping[str, Any] | None,
        *,
        sorts: bool,
    ) -> Iterator[Batch]:
        """So many rows behind a place. A query for each AT_ONCE of them; one more where they are sorted, by id then."""
        by_data = self._by_data_alone() if sorts else None  # the zone's index of RRsets would be read, on SQLite
        chosen = (*self.scope, *self._filters(walked=not sorts), *meant)
        if by_data is not None:
            chosen = (rrsets.c.id.in_(by_data),)
        if sorts:
            ids = self._living(select(rrsets.c.id).join_from(rrsets, zones, ITS_ZONE)).where(*chosen)
            ids = page(self.conn.dialect.name, ids, self.order, self.query, after, limit=left, sorts=True)
            yield from self._these(list(self.conn.execute(ids).scalars()))
            return
        placed = QUERY.add_columns(self.order[0].label("place"))  # shown is the owner to whom it is handed over
        wanted, more = self._in_order(self._living(placed).where(*chosen)), True
        while more:
            most = min(AT_ONCE, left)
            some = page(self.conn.dialect.name, wanted, self.order, self.query, after, limit=most, before=before)
            rows = self.conn.execute(some).all()
            left -= most
            more = len(rows) == most and left > 0
            yield rows, more
            after = {self.order[0].name: rows[-1].place, self.order[1].name: rows[-1].id} if rows else None

    def _in_order(self, rows: Select[Any]) -> Select[Any]:
        within = self._within().what
        by_type = "_type" if within and any(map(self._is_type, self.query.conditions)) else ""
        return walked(rows, within + by_type, self.order[0].name)

    def _within(self) -> Within:
        if self.zone_id is not None:
            return Within("zone", self.zone_id, None)
        return Within("" if self.project_id is None else "project", self.project_id, self._there())

    def _meant(self, words: Collection[str]) -> list[ColumnElement[bool]]:
        """The status is computed, so a condition on it becomes one on revisions."""
        if len(words) == len(_STATUSES):
            return []
        meant: ColumnElement[bool] = or_(false(), *(_MEANING[word] for word in words))
        if "ACTIVE" in words or self.zone_id is not None:
            return [meant]
        return [meant, rrsets.c.zone_id.in_(select(outbox.c.zone_id))]

    def _counted(self, words: Collection[str]) -> int:
        """The number of RRsets in the list; at most few.MANY where no counter has it. Those with changes on their way
        are few, so that it is they who are counted, and subtracted where the others are wanted."""
        others = _STATUSES - set(words)
        if "ACTIVE" not in words or not others:
            return self._number(self._meant(words)) if others else self._every(without=0)
        ids = self._few(others)
        if ids is not None:
            return self._every(without=len(ids))
        changed = self._number(self._meant(others)) if self._has_counter() else few.MANY
        return self._every(without=changed) if changed < few.MANY else self._number(self._meant(words))

    def _every(self, *, without: int) -> int:
        """The number of RRsets whatever their status, besides so many of them."""
        if self._has_counter():
            return int(run(self.conn, _OF_ZONE, {"z": self.zone_id}).scalar() or 0) - without
        if not self.query.conditions and all(one is None for one in run(self.conn, _LEFT_OUT, {})[0]):
            return total(self.conn, self._within())
        by_data = self._by_data_alone()
        if by_data is not None:
            return few.counted(self.conn, by_data, without=without)
        return self._number((), without=without)

    def _has_counter(self) -> bool:
        return self.zone_id is not None and len(self._by_status()) == len(self.query.conditions)

    def _number(self, meant: Sequence[ColumnElement[bool]], *, without: int = 0) -> int:
        """The number of RRsets that the filter selects and of which this is true as well, at most few.MANY, besides
        so many of them. Zones deleted and not yet purged are few: theirs are counted and subtracted, so that the count
        of the rest needs an index of RRsets alone."""
        scope = (*self.scope, *self._filters(), *meant)
        ids: Select[Any] = select(rrsets.c.id)
        with_zones = ids.join_from(rrsets, zones, ITS_ZONE).where(*scope)
        for left_out in self._left_out(with_zones, None if meant else _AHEAD.where(*scope)):
            departed = few.counted(self.conn, left_out)
            if departed >= few.MANY:
                return few.counted(self.conn, with_zones.where(self._there()), without=without)
            without += departed
        # PostgreSQL would read all that match before it counted them
        by_data = None if meant or self.conn.dialect.name == "postgresql" else self._data_first()
        chosen = (with_zones if meant else ids.where(*scope)) if by_data is None else by_data.distinct()
        return few.counted(self.conn, chosen, without=without)

    def _left_out(self, with_zones: Select[Any], ahead: Select[Any] | None) -> Iterator[Select[Any]]:
        """The RRsets that are in the index of a list and not in the list. At most one query.

        with_zones ahead   those that the filter selects, of zones, and of zones that are not there yet, if counted
        """
        if self.zone_id is not None:
            return
        for departed, handed, imported in run(self.conn, _LEFT_OUT, {}):
            if departed is not None:
                yield with_zones.where(_OF_A_DEPARTED_ZONE)
            if handed is not None and self.project_id is not None:
                yield with_zones.where(_HANDED_OVER)
            if imported is not None and ahead is not None:
                yield ahead
