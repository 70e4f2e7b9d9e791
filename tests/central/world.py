# SPDX-License-Identifier: Apache-2.0
"""What central's use-cases do, one after another, in memory: the measure of what threads were answered at once.

`explained` looks for an order of acknowledged acts in which each would have been answered as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

UNLIMITED = -1
APEX = 2
"""RRsets that a new zone has: the SOA and the pool's NS."""
Key = tuple[str, str]
"""An RRset's owner name and type."""


@dataclass(frozen=True)
class Set:
    """An RRset. `id`: None where nobody was told it, as in a zone that was imported."""

    id: str | None
    records: tuple[str, ...]
    project: str
    version: int = 1


@dataclass(frozen=True)
class Held:
    """A zone that has its name: living, or on its way out (`deleting`). `shares`: target projects by id."""

    id: str
    name: str
    owner: str
    version: int = 1
    deleting: bool = False
    sets: dict[Key, Set] = field(default_factory=dict)
    shares: dict[str, str] = field(default_factory=dict)

    def sees(self, project: str) -> bool:
        return project == self.owner or project in self.shares.values()

    def find(self, rrset_id: str) -> Key | None:
        return next((key for key, one in self.sets.items() if one.id == rrset_id), None)

    def records(self) -> int:
        return sum(len(one.records) for one in self.sets.values())


@dataclass(frozen=True)
class Request:
    """An offer of a zone."""

    id: str
    zone_id: str
    project: str
    active: bool = True


@dataclass
class World:
    """All that the clients can change. A copy is made for each order that is tried."""

    zones: dict[str, Held] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    limits: dict[tuple[str, str], int] = field(default_factory=dict)

    def copy(self) -> World:
        return World(dict(self.zones), dict(self.requests), dict(self.limits))

    def named(self, name: str) -> Held | None:
        return next((zone for zone in self.zones.values() if zone.name == name), None)

    def of(self, project: str) -> int:
        """How many zones the project is charged for."""
        return sum(zone.owner == project for zone in self.zones.values())

    def over(self, project: str, **wanted: int) -> set[str]:
        limits = {name: self.limits.get((project, name), UNLIMITED) for name in wanted}
        return {"OverQuota"} if any(0 <= limits[name] < count for name, count in wanted.items()) else set()

    def below(self, zone: Held) -> list[Held]:
        return [one for one in self.zones.values() if one.name.endswith(f".{zone.name}")]

    def above(self, name: str) -> list[Held]:
        return [one for one in self.zones.values() if name.endswith(f".{one.name}")]

    def change(self, zone: Held, **members: Any) -> Held:
        """Write a zone, a version further."""
        changed = replace(zone, version=zone.version + 1, **members)
        self.zones[zone.id] = changed
        return changed

    def shared(self, zone: Held, shares: dict[str, str]) -> None:
        """Write a zone's shares: another version where it shows another `shared` for them."""
        flips = bool(shares) is not bool(zone.shares)
        self.zones[zone.id] = replace(zone, shares=shares, version=zone.version + flips)

    def put(self, zone: Held, key: Key, one: Set) -> None:
        self.change(zone, sets=zone.sets | {key: one})

    def new_zone(self, name: str, project: str, sets: dict[Key, Set]) -> set[str]:
        """Why the project may not have this zone."""
        records = sum(len(one.records) for one in sets.values())
        why = self.over(project, zones=self.of(project) + 1, zone_recordsets=APEX + len(sets), zone_records=records)
        if self.named(name) is not None:
            why.add("DuplicateZone")
        if any(one.owner != project for one in self.above(name)):
            why.add("IllegalChild")
        if any(one.owner != project for one in self.zones.values() if one.name.endswith(f".{name}")):
            why.add("IllegalParent")
        return why

    def new_set(self, zone: Held, key: Key, count: int) -> set[str]:
        """Why the zone may not have this RRset beside what it has."""
        name, kind = key
        why = self.over(
            zone.owner,
            zone_recordsets=APEX + len(zone.sets) + 1,
            zone_records=zone.records() + count,
            recordset_records=count,
        )
        types = {other for owner, other in zone.sets if owner == name}
        if any(name == child.name or name.endswith(f".{child.name}") for child in self.below(zone)):
            why.add("InvalidRRsetLocation")
        if types and (kind == "CNAME" or "CNAME" in types):
            why.add("InvalidRRsetLocation")
        if kind in types:
            why.add("DuplicateRRset")
        return why


@dataclass(frozen=True)
class Done:
    """One act of one client, and how it ended: "ok" with an answer, or a Problem's name."""

    act: Act
    began: float
    ended: float
    how: str
    answer: Any = None

    def __str__(self) -> str:
        return f"{self.act} -> {self.how} {self.answer or ''}"


class Act:
    """What one client asks for, with ids and tags as it knew them."""

    def why(self, world: World) -> set[str]:
        """The Problems that may be the answer; none: it is carried out."""
        raise NotImplementedError

    def done(self, world: World, answer: Any) -> bool:
        """Carry it out; whether the answer is the one that was given."""
        raise NotImplementedError


def explained(world: World, threads: Sequence[Sequence[Done]]) -> World | None:
    """The world after these acts in an order that explains each answer, or None where there is none.

    An act that ended before another began comes before it, whichever threads they are of.
    """
    return _search(world, threads, [0 for _ in threads], set())


def _search(world: World, threads: Sequence[Sequence[Done]], at: list[int], dead: set[Any]) -> World | None:
    heads = [thread[n] for thread, n in zip(threads, at, strict=True) if n < len(thread)]
    if not heads:
        return world
    mark = (tuple(at), repr(world))
    if mark in dead:
        return None
    first_end = min(head.ended for head in heads)
    for number, thread in enumerate(threads):
        if at[number] == len(thread) or thread[at[number]].began > first_end:
            continue
        after = _after(world, thread[at[number]])
        if after is not None:
            found = _search(after, threads, [n + (each == number) for each, n in enumerate(at)], dead)
            if found is not None:
                return found
    dead.add(mark)
    return None


def _after(world: World, done: Done) -> World | None:
    why = done.act.why(world)
    if done.how != "ok":
        return world if done.how in why else None
    after = world.copy()
    return after if not why and done.act.done(after, done.answer) else None
