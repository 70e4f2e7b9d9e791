# SPDX-License-Identifier: Apache-2.0
"""Pages of the RRsets of a zone, of a project, or of all, where nothing filters them, and how many they are."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, select

from redesignate.model.paging import ListQuery
from redesignate.model.rrset import RRset
from redesignate.store import few
from redesignate.store.fast import at_once, run
from redesignate.store.listing import walked_by
from redesignate.store.rrset_rows import COLUMNS, ITS_ZONE, QUERY, RECORDS, as_seen
from redesignate.store.schema import rrsets, zones
from redesignate.store.unfiltered import Order, rows

AT_ONCE = 100
PAGE_OCTETS = 2 * 2**20
"""Characters of record text after which a page ends, at the next multiple of AT_ONCE."""

Rows = Sequence[Sequence[Any]]
Batch = tuple[Rows, bool]
"""Some rows of a page, and whether there may be more of it."""


_BY_IDS = QUERY.where(rrsets.c.id.in_(bindparam("ids", expanding=True)))


class Within(NamedTuple):
    """Whose list it is.

    what   "zone", "project", or "" for all
    ident  the zone's or project's id
    there  what a row and its zone must say to be in the list, as a constant; None: nothing
    """

    what: str
    ident: str | None
    there: ColumnElement[bool] | None


def unfiltered(
    conn: Connection, query: ListQuery, order: Order, within: Within, after: Mapping[str, Any] | None
) -> Generator[Batch, None, tuple[Mapping[str, Any] | None, int] | None]:
    """The rows of a page, each of `COLUMNS` and more. A query for each AT_ONCE of them.

    Returns a place, and how many rows behind it are wanted yet, where many that are not in the list may follow
    """
    left = query.limit
    listed, given = _listed(within.what, within.there, order[0].name), {"within": within.ident}
    while left:
        most = min(AT_ONCE, left)
        found = rows(conn, listed, order, query, after, most=most, given=given)
        some = [row for row in found if row[-2]]
        left -= len(some)
        more = len(found) == most and left > 0
        yield some, more
        if not more:
            return None
        after = {order[0].name: found[-1][-1], order[1].name: found[-1][0]}
        if len(some) < most:
            return after, left
    return None


def by_ids(conn: Connection, ids: Sequence[str]) -> Rows:
    """The rows of these RRsets, in no order. One query."""
    return at_once(conn, _BY_IDS, {"ids": list(ids)})


def filled(batches: Iterable[Batch]) -> tuple[tuple[RRset, ...], bool]:
    """The RRsets of a page, and whether it was cut: a thousand of the largest would be a hundred megabytes."""
    items: list[RRset] = []
    octets = 0
    for some, more in batches:
        items += as_seen(some)
        octets += sum([len(row[RECORDS]) for row in some])
        if more and octets > PAGE_OCTETS:
            return tuple(items), True
    return tuple(items), False


@cache
def _listed(within: str, there: ColumnElement[bool] | None, key: str) -> Select[Any]:
    """The RRsets come first, by the index of their order, and then the zone of each: a database that may join them as
    it likes reads every RRset for one page, where one zone is much larger than the others."""
    its_zone = zones.c.id.is_not(None)  # an import stores RRsets before it makes their zone
    shown = its_zone if there is None else and_(its_zone, there)
    listed = select(*COLUMNS, shown.label("there"), rrsets.c[key].label("place"))
    listed = listed.select_from(rrsets.outerjoin(zones, ITS_ZONE))
    if within:
        listed = listed.where(rrsets.c[f"{within}_id"] == bindparam("within"))
    return walked(listed, within, key)


def walked(listed: Select[Any], within: str, key: str) -> Select[Any]:
    """A walk of an order within a zone, a project or (empty) all, which MariaDB is told the index of."""
    return walked_by(listed, rrsets, "_".join(filter(None, ("ix_rrsets", within, key))).removesuffix("_id"))


def total(conn: Connection, within: Within) -> int:
    """The number of rows of a list whose zones are all there, at most `few.MANY`. One query."""
    return int(run(conn, _total(within.what), {"within": within.ident}).scalar_one())


@cache
def _total(within: str) -> Select[Any]:
    every = select(rrsets.c.id).limit(few.MANY)
    if within:
        every = every.where(rrsets.c[f"{within}_id"] == bindparam("within"))
    return select(func.count()).select_from(every.subquery())
