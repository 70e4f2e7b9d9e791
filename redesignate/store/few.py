# SPDX-License-Identifier: Apache-2.0
"""Lists that a filter makes short: the ids of all that match are read first, by the filter's own index; then there is
no need to walk the list's order past everything that does not match, nor to count.

No database chooses well between the two ways: SQLite keeps no statistics, and those of the others know nothing of how
a filter and an order meet. So the number of matches decides, at most FEW of which are read to know it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, CompoundSelect, Connection, Select, func, select

from redesignate.model.paging import ListQuery

FEW = 1000
"""Matches that are sorted here."""
MANY = 10_000
"""Matches that are counted: the total of a list without a counter is at most this."""


def found(conn: Connection, matching: Select[Any] | CompoundSelect[Any]) -> list[str] | None:
    """The ids that match, each once; None: the query has more than FEW rows. One query, of ids alone: the filter's
    index holds all that it reads."""
    ids = [row[0] for row in conn.execute(matching.limit(FEW + 1))]
    return None if len(ids) > FEW else list(dict.fromkeys(ids))


def counted(conn: Connection, matching: Select[Any], *, without: int = 0) -> int:
    """How many rows match, at most MANY, besides so many that are not shown. One query, which reads no more than that
    many matches."""
    found = select(func.count()).select_from(matching.limit(MANY + without).subquery())
    return int(conn.execute(found).scalar_one()) - without


def in_order(
    conn: Connection,
    placed: Select[Any],
    order: Sequence[Column[Any]],
    ids: Sequence[str],
    *,
    query: ListQuery,
    after: Mapping[str, Any] | None,
) -> tuple[list[str], int]:
    """The ids of a page, in the order (column, id), and how many rows the whole list has. One query, none without ids.

    placed  selects the columns of the order, of the rows that may be in the list whatever it is filtered by
    after   the place of the marker, which need not be among the ids
    """
    if not ids:
        return [], 0
    column, ident = order
    nulls_last = conn.dialect.name == "postgresql"

    rows = conn.execute(placed.where(ident.in_(ids)))
    places = sorted([place(row[0], row[-1], nulls_last=nulls_last) for row in rows], reverse=query.descending)
    total = len(places)
    if after is not None:
        marker = place(after[column.name], after[ident.name], nulls_last=nulls_last)
        places = [one for one in places if (one < marker if query.descending else one > marker)]
    return [one[-1] for one in places[: query.limit]], total


def place(value: Any, ident: str, *, nulls_last: bool) -> tuple[Any, ...]:
    """What sorts as the database does, of a row's value and id."""
    last_of_all = (value is None) is nulls_last
    return (last_of_all, ident) if value is None else (last_of_all, value, ident)


def walked(conn: Connection, column: Column[Any], order: Column[Any]) -> Any:
    """The column in a filter that many rows match: SQLite, which prefers any other index to that of the order, is to
    walk the order and not to sort all matches."""
    return column if conn.dialect.name != "sqlite" or column is order else aside(column)


def aside(column: Column[Any]) -> Any:
    """The column's value for a condition that no index of it is to serve; NULL meets none, as ever."""
    return func.coalesce(column, column, type_=column.type)
