# SPDX-License-Identifier: Apache-2.0
"""The types of a list request and of its answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Op(Enum):
    """How a condition compares. In LIKE, `*` matches any run of characters; everything else is literal."""

    EQ = "="
    NE = "!"
    LIKE = "*"
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    BETWEEN = "between"


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter: `field` is the API's name for it, `upper` is set for BETWEEN alone."""

    field: str
    op: Op
    value: str
    upper: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """A page: at most `limit` items after the item `marker` (an id), in the order of `sort_key`, then id.

    count   whether the total is wanted as well; where no counter has it, it is counted, as far as `store/few.MANY`
    """

    limit: int = 20
    marker: str | None = None
    sort_key: str = "created_at"
    descending: bool = False
    conditions: tuple[Condition, ...] = ()
    count: bool = True


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list, and the size of the whole where it was asked for.

    cut   whether it ends before the limit because its items are large, and more follow
    """

    items: tuple[T, ...]
    total: int | None = None
    cut: bool = False
