# SPDX-License-Identifier: Apache-2.0
"""Central's part in a group by leases, in memory."""

from __future__ import annotations

from redesignate.coord.leases import LeaseGroup
from redesignate.coord.port import Place
from redesignate.model.errors import TimedOut


class Leases:
    """Central's side of HoldPartition, in memory, with a clock that tests move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.until: dict[tuple[str, str], float] = {}
        self.away = False

    def hold(self, group: str, member: str, lease_s: float) -> Place:
        if self.away:
            raise TimedOut("no answer")
        self.until[group, member] = self.now + lease_s
        living = sorted(name for (of, name), end in self.until.items() if of == group and end >= self.now)
        return Place(living.index(member), len(living))

    def join(self, member: str) -> LeaseGroup:
        return LeaseGroup(self.hold, group="producer", member=member)
