# SPDX-License-Identifier: Apache-2.0
"""Lists of zones: those that a project owns, by the index of their order, and those that are shared with it, by an
index of their shares; filtered, or in an order that shares have no index of, all of these are read and sorted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
)

from redesignate.model.names import reverse_key
from redesignate.model.paging import Condition, ListQuery, Op, Page
from redesignate.model.zone import Zone, ZoneType
from redesignate.store import few, listing, unfiltered
from redesignate.store.fast import run
from redesignate.store.listing import following, where
from redesignate.store.merged import merged
from redesignate.store.schema import zones
from redesignate.store.settings_schema import usage
from redesignate.store.sharing_schema import zone_shares

_SHARED = select(zone_shares.c.id).where(zone_shares.c.target_project_id == bindparam("p")).limit(literal_column("1"))
_HELD = select(usage.c.zones).where(usage.c.project_id == bindparam("p"))
_STANDING = select(_SHARED.scalar_subquery().label("shared"), _HELD.scalar_subquery().label("held"))
"""Whether zones are shared with a project, and how many are its own, which a counter has."""
_LIVE = select(zones).where(zones.c.deleted == "")
_OF_PROJECT = _LIVE.where(zones.c.project_id == bindparam("p"))
_IS_CATALOG = zones.c.type == ZoneType.CATALOG.value
_OF_USERS = _LIVE.where(~_IS_CATALOG)
_HAS_UNPLACED = (
    select(zone_shares.c.id)
    .where(zone_shares.c.target_project_id == bindparam("p"), zone_shares.c.zone_created_at == literal_column("0"))
    .limit(literal_column("1"))
)
_PLACES = {
    "created_at": zone_shares.c.zone_created_at,
    "name": zone_shares.c.zone_name,
    "id": zone_shares.c.zone_id,
}
"""The orders that shares have an index of."""
# In a form that no index of zones serves: they are found by id, from the shares.
_IS_LIVE = func.coalesce(zones.c.deleted, "") == ""


def listed(
    conn: Connection, query: ListQuery, item: Callable[[Sequence[Any]], Zone], *, project_id: str | None, catalogs: bool
) -> Page[Zone]:
    """A page of the live zones of one project and of those shared with it, or of all, each as `item` makes it.

    Raises MarkerNotFound.
    Cost   1 to 4 queries; one more for a project, and four more where zones are shared with it. Nothing is counted of
           a project's own zones that nothing filters
    """
    if project_id is None:
        return _owned(conn, query, item, None, None, catalogs=catalogs)
    (found,) = run(conn, _STANDING, {"p": project_id})
    held = found.held or 0
    if found.shared is None:
        return _owned(conn, query, item, project_id, None, held=held)
    order = (zones.c[query.sort_key], zones.c.id)
    after = None if query.marker is None else _place_of(conn, query.marker, order, project_id)
    own = _owned(conn, query, item, project_id, after, held=held)
    walks = not query.conditions and query.sort_key in _PLACES and not run(conn, _HAS_UNPLACED, {"p": project_id})
    shared = (_walked if walks else _shared)(conn, query, project_id, after)
    return merged(conn, query, (own, Page(tuple(map(item, shared.items)), shared.total)))


def _owned(
    conn: Connection,
    query: ListQuery,
    item: Callable[[Sequence[Any]], Zone],
    project_id: str | None,
    after: Mapping[str, Any] | None,
    *,
    catalogs: bool = False,
    held: int = 0,
) -> Page[Zone]:
    """The zones that a project owns, `held` in number, or all. `after`: the marker's place, where that need not be one
    of them."""
    seen: list[ColumnElement[bool]] = [zones.c.deleted == ""]
    if project_id is not None:
        seen.append(zones.c.project_id == project_id)
    hidden = None if catalogs or project_id is not None else _IS_CATALOG  # they are of no project
    if not query.conditions:
        return _unfiltered(conn, query, item, project_id, after, seen=seen, hidden=hidden, held=held)
    sought: list[ColumnElement[bool]] = []
    if any(_suffix(one) is not None for one in query.conditions):  # few zones are below a name
        sought.append(_IS_LIVE)
        if project_id is not None:
            sought.append(few.aside(zones.c.project_id) == project_id)
    return listing.listed(conn, zones, query, item, seen=seen, hidden=hidden, sought=sought, means=_where, after=after)


def _unfiltered(
    conn: Connection,
    query: ListQuery,
    item: Callable[[Sequence[Any]], Zone],
    project_id: str | None,
    after: Mapping[str, Any] | None,
    *,
    seen: Sequence[ColumnElement[bool]],
    hidden: ColumnElement[bool] | None,
    held: int,
) -> Page[Zone]:
    """As `_owned`, of all zones. One query, one more with a marker; two more to count those of all projects."""
    order = (zones.c[query.sort_key], zones.c.id)
    if after is None and query.marker is not None:
        after = listing.marker(conn, query.marker, order, seen if hidden is None else [*seen, ~hidden])
    total = None
    if query.count:
        total = held if project_id is not None else listing.count(conn, select(zones.c.id).where(*seen), hidden)
    rows = _OF_PROJECT if project_id is not None else _LIVE if hidden is None else _OF_USERS
    found = unfiltered.rows(conn, rows, order, query, after, most=query.limit, given={"p": project_id})
    return Page(tuple(map(item, found)), total)


def _place_of(
    conn: Connection, marker_id: str, order: tuple[Column[Any], Column[Any]], project_id: str
) -> Mapping[str, Any]:
    """The place of a zone that is the project's or shared with it. Raises MarkerNotFound. One query."""
    shared = select(zone_shares.c.zone_id).where(
        zone_shares.c.zone_id == marker_id, zone_shares.c.target_project_id == project_id
    )
    return listing.marker(conn, marker_id, order, [_IS_LIVE, or_(zones.c.project_id == project_id, shared.exists())])


def _walked(conn: Connection, query: ListQuery, project_id: str, after: Mapping[str, Any] | None) -> Page[Row[Any]]:
    """The zones that are shared with a project, in an order that shares have an index of: a zone that is on its way out
    has none. Three queries, of a page."""
    theirs = select(zone_shares.c.zone_id).where(zone_shares.c.target_project_id == project_id)
    order = (_PLACES[query.sort_key], zone_shares.c.zone_id)
    place = None if after is None else {order[0].name: after[query.sort_key], order[1].name: after["id"]}
    total = few.counted(conn, theirs) if query.count else None
    ids = conn.execute(listing.page(conn.dialect.name, theirs, order, query, place)).scalars()
    return Page(tuple(listing.these(conn, zones, list(ids))), total)


def _shared(conn: Connection, query: ListQuery, project_id: str, after: Mapping[str, Any] | None) -> Page[Row[Any]]:
    """The zones that are shared with a project, in any order and filtered.

    Cost   three queries, two of which read every share with the project and look at its zone, to sort them: these have
           no order of their own, which each change of a zone would have to write
    """
    order = (zones.c[query.sort_key], zones.c.id)
    meant = [_where(one, zones.c[one.field]) for one in query.conditions]
    both = _IS_LIVE, zone_shares.c.target_project_id == project_id, *meant
    chosen = select(zones.c.id).join_from(zone_shares, zones, zones.c.id == zone_shares.c.zone_id).where(*both)
    total = few.counted(conn, chosen) if query.count else None
    ids = conn.execute(listing.page(conn.dialect.name, chosen, order, query, after, sorts=True)).scalars()
    return Page(tuple(listing.these(conn, zones, list(ids))), total)


def _below(name: str) -> ColumnElement[bool]:
    """Names strictly under `name`: one range of the reversed names, which end in a dot as all names do."""
    limits = limits_below(name)
    return and_(zones.c.reverse_key > limits["low"], zones.c.reverse_key < limits["high"])


def limits_below(name: str) -> dict[str, str]:
    """The range of the reversed names below a name: `low` and `high`, both excluded."""
    key = reverse_key(name)
    return {"low": key, "high": following(key)}


def _where(condition: Condition, column: ColumnElement[Any]) -> ColumnElement[bool]:
    """The usual condition, but "*.example.org." is a range of the reversed names."""
    suffix = _suffix(condition)
    return where(condition, column) if suffix is None else _below(suffix)


def _suffix(condition: Condition) -> str | None:
    """The name below which a filter wants zones, if that is all that it says."""
    suffix = condition.value[2:]
    whole = condition.value.startswith("*.") and suffix.endswith(".") and not suffix.startswith(".")
    if condition.field == "name" and condition.op is Op.LIKE and whole and not {"*", "\\", "\0"} & set(suffix):
        return suffix
    return None
