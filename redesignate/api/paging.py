# SPDX-License-Identifier: Apache-2.0
"""Lists: the query string as a typed question, and the envelope around the answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from redesignate.api.request import Request, refuse_filters, uuid_or_none
from redesignate.config.settings import ApiSettings
from redesignate.model.errors import BadInput, InvalidLimit, InvalidMarker, InvalidSortDir, InvalidSortKey
from redesignate.model.paging import Condition, ListQuery, Op, Page

_PAGING = frozenset({"limit", "marker", "sort_key", "sort_dir"})
_DIGITS = re.compile(r"\s*\+?[0-9]{1,19}\s*\Z", re.ASCII)
_SIGNS = (("<=", Op.LE), (">=", Op.GE), ("<", Op.LT), (">", Op.GT), ("!", Op.NE))
_BETWEEN = re.compile(r"BETWEEN\s+([^,]*),(.*)\Z", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Listing:
    """What one collection offers.

    name       the collection's member in the envelope
    filters    query arguments that select; every other one is refused
    sort_keys  what may be sorted by, in the order of the refusal's text
    counted    whether the envelope has `metadata`
    """

    name: str
    filters: frozenset[str]
    sort_keys: tuple[str, ...]
    counted: bool = False


def list_query(request: Request, listing: Listing, settings: ApiSettings, *, count: bool = True) -> ListQuery:
    """The page that the query string asks for.

    Raises BadInput, InvalidLimit, InvalidMarker, InvalidSortKey, InvalidSortDir.
    """
    arguments = request.arguments()
    sort_key, descending = _order(arguments, listing.sort_keys, all_projects=request.caller.all_projects)
    return ListQuery(
        limit=page_limit(arguments.get("limit"), settings),
        marker=_marker(arguments.get("marker")),
        sort_key=sort_key,
        descending=descending,
        conditions=_conditions(arguments, listing.filters),
        count=listing.counted and count,
    )


def envelope(
    request: Request, listing: Listing, query: ListQuery, items: Sequence[Any], page: Page[Any]
) -> dict[str, Any]:
    """A page's JSON; `links.next` is there iff the page is full, or was cut for its size."""
    body: dict[str, Any] = {listing.name: items, "links": _links(request, query, items, cut=page.cut)}
    if listing.counted:
        body["metadata"] = {} if page.total is None else {"total_count": page.total}
    return body


def page_limit(text: str | None, settings: ApiSettings) -> int:
    """How many items a page holds: the default, what is asked for, at most `max_limit_v2`. Raises InvalidLimit."""
    most = settings.max_limit_v2
    if text is None:
        return min(settings.default_limit_v2, most)
    if text.lower() == "max":
        return most
    if not _DIGITS.match(text) or not int(text):
        raise InvalidLimit(f"limit should be an integer between 1 and {most}")
    return min(int(text), most)


def condition(field: str, text: str) -> Condition:
    """One filter. `*` (and `%`, its older spelling) stands for any run of characters; else a leading sign compares."""
    if "\0" in text:
        raise BadInput(f"The filter {field} must not contain the character NUL")
    if "*" in text or "%" in text:
        return Condition(field, Op.LIKE, text.replace("%", "*"))
    for sign, op in _SIGNS:
        if text.startswith(sign):
            return Condition(field, op, text.removeprefix(sign).lstrip())
    between = _BETWEEN.match(text)
    if between:
        return Condition(field, Op.BETWEEN, between[1].strip(), between[2].strip())
    return Condition(field, Op.EQ, text)


def _conditions(arguments: dict[str, str], filters: Collection[str]) -> tuple[Condition, ...]:
    wanted = [name for name in arguments if name not in _PAGING]
    refuse_filters([name for name in wanted if name not in filters])
    return tuple(condition(name, arguments[name]) for name in wanted)


def _order(arguments: dict[str, str], sort_keys: tuple[str, ...], *, all_projects: bool) -> tuple[str, bool]:
    key = arguments.get("sort_key") or "created_at"
    direction = arguments.get("sort_dir") or "asc"
    if key not in sort_keys:
        raise InvalidSortKey(f"sort key must be one of {list(sort_keys)}")
    if direction not in ("asc", "desc"):
        raise InvalidSortDir("sort direction must be one of ['asc', 'desc']")
    if key == "tenant_id":  # says nothing within one project, and v2 then ignores it
        key = "project_id" if all_projects else "created_at"
    return key, direction == "desc"


def _marker(text: str | None) -> str | None:
    if text is None:
        return None
    found = uuid_or_none(text)
    if found is None:
        raise InvalidMarker
    return found


def _links(request: Request, query: ListQuery, items: Sequence[Any], *, cut: bool) -> dict[str, str]:
    here = request.base + request.path
    pairs = request.arguments()
    links = {"self": f"{here}?{urlencode(pairs)}" if pairs else here}
    if cut or len(items) == query.limit:
        pairs = request.query_pairs()  # with the switches, so that the next page is of the same list
        links["next"] = f"{here}?{urlencode({**pairs, 'marker': items[-1].id})}"
    return links
