# SPDX-License-Identifier: Apache-2.0
"""Nobody sees or touches what is another project's, and each role may do what its rule says: over every command."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from redesignate.commands.base import Command
from redesignate.commands.blacklists import (
    CreateBlacklist,
    DeleteBlacklist,
    GetBlacklist,
    ListBlacklists,
    UpdateBlacklist,
)
from redesignate.commands.exports import ReadZoneFile
from redesignate.commands.inbound import TransferZone
from redesignate.commands.pools import ApplyPool, CreatePool, DeletePool, GetPool, GetPoolReach, ListPools, UpdatePool
from redesignate.commands.quotas import GetUsage, ResetQuotas, SetQuotas
from redesignate.commands.reports import CountAll, GetProject, ListProjects
from redesignate.commands.rrsets import CreateRRset, GetRRset, ListRRsets, UpdateRRset, UpsertRRset
from redesignate.commands.services import GetService, ListServices
from redesignate.commands.shares import CreateShare, DeleteShare, GetShare, ListShares
from redesignate.commands.table import ALL
from redesignate.commands.tlds import CreateTLD, DeleteTLD, GetTLD, ImportTLDs, ListTLDs, UpdateTLD
from redesignate.commands.transfers import CreateTransferRequest
from redesignate.commands.tsigkeys import CreateTSIGKey, DeleteTSIGKey, GetTSIGKey, ListTSIGKeys, UpdateTSIGKey
from redesignate.commands.zones import CreateZone, DeleteZone, GetZone, ZoneNameservers, ZonePeers
from redesignate.commands.zonetasks import AbandonZone, GetZoneMove, MoveZone
from redesignate.model import errors
from redesignate.model.blacklist import BlacklistChange, NewBlacklist
from redesignate.model.caller import Caller
from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.pool import CatalogSpec, NewPool, PoolChange, PoolSpec
from redesignate.model.rrset import NewRRset, RRset, RRsetChange
from redesignate.model.share import NewShare
from redesignate.model.tld import NewTLD, TLDChange
from redesignate.model.transfer import NewTransferRequest
from redesignate.model.tsigkey import NewTSIGKey, Scope, TSIGKeyChange
from redesignate.model.zone import NewZone, Zone, ZoneChange
from tests.central.conftest import Build
from tests.central.driver import CentralDriver, admin, member

NOWHERE = str(uuid.UUID(int=7))
BODIES: dict[str, Any] = {
    "new": NewRRset(name="new.example.org.", type="A", records=("192.0.2.1",)),
    "change": None,
    "query": ListQuery(),
    "rule": "update_recordset",
    "project_id": "p1",
    "resource_id": None,
    "at": None,
    "share_id": NOWHERE,
    "name": "www.example.org.",
    "type": "A",
    "if_match": None,
    "if_absent": False,
    "pool_id": NOWHERE,
    "any_size": False,
}
AIMED = tuple(
    command
    for command in ALL
    if "caller" in command.__struct_fields__ and {"zone_id", "rrset_id"} & set(command.__struct_fields__)
)
"""Every command of a user that names a zone or an RRset; a new one is found by itself."""
STRANGERS = {
    "another project": member("p2"),
    "another project's admin": admin("p2"),
    "a reader elsewhere": member("p2", "reader"),
    "no project": Caller(request_id="r", user_id="u", roles=("member", "reader")),
    "no project, admin": Caller(request_id="r", user_id="u", roles=("admin", "member", "reader")),
    "a project's name in other case": member("P1"),
}


def aimed(command: type[Command[Any]], caller: Caller, zone_id: str | None, rrset_id: str) -> Command[Any]:
    """The command at this zone and RRset, with a body that would do."""
    given: dict[str, Any] = {"caller": caller, "zone_id": zone_id, "rrset_id": rrset_id} | BODIES
    given["change"] = RRsetChange(ttl=5) if command in (UpdateRRset, UpsertRRset) else ZoneChange(description="taken")
    if command is CreateShare:
        given["new"] = NewShare(target_project_id="p9")
    if command is CreateTransferRequest:
        given["new"] = NewTransferRequest()
    return command(**{name: given[name] for name in command.__struct_fields__})


@pytest.fixture
def zone(central: CentralDriver) -> Zone:
    return central.zone()


@pytest.fixture
def rrset(central: CentralDriver, zone: Zone) -> RRset:
    return central.rrset(zone, "www")


def test_the_matrix_holds_every_command_that_names_a_zone() -> None:
    assert {command.__name__ for command in AIMED} >= {
        "GetZone", "UpdateZone", "DeleteZone", "ZoneNameservers", "ZonePeers", "CreateRRset", "GetRRset", "ListRRsets",
        "UpdateRRset", "DeleteRRset",
    }  # fmt: skip


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("command", AIMED, ids=lambda command: command.__name__)
def test_what_is_anothers_is_not_there(
    central: CentralDriver, zone: Zone, rrset: RRset, command: type[Command[Any]], stranger: Caller
) -> None:
    before = [central.rows(table) for table in ("zones", "rrsets", "journal", "outbox")]
    hidden = (errors.ZoneNotFound, errors.RRsetNotFound)
    no_lists = command is ListRRsets and stranger.project_id is None and "admin" not in stranger.roles
    with pytest.raises(errors.Forbidden if no_lists else hidden) as theirs:
        central.call(aimed(command, stranger, zone.id, rrset.id))
    with pytest.raises(type(theirs.value)) as nothing:
        central.call(aimed(command, stranger, NOWHERE, NOWHERE))
    assert theirs.value.message.replace(zone.id, "").replace(rrset.id, "") == nothing.value.message.replace(NOWHERE, "")
    assert [central.rows(table) for table in ("zones", "rrsets", "journal", "outbox")] == before


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_an_rrset_of_another_is_not_found_without_its_zone_either(
    central: CentralDriver, rrset: RRset, stranger: Caller
) -> None:
    with pytest.raises(errors.RRsetNotFound):
        central.call(GetRRset(caller=stranger, zone_id=None, rrset_id=rrset.id))
    if stranger.project_id is not None:
        assert not central.call(ListRRsets(caller=stranger, zone_id=None, query=ListQuery())).items


@pytest.mark.parametrize("command", AIMED, ids=lambda command: command.__name__)
def test_an_rrset_is_not_reached_through_a_zone_of_ones_own(
    central: CentralDriver, rrset: RRset, command: type[Command[Any]]
) -> None:
    if "rrset_id" not in command.__struct_fields__:
        pytest.skip("names no RRset")
    own = central.zone(name="own.org.", caller=member("p2"))
    with pytest.raises(errors.RRsetNotFound):
        central.call(aimed(command, member("p2"), own.id, rrset.id))


def test_a_catalog_zone_is_nobodys(build: Build) -> None:
    central = build()
    central.pool(catalog=CatalogSpec(name="catalog.invalid."))
    (row,) = central.rows("zones", type="CATALOG")
    for stranger in (*STRANGERS.values(), member(), admin()):
        with pytest.raises(errors.ZoneNotFound):
            central.get(row.id, stranger)
    central.zone("a.example.")
    seer, unscoped = admin(all_projects=True), replace(admin(), project_id=None)
    assert central.get(row.id, seer).name == "catalog.invalid."
    pending = ListQuery(conditions=(Condition("status", Op.EQ, "PENDING"),))
    assert central.call(ListRRsets(caller=unscoped, zone_id=None, query=pending)).items == ()
    assert {one.zone_name for one in central.call(ListRRsets(caller=seer, zone_id=None, query=pending)).items} == {
        "a.example.",
        "catalog.invalid.",
    }
    acts: tuple[Callable[[], object], ...] = (
        lambda: central.patch(central.get(row.id, seer), seer),
        lambda: central.delete(central.get(row.id, seer), seer),
    )
    for act in acts:
        with pytest.raises(errors.Forbidden, match="catalog"):
            act()


# -- roles

OPERATING = (AbandonZone, MoveZone, GetZoneMove)
READING = (GetZone, ZoneNameservers, ZonePeers, GetRRset, ListRRsets, GetUsage)


@pytest.mark.parametrize("command", AIMED, ids=lambda command: command.__name__)
@pytest.mark.parametrize("role", ["reader", "member", "admin", "stranger to all roles"])
def test_readers_read_members_write(
    central: CentralDriver, zone: Zone, rrset: RRset, command: type[Command[Any]], role: str
) -> None:
    roles = {"reader": ("reader",), "member": ("member", "reader"), "admin": ("admin",)}.get(role, ("nobody",))
    allowed = role in ("member", "admin") or (role == "reader" and command in READING)
    if command in OPERATING:
        allowed = role == "admin"
    asking = aimed(command, member("p1", *roles), zone.id, rrset.id)
    if allowed and command in (TransferZone, MoveZone):
        with pytest.raises(errors.BadInput, match=r"non Secondary|does not exist"):
            central.call(asking)
    elif allowed and command in (GetShare, DeleteShare):
        with pytest.raises(errors.SharedZoneNotFound):
            central.call(asking)
    elif allowed:
        central.call(asking)
    else:
        with pytest.raises(errors.Forbidden):
            central.call(asking)


SHAREES = (GetZone, CreateRRset, GetRRset, ListRRsets, ListShares, ReadZoneFile)
"""What a project may do to a zone that is shared with it, and an RRset there that is not its own."""


@pytest.mark.parametrize("command", AIMED, ids=lambda command: command.__name__)
@pytest.mark.parametrize(
    "sharee", [member("p2"), admin("p2"), member("p2", "reader")], ids=["member", "admin", "reader"]
)
def test_a_project_with_which_a_zone_is_shared(
    central: CentralDriver, zone: Zone, rrset: RRset, command: type[Command[Any]], sharee: Caller
) -> None:
    """It sees the zone, and has no other right to it than to RRsets of its own; an admin's role goes further."""
    central.call(CreateShare(caller=member(), zone_id=zone.id, new=NewShare(target_project_id="p2")))
    asking = aimed(command, sharee, zone.id, rrset.id)
    if "admin" in sharee.roles and command is not GetUsage:  # a question about another project
        with contextlib.suppress(errors.BadInput, errors.SharedZoneNotFound, errors.ZoneIsShared):
            central.call(asking)
    elif command in SHAREES and not (command in (ListShares, ReadZoneFile) and "member" not in sharee.roles):
        central.call(asking)
    else:
        with pytest.raises((errors.Forbidden, errors.ZoneNotFound)):
            central.call(asking)


ADMINS: tuple[Any, ...] = (
    lambda c: ListPools(caller=c, query=ListQuery()),
    lambda c: GetPool(caller=c, pool_id=NOWHERE),
    lambda c: ApplyPool(caller=c, spec=PoolSpec(name="other")),
    lambda c: ApplyPool(caller=c, spec=PoolSpec(name="default")),
    lambda c: DeletePool(caller=c, pool_id=NOWHERE),
    lambda c: CreatePool(caller=c, new=NewPool(name="")),
    lambda c: UpdatePool(caller=c, pool_id=NOWHERE, change=PoolChange()),
    lambda c: GetPoolReach(caller=c, pool_id=NOWHERE),
    lambda c: ListTSIGKeys(caller=c, query=ListQuery()),
    lambda c: GetTSIGKey(caller=c, key_id=NOWHERE),
    lambda c: UpdateTSIGKey(caller=c, key_id=NOWHERE, change=TSIGKeyChange()),
    lambda c: CreateTSIGKey(
        caller=c, new=NewTSIGKey(name="k", algorithm="hmac-sha256", secret="", scope=Scope.POOL, resource_id=NOWHERE)
    ),
    lambda c: DeleteTSIGKey(caller=c, key_id=NOWHERE),
    lambda c: ListTLDs(caller=c, query=ListQuery()),
    lambda c: GetTLD(caller=c, tld_id=NOWHERE),
    lambda c: CreateTLD(caller=c, new=NewTLD(name="org.")),
    lambda c: UpdateTLD(caller=c, tld_id=NOWHERE, change=TLDChange()),
    lambda c: DeleteTLD(caller=c, tld_id=NOWHERE),
    lambda c: ImportTLDs(caller=c, entries=()),
    lambda c: ListBlacklists(caller=c, query=ListQuery()),
    lambda c: GetBlacklist(caller=c, blacklist_id=NOWHERE),
    lambda c: CreateBlacklist(caller=c, new=NewBlacklist(pattern="(")),
    lambda c: UpdateBlacklist(caller=c, blacklist_id=NOWHERE, change=BlacklistChange()),
    lambda c: DeleteBlacklist(caller=c, blacklist_id=NOWHERE),
    lambda c: ListServices(caller=c, query=ListQuery()),
    lambda c: GetService(caller=c, service_id=NOWHERE),
    lambda c: CountAll(caller=c, what=("zones",)),
    lambda c: CountAll(caller=c, what=("records",)),
    lambda c: CountAll(caller=c, what=("tenants",)),
    lambda c: ListProjects(caller=c, limit=1),
    lambda c: GetProject(caller=c, project_id="p1", limit=1),
    lambda c: SetQuotas(caller=c, project_id="p1", limits={"zones": 1}),
    lambda c: ResetQuotas(caller=c, project_id="p1"),
)


@pytest.mark.parametrize("make", ADMINS, ids=lambda make: make(member()).__class__.__name__)
@pytest.mark.parametrize("caller", [member(), member("p1", "reader")], ids=["member", "reader"])
def test_what_is_the_operators_is_refused_to_others(central: CentralDriver, make: Any, caller: Caller) -> None:
    with pytest.raises(errors.Forbidden):
        central.call(make(caller))


@pytest.mark.parametrize("switch", ["all_projects", "edit_managed", "hard_delete", "sudo"])
def test_a_switch_needs_its_right_whatever_is_asked(central: CentralDriver, zone: Zone, switch: str) -> None:
    on: dict[str, Any] = {switch: True}
    for make in (GetZone, DeleteZone):
        with pytest.raises(errors.Forbidden):
            central.call(make(caller=replace(member(), **on), zone_id=zone.id))
    central.call(GetZone(caller=replace(admin(), **on), zone_id=zone.id))


@pytest.mark.parametrize("command", AIMED, ids=lambda command: command.__name__)
def test_a_token_of_the_system_is_of_the_wrong_scope(
    central: CentralDriver, zone: Zone, rrset: RRset, command: type[Command[Any]]
) -> None:
    system = Caller(
        request_id="r", user_id="u", roles=("admin", "member", "reader"), system_scope="all", project_id="p1"
    )
    with pytest.raises(errors.InvalidTokenScope):
        central.call(aimed(command, system, zone.id, rrset.id))
    with pytest.raises(errors.InvalidTokenScope):
        central.call(CreateZone(caller=system, new=NewZone(name="new.org.", email="a@b.org")))


def test_every_command_survives_the_wire(central: CentralDriver, zone: Zone, rrset: RRset) -> None:
    for command in AIMED:
        sent = aimed(command, member(), zone.id, rrset.id)
        assert msgspec.json.decode(msgspec.json.encode(sent), type=command) == sent
