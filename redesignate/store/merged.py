# SPDX-License-Identifier: Apache-2.0
"""One list of the rows of several: each is asked for a page by an index of its own, and the pages are merged.

An OR over two owners would have no index: every database would read and sort all that either of them has.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Connection

from redesignate.model.paging import ListQuery, Page
from redesignate.store import few

T = TypeVar("T")


def merged(conn: Connection, query: ListQuery, pages: Sequence[Page[T]]) -> Page[T]:
    """The page that the lists have together, of the same page of each; an item that is in several is there once.

    Items have the members `id` and `query.sort_key`. The total is at most `few.MANY`.
    """
    nulls_last = conn.dialect.name == "postgresql"
    key, ident = attrgetter(query.sort_key), attrgetter("id")

    def place(item: T) -> tuple[Any, ...]:
        value = key(item)
        return few.place(value.value if isinstance(value, Enum) else value, ident(item), nulls_last=nulls_last)

    once = {ident(item): item for page in pages for item in page.items}
    items = sorted(once.values(), key=place, reverse=query.descending)
    total = None if not query.count else min(few.MANY, sum(page.total or 0 for page in pages))
    return Page(tuple(items[: query.limit]), total)
