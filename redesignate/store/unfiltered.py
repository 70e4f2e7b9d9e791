# SPDX-License-Identifier: Apache-2.0
"""Pages of a list that nothing filters: most of what is asked. Their statements are built once for each order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Integer, Select, bindparam

from redesignate.model.paging import ListQuery
from redesignate.store.fast import at_once
from redesignate.store.listing import page

Order = tuple[Column[Any], Column[Any]]


def rows(
    conn: Connection,
    listed: Select[Any],
    order: Order,
    query: ListQuery,
    after: Mapping[str, Any] | None,
    *,
    most: int,
    given: dict[str, Any],
) -> Sequence[Sequence[Any]]:
    """The next rows of a list behind a place, at most so many. One query.

    listed  selects them, as a constant of its module
    given   its binds
    """
    column, ident = order
    binds, behind = given | {"most": most}, None
    if after is not None:
        binds["behind_id"] = after[ident.name]
        behind = after[column.name] is not None
        if behind:
            binds["behind"] = after[column.name]
    return at_once(conn, _page(conn.dialect.name, listed, order, query.descending, behind), binds)


@cache
def _page(dialect: str, listed: Select[Any], order: Order, descending: bool, behind: bool | None) -> Select[Any]:
    """`behind`: whether the place to go on from has a value; None: from the beginning."""
    column, ident = order
    after: dict[str, Any] | None = None
    if behind is not None:
        after = {column.name: bindparam("behind", type_=column.type) if behind else None}
        after[ident.name] = bindparam("behind_id", type_=ident.type)
    query = ListQuery(sort_key=column.name, descending=descending)
    return page(dialect, listed, order, query, after, limit=bindparam("most", type_=Integer))
