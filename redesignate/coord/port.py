# SPDX-License-Identifier: Apache-2.0
"""The members that share a piece of work: a group's live members, each of which knows its place among them.

Nothing here is needed for correctness: two members that both assume a shard do the same idempotent work
twice. So a group answers with its latest state, and a member that sees a change late does no harm.
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
        """Renew the membership (joining on the first call) and return our place. To be called every few seconds.

        Raises Unavailable if the service that keeps the group is unavailable.
        Cost   one round trip.
        """
        ...

    def leave(self) -> None:
        """Leave the group, if it can be reached; never raises."""
        ...
