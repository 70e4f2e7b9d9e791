# SPDX-License-Identifier: Apache-2.0
"""What clients ask for at once of a zone and its RRsets, and what it does to a `World` (the rest: `acts_between`).

Each has `send(central)`, whose answer, in as few words as matter, is what `done` compares.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Any

from redesignate.commands.rrsets import CreateRRset, DeleteRRset, UpdateRRset, UpsertRRset
from redesignate.commands.work import BeginWork
from redesignate.commands.zones import DeleteZone, UpdateZone
from redesignate.commands.zonetasks import AbandonZone
from redesignate.model.rrset import NewRRset, RRset, RRsetChange
from redesignate.model.zone import Zone, ZoneChange
from tests.central.driver import CentralDriver, admin, member
from tests.central.world import Act, Held, Key, Set, World

Tag = tuple[str, ...] | None


def unmatched(tag: Tag, one: Any) -> set[str]:
    """Why a change with this If-Match is refused."""
    return set() if tag in (None, ("*",)) or tag == (f'"{one.id}-{one.version}"',) else {"PreconditionFailed"}


@dataclass(frozen=True)
class OfZone(Act):
    """An act on a zone. `owners`: a project with which it is shared may not do it."""

    project: str
    zone_id: str

    owners = True

    def why(self, world: World) -> set[str]:
        zone = world.zones.get(self.zone_id)
        if zone is None or not zone.sees(self.project):
            return {"ZoneNotFound"}
        why = {"Forbidden"} if self.owners and zone.owner != self.project else set()
        return why | self.also(world, zone)

    def also(self, world: World, zone: Held) -> set[str]:
        """The reasons of this act alone."""
        raise NotImplementedError


# -- zones


@dataclass(frozen=True)
class MakeZone(Act):
    project: str
    name: str

    def send(self, central: CentralDriver) -> str:
        made: Zone = central.zone(self.name, member(self.project))
        return made.id

    def why(self, world: World) -> set[str]:
        return world.new_zone(self.name, self.project, {})

    def done(self, world: World, answer: str) -> bool:
        world.zones[answer] = Held(answer, self.name, self.project)
        return True


@dataclass(frozen=True)
class PatchZone(OfZone):
    ttl: int
    tag: Tag

    def send(self, central: CentralDriver) -> int:
        change = ZoneChange(ttl=self.ttl)
        wanted = UpdateZone(caller=member(self.project), zone_id=self.zone_id, change=change, if_match=self.tag)
        return central.call(wanted).version

    def also(self, world: World, zone: Held) -> set[str]:
        return unmatched(self.tag, zone) | ({"BadInput"} if zone.deleting else set())

    def done(self, world: World, answer: int) -> bool:
        return world.change(world.zones[self.zone_id]).version == answer


def unneeded(world: World, zone: Held) -> set[str]:
    return {"ZoneHasSubZone"} if world.below(zone) else set()


@dataclass(frozen=True)
class DropZone(OfZone):
    tag: Tag
    shares: bool

    def send(self, central: CentralDriver) -> int:
        caller = member(self.project, delete_shares=self.shares)
        return central.call(DeleteZone(caller=caller, zone_id=self.zone_id, if_match=self.tag)).version

    def also(self, world: World, zone: Held) -> set[str]:
        shared = {"ZoneIsShared"} if zone.shares and not self.shares else set()
        return unmatched(self.tag, zone) | unneeded(world, zone) | shared

    def done(self, world: World, answer: int) -> bool:
        zone = world.zones[self.zone_id]
        if not zone.deleting:
            zone = world.change(zone, deleting=True, shares={})
        return zone.version == answer


@dataclass(frozen=True)
class Abandon(OfZone):
    owners = False

    def send(self, central: CentralDriver) -> None:
        central.call(AbandonZone(caller=admin(self.project), zone_id=self.zone_id))

    def also(self, world: World, zone: Held) -> set[str]:
        return unneeded(world, zone) | ({"ZoneIsShared"} if zone.shares else set())

    def done(self, world: World, answer: None) -> bool:
        del world.zones[self.zone_id]
        return True


@dataclass(frozen=True)
class Serve(Act):
    """A worker's: the servers have what the zone is, or drop it. The answer is whether it is gone."""

    zone_id: str

    def send(self, central: CentralDriver) -> bool:
        worker = f"w{threading.get_ident()}"
        tasks = central.call(BeginWork(worker=worker, zone_ids=(self.zone_id,), lease_s=10.0))
        while tasks:
            tasks = central.said(tasks[0], central.as_wanted(tasks[0]), worker=worker)
        return any(row.deleted_at is not None for row in central.rows("zones", id=self.zone_id))

    def why(self, world: World) -> set[str]:
        return set()

    def done(self, world: World, answer: bool) -> bool:
        zone = world.zones.get(self.zone_id)
        if answer and zone is not None and zone.deleting:
            del world.zones[self.zone_id]
        return True


# -- RRsets


@dataclass(frozen=True)
class MakeSet(OfZone):
    key: Key
    records: tuple[str, ...]

    owners = False

    def send(self, central: CentralDriver) -> str:
        new = NewRRset(name=self.key[0], type=self.key[1], records=self.records)
        return central.call(CreateRRset(caller=member(self.project), zone_id=self.zone_id, new=new)).id

    def also(self, world: World, zone: Held) -> set[str]:
        return world.new_set(zone, self.key, len(self.records)) | ({"BadInput"} if zone.deleting else set())

    def done(self, world: World, answer: str) -> bool:
        world.put(world.zones[self.zone_id], self.key, Set(answer, self.records, self.project))
        return True


def unchangeable(world: World, zone: Held, one: Set, by: str) -> set[str]:
    """Why a project may not change an RRset."""
    why = {"BadInput"} if zone.deleting else set()
    return why | ({"Forbidden"} if by not in (zone.owner, one.project) else set())


def too_many(world: World, zone: Held, before: Set, records: tuple[str, ...]) -> set[str]:
    more = len(records) - len(before.records)
    why = world.over(zone.owner, recordset_records=len(records))
    return why | (world.over(zone.owner, zone_records=zone.records() + more) if more > 0 else set())


@dataclass(frozen=True)
class PutSet(OfZone):
    rrset_id: str
    records: tuple[str, ...]
    tag: Tag

    owners = False

    def send(self, central: CentralDriver) -> int:
        change = RRsetChange(records=self.records)
        return central.call(
            UpdateRRset(
                caller=member(self.project), zone_id=self.zone_id, rrset_id=self.rrset_id, change=change,
                if_match=self.tag,
            )
        ).version  # fmt: skip

    def also(self, world: World, zone: Held) -> set[str]:
        key = zone.find(self.rrset_id)
        if key is None:
            return {"RRsetNotFound"}
        one = zone.sets[key]
        why = unchangeable(world, zone, one, self.project) | unmatched(self.tag, one)
        if key[1] == "CNAME" and len(self.records) > 1:
            why.add("BadInput")
        return why | too_many(world, zone, one, self.records)

    def done(self, world: World, answer: int) -> bool:
        zone = world.zones[self.zone_id]
        key = zone.find(self.rrset_id)
        assert key is not None
        after = replace(zone.sets[key], records=self.records, version=zone.sets[key].version + 1)
        world.put(zone, key, after)
        return after.version == answer


@dataclass(frozen=True)
class Upsert(OfZone):
    key: Key
    records: tuple[str, ...]
    tag: Tag
    absent: bool

    owners = False

    def send(self, central: CentralDriver) -> tuple[str, int]:
        made: RRset = central.call(
            UpsertRRset(
                caller=member(self.project), zone_id=self.zone_id, name=self.key[0], type=self.key[1],
                change=RRsetChange(records=self.records), if_match=self.tag, if_absent=self.absent,
            )
        )  # fmt: skip
        return made.id, made.version

    def also(self, world: World, zone: Held) -> set[str]:
        one = zone.sets.get(self.key)
        if one is None:
            why = world.new_set(zone, self.key, len(self.records)) | ({"BadInput"} if zone.deleting else set())
            return why | ({"PreconditionFailed"} if self.tag is not None else set())
        why = unchangeable(world, zone, one, self.project) | unmatched(self.tag, one)
        return why | too_many(world, zone, one, self.records) | ({"PreconditionFailed"} if self.absent else set())

    def done(self, world: World, answer: tuple[str, int]) -> bool:
        zone = world.zones[self.zone_id]
        before = zone.sets.get(self.key)
        if before is None:
            world.put(zone, self.key, Set(answer[0], self.records, self.project))
            return answer[1] == 1
        after = replace(before, id=answer[0], records=self.records, version=before.version + 1)
        world.put(zone, self.key, after)
        return before.id in (None, after.id) and after.version == answer[1]


@dataclass(frozen=True)
class DropSet(OfZone):
    rrset_id: str
    tag: Tag

    owners = False

    def send(self, central: CentralDriver) -> None:
        caller = member(self.project)
        central.call(DeleteRRset(caller=caller, zone_id=self.zone_id, rrset_id=self.rrset_id, if_match=self.tag))

    def also(self, world: World, zone: Held) -> set[str]:
        key = zone.find(self.rrset_id)
        if key is None:
            return {"RRsetNotFound"}
        return unchangeable(world, zone, zone.sets[key], self.project) | unmatched(self.tag, zone.sets[key])

    def done(self, world: World, answer: None) -> bool:
        zone = world.zones[self.zone_id]
        gone = zone.find(self.rrset_id)
        world.change(zone, sets={key: one for key, one in zone.sets.items() if key != gone})
        return True
