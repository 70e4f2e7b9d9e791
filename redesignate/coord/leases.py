# SPDX-License-Identifier: Apache-2.0
"""A group kept as leases in central's database, for clouds without a coordination service."""

from __future__ import annotations

from collections.abc import Callable

from redesignate.coord.port import Place
from redesignate.model.errors import Problem
from redesignate.observe.log import events

log = events(__name__)
Hold = Callable[[str, str, float], Place]
"""Renews `member` of `group` for so many more seconds (central's HoldPartition); returns its place."""

LEASE_S = 10.0
FAREWELL_S = 1.0


class LeaseGroup:
    """Membership that ends by itself `LEASE_S` after the last `refresh`; the time is the database's."""

    def __init__(self, hold: Hold, *, group: str, member: str) -> None:
        self._hold = hold
        self._group = group
        self._member = member

    def refresh(self) -> Place:
        """Renew the lease. Raises Unavailable, TimedOut."""
        return self._hold(self._group, self._member, LEASE_S)

    def leave(self) -> None:
        """Let the lease run out in a second. Not at once: a lease much shorter than the others' looks as if the clock
        had been set back."""
        try:
            self._hold(self._group, self._member, FAREWELL_S)
        except Problem as problem:
            log.info("lease not released; it will expire", group=self._group, why=problem.kind)
