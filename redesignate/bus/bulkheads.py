# SPDX-License-Identifier: Apache-2.0
"""Central behind bulkheads, for a process that has few threads and many clients: the API.

Changes of one zone queue on its row, and all questions of one project share its part of central. A zone whose row is
locked, a project that sends requests without end, or a central that hangs takes at most its share of the threads. The
excess is refused with 503, and others are answered as usual.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from redesignate.bus.port import Central
from redesignate.commands.base import CallerCommand, Command
from redesignate.commands.table import READS
from redesignate.threads.bulkhead import Bulkhead
from redesignate.threads.deadline import current

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """The most threads that work on changes of one zone, on one project's questions, and on all questions."""

    zone: int
    project: int
    all: int

    @classmethod
    def of(cls, threads: int, *, connections: int | None = None) -> Shares:
        """Divide so many threads; or so many connections to the database, where each question takes one."""
        room = threads if connections is None else min(threads, connections)
        zone = room // 3 if connections is None else room // 6
        return cls(zone=max(1, zone), project=max(1, room // 2), all=max(1, room - max(1, room // 10)))


class Bulkheads:
    """Central, called by a limited number of threads at a time."""

    def __init__(self, central: Central, shares: Shares) -> None:
        self._central = central
        self._zones = Bulkhead(shares.zone, "this zone")
        self._projects = Bulkhead(shares.project, "this project")
        self._all = Bulkhead(shares.all, "the service")

    def call(self, command: Command[R]) -> R:
        """Send the question; return the answer or raise its Problem, Unavailable where too many wait for the same."""
        deadline = current()
        with ExitStack() as held:
            zone_id = None if type(command) in READS else _zone(command)
            if zone_id is not None:
                held.enter_context(self._zones.hold(zone_id, deadline))
            if isinstance(command, CallerCommand):
                held.enter_context(self._projects.hold(command.caller.project_id, deadline))
            held.enter_context(self._all.hold(None, deadline))
            return self._central.call(command)


def _zone(command: Command[Any]) -> str | None:
    """The zone that a change concerns; None where the command names no existing zone."""
    found: str | None = getattr(command, "zone_id", None)
    return found
