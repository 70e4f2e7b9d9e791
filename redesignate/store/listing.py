# SPDX-License-Identifier: Apache-2.0
"""Typed conditions and keyset pages as SQL. An index finds each page: the last costs as much as the first.

The order is (column, id), both in one direction. NULLs sort where the database's index has them (first in SQLite
and MySQL, last in PostgreSQL), so that the order needs no sort; a marker works either way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    tuple_,
)
from sqlalchemy.types import Integer

from redesignate.model.errors import MarkerNotFound
from redesignate.model.paging import Condition, ListQuery, Op, Page
from redesignate.store import few

T = TypeVar("T")
_LONGEST = 1000
"""Characters; no column that is searched by a pattern holds as many."""
FAR = 3000
"""Rows of an order that are walked for a page of what a filter selects, before all that it selects is sorted."""
_WIDEST = 2**63 - 1
"""A value that every database can compare with; no column holds it."""


def where(condition: Condition, column: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition on a column. On a numeric column a text that is not a number matches no row."""
    low: Any = condition.value
    high: Any = condition.upper
    if "\0" in f"{low}{high}":  # PostgreSQL cannot compare with it, and no column holds it
        return column.is_not(None) if condition.op in (Op.NE, Op.GT, Op.GE) else false()
    if isinstance(column.type, Integer):
        low, high = _number(condition.value), _number(condition.upper)
        if low is None or (condition.op is Op.BETWEEN and high is None):
            return false()
        low, high = (literal(number, BigInteger) for number in (low, high))  # PostgreSQL accepts no more for an INTEGER
    elif condition.op is Op.LIKE:
        return like(column, condition.value)
    compared: ColumnElement[bool] = _compare(condition.op, column, low, high)
    return compared


def like(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """`*` stands for any run of characters. The text before the first `*` becomes a range, which an index serves."""
    parts = pattern.split("*")
    if len(parts) == 1:
        return column == pattern
    if sum(map(len, parts)) > _LONGEST:  # SQLite refuses a pattern of 50,000 octets
        return false()
    pattern = "*".join([parts[0], *filter(None, parts[1:-1]), parts[-1]])
    prefix, _, rest = pattern.partition("*")
    in_range = _beginning(column, prefix)
    if rest == "":
        return in_range
    # "!" as the escape character means the same to all three databases; a backslash does not
    escaped = pattern.replace("!", "!!").replace("%", "!%").replace("_", "!_").replace("*", "%")
    return and_(in_range, column.like(escaped, escape="!"))


def _beginning(column: ColumnElement[Any], prefix: str) -> ColumnElement[bool]:
    """The column's text begins with `prefix`: a range, which an index serves."""
    if not prefix:
        return column.is_not(None)
    end = following(prefix)
    return and_(column >= prefix, column < end) if end else column >= prefix


def following(prefix: str) -> str:
    """The least text that sorts after every text with this prefix, by octets; empty if there is none."""
    while prefix and prefix[-1] == "\U0010ffff":
        prefix = prefix[:-1]
    if not prefix:
        return ""
    after = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(0xE000 if after == 0xD800 else after)  # no text holds surrogates


def matches(condition: Condition, text: str) -> bool:  # noqa: PLR0911  # one arm an operator
    """Whether a text meets the condition, for a value that is computed and not stored."""
    low, high = condition.value, condition.upper or ""
    match condition.op:
        case Op.EQ:
            return text == low
        case Op.NE:
            return text != low
        case Op.LT:
            return text < low
        case Op.LE:
            return text <= low
        case Op.GT:
            return text > low
        case Op.GE:
            return text >= low
        case Op.BETWEEN:
            return low <= text <= high
        case Op.LIKE:
            return _fits(low, text)


def _fits(pattern: str, text: str) -> bool:
    """Whether the whole text matches a pattern with `*` in it.

    Not by a regular expression: that tries every way to share the text among the stars, which sixty of them make last
    for ever.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *between, last = rest
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in between:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def listed(
    conn: Connection,
    table: Table,
    query: ListQuery,
    item: Callable[[Row[Any]], T],
    *,
    seen: Sequence[ColumnElement[bool]] = (),
    hidden: ColumnElement[bool] | None = None,
    sought: Sequence[ColumnElement[bool]] = (),
    means: Callable[[Condition, ColumnElement[Any]], ColumnElement[bool]] | None = None,
    after: Mapping[str, Any] | None = None,
) -> Page[T]:
    """A page of a table's rows, each as `item` makes it. Raises MarkerNotFound. 1 to 4 queries.

    seen    the rows that are in the list whatever it is filtered by
    hidden  the few of them that are not, after all: they are counted by themselves, so that the count of the others
            needs no more than an index
    sought  as `seen`, in words that no index serves, so that the filter's own does; empty: as `seen`
    means   the meaning of a filter on a column, where it is more than a condition
    after   the place of the marker, where it may be of another list that is merged with this one
    """
    meant = means or where
    order = (table.c[query.sort_key], table.c.id)
    shown = seen if hidden is None else (*seen, ~hidden)
    # a marker that has left the selection since (its status changed) keeps its place in the order
    if after is None and query.marker is not None:
        after = marker(conn, query.marker, order, shown)
    chosen = [*(sought or seen), *(meant(one, table.c[one.field]) for one in query.conditions)]
    part = [one for one in query.conditions if bounds(one, order[0])]
    is_walk = len(part) == len(query.conditions)
    ids = None if is_walk else few.found(conn, select(table.c.id).where(*chosen))
    if ids is not None:
        placed = select(*dict.fromkeys(order)).where(*shown)
        page_ids, number = few.in_order(conn, placed, order, ids, query=query, after=after)
        return Page(tuple(map(item, these(conn, table, page_ids))), number if query.count else None)
    total = count(conn, select(table.c.id).where(*chosen), hidden) if query.count else None
    if walks(query, total, part):
        places = select(*dict.fromkeys(order)).where(*seen, *(where(one, order[0]) for one in part))
        end = walk_end(conn, places, order, query, after, part=part)
        walked = (meant(one, few.walked(conn, table.c[one.field], order[0])) for one in query.conditions)
        found = conn.execute(
            page(conn.dialect.name, select(table).where(*shown, *walked), order, query, after, before=end)
        ).all()
        if end is None or len(found) == query.limit:
            return Page(tuple(map(item, found)), total)
    chosen_ids = select(table.c.id).where(*chosen, *([] if hidden is None else [~hidden]))
    ids = list(conn.execute(page(conn.dialect.name, chosen_ids, order, query, after, sorts=True)).scalars())
    return Page(tuple(map(item, these(conn, table, ids))), total)


def count(conn: Connection, every: Select[Any], hidden: ColumnElement[bool] | None) -> int:
    """How many rows these are without the `hidden`, at most `few.MANY`. One query, two where some may be hidden."""
    not_shown = 0 if hidden is None else few.counted(conn, every.where(hidden))
    return few.counted(conn, every, without=not_shown)


def these(conn: Connection, table: Table, ids: Sequence[str]) -> list[Row[Any]]:
    """Return the rows of these ids, in their order. One query, none without ids."""
    rows = {row.id: row for row in conn.execute(select(table).where(table.c.id.in_(ids)))} if ids else {}
    return [rows[ident] for ident in ids]


def marker(
    conn: Connection, ident: str, order: Sequence[Column[Any]], seen: Sequence[ColumnElement[bool]]
) -> Mapping[str, Any]:
    """The place of the marker's row in the order. Raises MarkerNotFound. One query."""
    found = conn.execute(select(*dict.fromkeys(order)).where(*seen, order[1] == ident)).first()
    if found is None:
        raise MarkerNotFound(f"Marker {ident} could not be found")
    return dict(found._mapping)


def bounds(condition: Condition, column: Column[Any]) -> bool:
    """Whether what the condition selects is one part of the order by this column, with nothing else between: a walk
    then begins and ends with it."""
    if condition.field != column.name or condition.op is Op.NE:
        return False
    return condition.op is not Op.LIKE or condition.value.find("*") in (-1, len(condition.value) - 1)


def walks(query: ListQuery, total: int | None, part: Sequence[Condition] = ()) -> bool:
    """Whether a page of so many matches (None: not counted) is looked for in the order's index first.

    part  those conditions that are one part of that index
    """
    return len(part) == len(query.conditions) or total is None or total > FAR


def walk_end(
    conn: Connection,
    places: Select[Any],
    order: Sequence[Column[Any]],
    query: ListQuery,
    after: Mapping[str, Any] | None,
    *,
    part: Sequence[Condition] = (),
) -> Mapping[str, Any] | None:
    """The place at which a walk for what a filter selects ends: FAR rows on from `after`; None: with the list.

    places  selects the columns of the order, of the rows of the part of the list that is walked. One query, of the
            order's index alone, if there is another filter
    part    the conditions that say which part that is
    """
    if len(part) == len(query.conditions):
        return None
    found = conn.execute(page(conn.dialect.name, places, order, query, after, limit=1).offset(FAR)).first()
    return None if found is None else dict(found._mapping)


def walked_by(rows: Select[Any], table: Table, index: str) -> Select[Any]:
    """The walk of an order, by this index if there is one: MariaDB would take a shorter one, and sort or pass over the
    rest, where it believes a zone's or a project's rows to be few, or nearly all."""
    if index in {one.name for one in table.indexes}:
        for dialect in ("mysql", "mariadb"):
            rows = rows.with_hint(table, f"FORCE INDEX ({index})", dialect)
    return rows


def page(
    dialect: str,
    chosen: Select[Any],
    order: Sequence[Column[Any]],
    query: ListQuery,
    after: Mapping[str, Any] | None,
    *,
    limit: Any = None,
    before: Mapping[str, Any] | None = None,
    sorts: bool = False,
) -> Select[Any]:
    """`chosen` in the order of `order` (column, id), from the row after `after`, at most `limit` rows (None: a page).

    limit   a number, or the bind that is given one
    before  no row at or behind this place
    sorts   all that is chosen is read and sorted, rather than the order's index walked
    """
    column, ident = order
    key = func.coalesce(column, column, type_=column.type) if sorts else column
    fixed = {one.value for one in query.conditions if one.field == column.name and one.op is Op.EQ}
    for place, descending in ((after, query.descending), (before, not query.descending)):
        if place is None:
            continue
        at = place[column.name], place[ident.name]
        if fixed == {str(at[0])}:  # SQLite would take the comparison of pairs for one of ids, and walk past all others
            chosen = chosen.where(ident < at[1] if descending else ident > at[1])
        else:
            behind = _behind(dialect, key, ident, at, nullable=bool(column.nullable), descending=descending)
            chosen = chosen.where(behind)
    by: Sequence[Any] = (key.desc(), ident.desc()) if query.descending else (key, ident)
    if _is_mysql(dialect) and (fixed or (query.descending and after is not None and after[column.name] is None)):
        by = by[1:]  # all has the same value, or all that is left has none: MariaDB would sort it all the same
    return chosen.order_by(*by).limit(query.limit if limit is None else limit)


def _is_mysql(dialect: str) -> bool:
    return dialect in ("mysql", "mariadb")


def _behind(
    dialect: str, column: Any, ident: Column[Any], at: tuple[Any, Any], *, nullable: bool, descending: bool
) -> Any:
    value, marker = at
    nulls_first = (dialect != "postgresql") is not descending
    past_id = ident < marker if descending else ident > marker
    if value is None:
        rest = and_(column.is_(None), past_id)
        return or_(rest, column.is_not(None)) if nulls_first else rest
    if _is_mysql(dialect):  # its optimiser uses ranges for the OR, not for the row comparison
        past = column < value if descending else column > value
        behind = or_(past, and_(column == value, past_id))
    else:
        pair, place = tuple_(column, ident), tuple_(value, marker)
        behind = pair < place if descending else pair > place
    if nullable and not nulls_first:
        return or_(behind, column.is_(None))
    return behind


def _compare(op: Op, column: Any, value: Any, upper: Any) -> Any:  # noqa: PLR0911  # one arm an operator
    match op:
        case Op.EQ:
            return column == value
        case Op.NE:
            return or_(not_(column == value), column.is_(None))
        case Op.LT:
            return column < value
        case Op.LE:
            return column <= value
        case Op.GT:
            return column > value
        case Op.GE:
            return column >= value
        case Op.BETWEEN:
            return column.between(value, upper)
        case Op.LIKE:  # on a number: only "any value" has a meaning
            return false()


def _number(text: str | None) -> int | None:
    try:
        number = int(text) if text is not None else None
    except ValueError:
        return None
    return None if number is None else max(-_WIDEST, min(_WIDEST, number))
