# SPDX-License-Identifier: Apache-2.0
"""As `acts`: what projects let each other have, what operators allow them, and zone files."""

from __future__ import annotations

import threading
import time
import zlib
from dataclasses import dataclass, replace

from redesignate.commands.exports import ReadZoneFile
from redesignate.commands.imports import CreateImport, GetImport
from redesignate.commands.quotas import SetQuotas
from redesignate.commands.shares import CreateShare, DeleteShare
from redesignate.commands.transfers import (
    AcceptTransfer,
    CreateTransferRequest,
    DeleteTransferRequest,
    HandOverRRsets,
)
from redesignate.model import errors
from redesignate.model.share import NewShare
from redesignate.model.transfer import NewTransferAccept, NewTransferRequest
from redesignate.model.zonefile import gather
from redesignate.model.zonetask import Place, TaskStatus, ZoneFilePart
from tests.central.acts import OfZone
from tests.central.driver import OPERATOR, CentralDriver, member
from tests.central.world import Act, Held, Key, Request, Set, World

PATIENCE_S = 30


# -- quotas and shares


@dataclass(frozen=True)
class Limit(Act):
    project: str
    name: str
    limit: int

    def send(self, central: CentralDriver) -> bool:
        wanted = SetQuotas(caller=OPERATOR, project_id=self.project, limits={self.name: self.limit})
        return central.call(wanted)[self.name] == self.limit

    def why(self, world: World) -> set[str]:
        return set()

    def done(self, world: World, answer: bool) -> bool:
        world.limits[self.project, self.name] = self.limit
        return answer


@dataclass(frozen=True)
class Share(OfZone):
    target: str

    def send(self, central: CentralDriver) -> str:
        new = NewShare(target_project_id=self.target)
        return central.call(CreateShare(caller=member(self.project), zone_id=self.zone_id, new=new)).id

    def also(self, world: World, zone: Held) -> set[str]:
        why = {"BadInput"} if zone.deleting or self.target == zone.owner else set()
        return why | ({"DuplicateSharedZone"} if self.target in zone.shares.values() else set())

    def done(self, world: World, answer: str) -> bool:
        zone = world.zones[self.zone_id]
        world.shared(zone, zone.shares | {answer: self.target})
        return True


@dataclass(frozen=True)
class Unshare(OfZone):
    share_id: str

    def send(self, central: CentralDriver) -> None:
        central.call(DeleteShare(caller=member(self.project), zone_id=self.zone_id, share_id=self.share_id))

    def also(self, world: World, zone: Held) -> set[str]:
        target = zone.shares.get(self.share_id)
        if target is None:
            return {"SharedZoneNotFound"}
        why = {"SharedZoneHasSubZone"} if any(one.owner == target for one in world.below(zone)) else set()
        return why | ({"SharedZoneHasRRsets"} if any(one.project == target for one in zone.sets.values()) else set())

    def done(self, world: World, answer: None) -> bool:
        zone = world.zones[self.zone_id]
        left = {share_id: target for share_id, target in zone.shares.items() if share_id != self.share_id}
        world.shared(zone, left)
        return True


# -- transfers


@dataclass(frozen=True)
class Offer(OfZone):
    def send(self, central: CentralDriver) -> tuple[str, str]:
        new = NewTransferRequest()
        made = central.call(CreateTransferRequest(caller=member(self.project), zone_id=self.zone_id, new=new))
        return made.id, made.key

    def also(self, world: World, zone: Held) -> set[str]:
        offered = any(one.active and one.zone_id == zone.id for one in world.requests.values())
        return ({"BadInput"} if zone.deleting else set()) | ({"DuplicateTransferRequest"} if offered else set())

    def done(self, world: World, answer: tuple[str, str]) -> bool:
        world.requests[answer[0]] = Request(answer[0], self.zone_id, self.project)
        return True


@dataclass(frozen=True)
class Withdraw(Act):
    project: str
    request_id: str

    def send(self, central: CentralDriver) -> None:
        central.call(DeleteTransferRequest(caller=member(self.project), request_id=self.request_id))

    def why(self, world: World) -> set[str]:
        one = world.requests.get(self.request_id)
        if one is None:
            return {"TransferRequestNotFound"}
        return set() if one.project == self.project else {"Forbidden"}

    def done(self, world: World, answer: None) -> bool:
        del world.requests[self.request_id]
        return True


@dataclass(frozen=True)
class Accept(Act):
    project: str
    request_id: str
    key: str

    def send(self, central: CentralDriver) -> str:
        new = NewTransferAccept(key=self.key, zone_transfer_request_id=self.request_id)
        return central.call(AcceptTransfer(caller=member(self.project), new=new)).zone_id

    def why(self, world: World) -> set[str]:
        request = world.requests.get(self.request_id)
        if request is None:
            return {"TransferRequestNotFound"}
        if not request.active:
            return {"InvalidTransferRequest"}
        zone = world.zones.get(request.zone_id)
        if zone is None:
            return {"ZoneNotFound"}
        why = {"BadInput"} if zone.deleting else set()
        more = world.of(self.project) + (zone.owner != self.project)
        return why | (world.over(self.project, zones=more) if zone.owner != self.project else set())

    def done(self, world: World, answer: str) -> bool:
        world.requests[self.request_id] = replace(world.requests[self.request_id], active=False)
        zone = world.zones[answer]
        sets = {key: replace(one, project=self.project) for key, one in zone.sets.items()}
        shares = {share_id: target for share_id, target in zone.shares.items() if target != self.project}
        world.change(zone, owner=self.project, sets=sets, shares=shares)
        return True


@dataclass(frozen=True)
class HandOver(Act):
    """The producer's step of a handover: nobody sees it."""

    def send(self, central: CentralDriver) -> None:
        central.call(HandOverRRsets(limit=1))

    def why(self, world: World) -> set[str]:
        return set()

    def done(self, world: World, answer: None) -> bool:
        return True


# -- zone files


def parsed(text: str) -> dict[Key, tuple[str, ...]]:
    """The RRsets of a zone file without those of the apex that are the pool's."""
    with gather([text.encode()], most=10_000) as content:
        found = {
            (one.name, one.rrtype): tuple(sorted(record.text for record in one.records)) for one in content.rrsets()
        }
        return {key: records for key, records in found.items() if key != (content.zone, "NS")}


@dataclass(frozen=True)
class Import(Act):
    project: str
    name: str
    sets: tuple[tuple[str, tuple[str, ...]], ...]
    """Addresses, by owner name."""

    def send(self, central: CentralDriver) -> str:
        lines = [f"{owner} 60 IN A {record}\n" for owner, records in self.sets for record in records]
        head = f"$ORIGIN {self.name}\n$TTL 900\n@ IN SOA ns.x.example. h.x.example. 1 7200 900 86400 60\n"
        data = zlib.compress((head + "".join(lines)).encode())
        caller = member(self.project)
        made = central.call(CreateImport(caller=caller, data=data, last=True))
        importer = central.service.importer(f"i{threading.get_ident()}")
        importer.rest = time.sleep
        until = time.monotonic() + PATIENCE_S
        while (now := central.call(GetImport(caller=caller, import_id=made.id))).status is TaskStatus.PENDING:
            assert time.monotonic() < until, "nobody carries the import out"
            importer.turn()
        if now.status is TaskStatus.COMPLETE:
            assert now.zone_id is not None
            return now.zone_id
        raise Refused(now.message or "")

    def why(self, world: World) -> set[str]:
        wanted = self._sets()
        why = world.new_zone(self.name, self.project, wanted)
        for one in wanted.values():
            why |= world.over(self.project, recordset_records=len(one.records))
        new = Held("", self.name, self.project)
        if any(owner.endswith(below.name) for below in world.below(new) for owner, _ in wanted):
            why.add("child")
        return {"Refused"} if why else set()

    def done(self, world: World, answer: str) -> bool:
        world.zones[answer] = Held(answer, self.name, self.project, sets=self._sets())
        return True

    def _sets(self) -> dict[Key, Set]:
        return {(owner, "A"): Set(None, records, self.project) for owner, records in self.sets}


class Refused(errors.Problem):
    """An import that ended in ERROR."""


@dataclass(frozen=True)
class Export(OfZone):
    """A zone read part by part; the answer is what it held."""

    owners = False

    def send(self, central: CentralDriver) -> dict[Key, tuple[str, ...]]:
        text, at = "", self._next(central, None)
        while at.after is not None:
            text, at = text + at.text, self._next(central, at.after)
        return parsed(text + at.text)

    def _next(self, central: CentralDriver, at: Place | None) -> ZoneFilePart:
        return central.call(ReadZoneFile(caller=member(self.project), zone_id=self.zone_id, at=at))

    def also(self, world: World, zone: Held) -> set[str]:
        return set()

    def done(self, world: World, answer: dict[Key, tuple[str, ...]]) -> bool:
        return answer == {key: tuple(sorted(one.records)) for key, one in world.zones[self.zone_id].sets.items()}
