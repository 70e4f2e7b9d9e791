# SPDX-License-Identifier: Apache-2.0
"""Central behind bulkheads, for a process that has few threads and many clients: the API, and central over a broker.

Changes of one zone queue on its row, and all questions of one project share its part of central. A zone whose row is
locked, a project that sends requests without end, or a central that hangs takes at most its share of the threads. The
excess is refused with 503, and others are answered as usual.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from redesignate.bus.port import Central
from redesignate.commands.base import CallerCommand, Command
from redesignate.commands.table import READS
from redesignate.model.errors import TimedOut, Unavailable
from redesignate.threads.bulkhead import Bulkhead
from redesignate.threads.deadline import current

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """The most threads that work on changes of one zone, on one project's questions, on changes, on all questions."""

    zone: int
    project: int
    changes: int
    all: int

    @classmethod
    def of(cls, threads: int, *, connections: int | None = None) -> Shares:
        """Divide so many threads; or so many connections to the database, where each question takes one.

        Over the bus a zone gets half, since its changes share messages: the more of them wait, the fewer are sent.
        """
        room = threads if connections is None else min(threads, connections)
        zone, project = (room // 2, room * 2 // 3) if connections is None else (room // 6, room // 2)
        most = max(1, room - max(1, room // 10))
        return cls(zone=max(1, zone), project=max(1, project), changes=most, all=most)

    @classmethod
    def of_one_writer(cls, threads: int) -> Shares:
        """Divide the threads of a process whose changes may all wait for one lock (SQLite's), for all its clients."""
        most = max(1, threads - 1)
        return cls(zone=max(1, threads // 3), project=max(1, threads * 2 // 3), changes=max(1, threads // 2), all=most)


class Bulkheads:
    """Central, called by a limited number of threads at a time."""

    def __init__(self, central: Central, shares: Shares) -> None:
        self._central = central
        self._zones = Bulkhead(shares.zone, "this zone")
        self._projects = Bulkhead(shares.project, "this project")
        self._changes = Bulkhead(shares.changes, "the database")
        self._all = Bulkhead(shares.all, "the service")

    def call(self, command: Command[R], by: Callable[[], R] | None = None) -> R:
        """Send the question; return the answer or raise its Problem, Unavailable where too many wait for the same.

        by   answers it in central's place

        Cost   two locks for each bulkhead, uncontended: a few microseconds.
        """
        moved = True
        held: list[tuple[Bulkhead, Hashable]] = []
        try:
            for bulkhead, key in self._on_the_way_of(command):
                bulkhead.enter(key, current)
                held.append((bulkhead, key))
            return self._central.call(command) if by is None else by()
        except (Unavailable, TimedOut):
            moved = False
            raise
        finally:
            for bulkhead, key in reversed(held):
                bulkhead.leave(key, moved=moved)

    def _on_the_way_of(self, command: Command[Any]) -> list[tuple[Bulkhead, Hashable]]:
        """The narrow before the wide, so that those who wait for one zone do not hold the places of others."""
        way: list[tuple[Bulkhead, Hashable]] = []
        changes = type(command) not in READS
        zone_id = getattr(command, "zone_id", None)
        if changes and zone_id is not None:
            way.append((self._zones, zone_id))
        if isinstance(command, CallerCommand):
            way.append((self._projects, command.caller.project_id))
        if changes:
            way.append((self._changes, None))
        way.append((self._all, None))
        return way
