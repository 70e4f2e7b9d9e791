# SPDX-License-Identifier: Apache-2.0
"""Who shares a piece of work: a group's living members, each of which knows its place among them.

Nothing here is needed for correctness: two members that both believe a shard theirs do the same idempotent work
twice. So a group answers with what it knows, and a member that learns of a change late does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Place:
    """This member is number `index` (from 0) of `count`, sorted by name."""

    index: int
    count: int


ALONE = Place(0, 1)


class Group(Protocol):
    """Membership of one process in one group. Used by one thread."""

    def refresh(self) -> Place:
        """Say that we live (joining on the first call) and hear our place. To be called every few seconds.

        Raises Unavailable when what keeps the group cannot be reached.
        Cost   one round trip.
        """
        ...

    def leave(self) -> None:
        """Tell the others that we are gone, if that can be told; never raises."""
        ...
