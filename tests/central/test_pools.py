# SPDX-License-Identifier: Apache-2.0
"""Pools applied from the operator's file, their catalogs, and what zones notice of it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redesignate.commands.pools import ApplyPool, DeletePool, GetPool, ListPools
from redesignate.commands.tsigkeys import CreateTSIGKey, DeleteTSIGKey, ListTSIGKeys
from redesignate.commands.upkeep import RefreshApexes
from redesignate.commands.work import PoolForWork
from redesignate.config.settings import DEFAULT_POOL_ID
from redesignate.model import errors
from redesignate.model.paging import ListQuery
from redesignate.model.pool import CatalogSpec, NSRecord, PoolSpec, TargetSpec
from redesignate.model.tsig import Scope
from redesignate.model.work import Role
from redesignate.model.zone import Status, Zone, ZoneType
from tests.central.conftest import Build
from tests.central.house import NS, OPERATOR, House
from tests.central.test_journal import check_chain, fresh

CATALOG = CatalogSpec(name="catalog.invalid.")


def test_applying_twice_changes_nothing(house: House) -> None:
    first = house.pool(servers=2, targets=2, catalog=CATALOG)
    zone = house.zone()
    house.serve()
    assert house.pool(servers=2, targets=2, catalog=CATALOG) == first
    assert house.call(GetPool(caller=OPERATOR, pool_id=first.id)) == first
    assert house.outbox(zone) is None


def test_what_the_file_leaves_out_stays(house: House) -> None:
    before = house.pool(servers=2, attributes={"tier": "gold"}, description="words", also_notifies=(("192.0.2.8", 53),))
    after = house.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(name="default")))
    assert after == before


def test_peers_keep_their_ids_while_their_address_stays(house: House) -> None:
    before = house.pool(servers=2, targets=2)
    after = house.pool(servers=3, targets=3)
    assert after.nameservers[:2] == before.nameservers
    assert after.targets[:2] == before.targets
    assert after.version == before.version + 1
    fewer = house.pool(servers=1, targets=1, description="x")
    assert (fewer.nameservers, fewer.targets) == (before.nameservers[:1], before.targets[:1])


def test_targets_of_one_address_keep_an_id_each(house: House) -> None:
    alike = (TargetSpec(type="fake"), TargetSpec(type="fake"))
    before = house.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(name="default", targets=alike)))
    after = house.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(name="default", targets=alike, description="x")))
    assert after.targets == before.targets
    assert len({target.id for target in after.targets}) == 2


def test_a_pool_is_found_by_id_and_then_renamed(house: House) -> None:
    renamed = house.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(id=DEFAULT_POOL_ID, name="renamed")))
    assert (renamed.id, renamed.name) == (DEFAULT_POOL_ID, "renamed")
    other = house.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(name="default")))
    assert other.id != renamed.id
    for spec in (PoolSpec(id=other.id, name="renamed"), PoolSpec(id="5" * 36, name="renamed")):
        with pytest.raises(errors.DuplicatePool):
            house.call(ApplyPool(caller=OPERATOR, spec=spec))
    listed = house.call(ListPools(caller=OPERATOR, query=ListQuery(sort_key="name")))
    assert [pool.name for pool in listed.items] == ["default", "renamed"]


@pytest.mark.parametrize(
    "spec",
    [
        {"name": ""},
        {"name": "x" * 51},
        {"description": "x" * 161},
        {"ns_records": (NSRecord("ns1.example.net", 1),)},
        {"ns_records": (NSRecord("ns1.example.net.", 0),)},
        {"nameservers": ({"port": 53},)},
        {"nameservers": ({"host": "192.0.2.1", "port": 65536},)},
        {"nameservers": ({"host": "192.0.2.1"}, {"host": "192.0.2.1", "port": 53})},
        {"targets": (TargetSpec(type="fake", primaries=(("192.0.2.1", 0),)),)},
        {"also_notifies": (("", 53),)},
        {"catalog": CatalogSpec(name="nodot")},
    ],
)
def test_a_pool_that_breaks_a_rule_is_refused(house: House, spec: dict[str, Any]) -> None:
    before = house.rows("pools")
    with pytest.raises(errors.InvalidObject):
        house.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(**({"name": "default"} | spec))))
    assert house.rows("pools") == before


def test_the_last_ns_record_stays(house: House) -> None:
    with pytest.raises(errors.LastServerKept):
        house.pool(ns_records=())


def test_a_pool_without_ns_records_takes_no_zones(build: Build) -> None:
    house = build(pool=False)
    house.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(id=DEFAULT_POOL_ID, name="default")))
    with pytest.raises(errors.NoServersConfigured):
        house.zone()


def test_a_pool_with_zones_stays(house: House) -> None:
    pool = house.pool(catalog=CATALOG)
    zone = house.zone()
    delete = DeletePool(caller=OPERATOR, pool_id=pool.id)
    with pytest.raises(errors.InvalidOperation):
        house.call(delete)
    house.delete(zone)
    house.serve()
    house.call(delete)
    with pytest.raises(errors.PoolNotFound):
        house.call(delete)


# -- peers


def test_a_new_peer_is_told_of_every_zone(house: House) -> None:
    zones = [house.zone(name=f"z{n}.org.") for n in range(3)]
    house.serve()
    house.pool(servers=2)
    tasks = house.begin(*zones)
    assert len(tasks) == 3
    for task in tasks:
        house.said(task, house.well(task))
    assert not house.rows("outbox")


def test_a_peer_that_left_is_forgotten(house: House) -> None:
    house.pool(servers=2)
    zone = house.zone()
    house.serve()
    assert len(house.rows("peer_states", zone_id=zone.id)) == 3
    house.pool(servers=1)
    assert len(house.rows("peer_states", zone_id=zone.id)) == 2


def test_a_target_with_other_primaries_is_told_anew(house: House) -> None:
    zone = house.zone()
    house.serve()
    target = TargetSpec(type="fake", options={"host": "192.0.2.1"}, primaries=(("192.0.2.99", 5354),))
    before = house.pool().targets
    after = house.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(name="default", targets=(target,)))).targets
    assert after[0].id == before[0].id
    (task,) = house.begin(zone)
    assert {state.peer_id for state in task.peers}.isdisjoint({after[0].id})


def test_a_worker_of_the_old_pool_cannot_call_the_new_one_done(house: House) -> None:
    zone = house.zone()
    (task,) = house.begin(zone)
    said = house.well(task)
    target = TargetSpec(type="fake", options={"host": "192.0.2.1"}, primaries=(("192.0.2.99", 5354),))
    house.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(name="default", targets=(target,))))
    assert house.said(task, said) == ()
    assert house.outbox(zone) is not None
    assert not house.begin(zone, worker="w2")  # the first may still be telling it something
    house.pass_time(10)
    (again,) = house.begin(zone, worker="w2")
    assert again.pool_version == task.pool_version + 1
    house.said(again, house.well(again), worker="w2")
    assert house.outbox(zone) is None


def test_zones_of_a_pool_without_nameservers_wait_without_spinning(build: Build) -> None:
    house = build(pool=False)
    house.pool(servers=0)
    zone = house.zone()
    (task,) = house.begin()
    house.said(task, house.well(task))
    assert house.outbox(zone) is None
    assert house.get(zone.id).status is Status.PENDING
    house.pool(servers=1)
    (task,) = house.begin(zone)
    house.said(task, house.well(task))
    assert house.get(zone.id).status is Status.ACTIVE


# -- apexes


def test_zones_follow_the_ns_records_of_their_pool(house: House) -> None:
    zones = [house.zone(name=f"z{n}.org.") for n in range(5)]
    house.serve()
    new = (NSRecord("ns3.example.net.", 1), NSRecord("ns1.example.net.", 5))
    house.pool(ns_records=new)
    steps = [house.call(RefreshApexes(limit=2)) for _ in range(4)]
    assert steps == [2, 2, 1, 0]
    for zone in zones:
        now = house.get(zone.id)
        assert (now.mname, now.status) == ("ns3.example.net.", Status.PENDING)
        assert set(house.rrsets(now)[now.name, "NS"].records) == {"ns1.example.net.", "ns3.example.net."}
        check_chain(house, now)


def test_a_change_of_priority_changes_the_mname_alone(house: House) -> None:
    zone = house.zone()
    before = house.content(zone)
    house.pool(ns_records=(replace(NS[0], priority=9), NS[1]))
    assert house.call(RefreshApexes()) == 1
    assert house.get(zone.id).mname == "ns2.example.net."
    assert house.content(zone) == before


def test_secondary_and_going_zones_keep_their_serial(house: House) -> None:
    secondary = house.zone(name="s.org.", type=ZoneType.SECONDARY, email=None, primaries=("192.0.2.1",))
    going = house.delete(house.zone(name="g.org."))
    house.pool(ns_records=(NSRecord("ns9.example.net.", 1),))
    assert house.call(RefreshApexes()) == 2
    assert house.call(RefreshApexes()) == 0
    assert house.get(secondary.id) == secondary
    assert house.get(going.id) == going


# -- catalogs


def catalog_of(house: House) -> Any:
    return next((row for row in house.rows("zones", type="CATALOG") if row.deleted == ""), None)


def check_catalog(house: House) -> None:
    """The catalog's members are the pool's living zones, and its journal says so."""
    row = catalog_of(house)
    if row is None:
        return
    with house.store.read() as work:
        catalog = work.zones.get(row.id)
    assert catalog is not None
    listed = {
        rrset.name.removesuffix(f".zones.{catalog.name}"): rrset.records
        for rrset in house.rrsets(catalog).values()
        if rrset.type == "PTR"
    }
    zones = house.rows("zones", deleted="")
    assert listed == {zone.id: (zone.name,) for zone in zones if zone.type != "CATALOG" and zone.action != "DELETE"}
    assert house.rrsets(catalog)[f"version.{catalog.name}", "TXT"].records == ('"2"',)
    (version,) = house.rows("zones", id=row.id)
    assert version.rrset_count == len(house.rrsets(catalog))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(
        st.sampled_from(["create", "delete", "again", "serve", "catalog", "no catalog", "other catalog", "refresh"]),
        min_size=3,
        max_size=20,
    ),
    seed=st.integers(),
)
def test_a_catalog_lists_the_zones_of_its_pool_at_every_step(empty_database: Any, steps: list[str], seed: int) -> None:
    chance = random.Random(seed)
    with fresh(empty_database) as house:
        zones: list[Zone] = []
        for at, step in enumerate(steps):
            match step:
                case "create":
                    zones.append(house.zone(name=f"z{at}.org."))
                case "delete" | "again" if zones:
                    zone = chance.choice(zones)
                    house.delete(zone)
                    if step == "again":
                        house.serve()
                        zones = [one for one in zones if house.rows("zones", id=one.id, deleted="")]
                        zones.append(house.zone(name=zone.name))
                case "serve":
                    house.serve()
                    zones = [zone for zone in zones if house.rows("zones", id=zone.id, deleted="")]
                case "catalog" | "other catalog" | "no catalog" | "refresh":
                    name = {"other catalog": "other.invalid.", "no catalog": ""}.get(step, CATALOG.name)
                    house.pool(catalog=CatalogSpec(name=name, refresh=chance.choice([60, 61])))
                    assert (catalog_of(house) is None) == (name == "")
                case _:
                    pass
            check_catalog(house)
        for row in house.rows("zones", type="CATALOG", deleted=""):
            with house.store.read() as work:
                catalog = work.zones.get(row.id)
            assert catalog is not None
            check_chain_of_catalog(house, catalog)


def test_a_catalog_made_later_leaves_out_what_is_going(house: House) -> None:
    house.zone(name="stays.org.")
    house.delete(house.zone(name="goes.org."))
    house.pool(catalog=CATALOG)
    check_catalog(house)


def check_chain_of_catalog(house: House, catalog: Zone) -> None:
    rows = sorted(house.rows("journal", zone_id=catalog.id), key=lambda row: row.revision)
    assert [row.revision for row in rows] == list(range(1, catalog.revision + 1))
    assert rows[-1].serial_to == catalog.serial


def test_a_catalog_is_told_like_any_zone_and_names_the_serial_to_notify(house: House) -> None:
    house.pool(catalog=CATALOG)
    house.serve()
    zone = house.zone()
    row = catalog_of(house)
    assert set(house.hints) == {row.id, zone.id}
    tasks = {task.zone_id: task for task in house.begin()}
    assert tasks[zone.id].catalog == (CATALOG.name, row.serial)
    assert tasks[row.id].type is ZoneType.CATALOG


def test_a_catalog_that_is_made_again_goes_on_with_its_serial(house: House) -> None:
    house.pool(catalog=CATALOG)
    for n in range(5):
        house.zone(name=f"z{n}.org.")
    before = catalog_of(house).serial
    house.pool(catalog=CatalogSpec(name=""))
    house.pool(catalog=CATALOG)
    assert catalog_of(house).serial == before + 1


def test_targets_that_lose_their_catalog_are_told_of_every_zone_themselves(house: House) -> None:
    house.pool(catalog=CATALOG)
    zone = house.zone()
    house.serve()
    house.pool(catalog=CatalogSpec(name=""))
    (task,) = house.begin(zone)
    assert task.catalog is None
    assert {state.role for state in task.peers} == {Role.NAMESERVER}


def test_a_catalog_takes_nobodys_name(house: House) -> None:
    house.zone()
    with pytest.raises(errors.DuplicateZone):
        house.pool(catalog=CatalogSpec(name="example.org."))
    house.pool(catalog=CATALOG)
    with pytest.raises(errors.DuplicateZone):
        house.zone(name=CATALOG.name)


def test_a_catalogs_secret_comes_back(house: House) -> None:
    given = CatalogSpec(name=CATALOG.name, algorithm="hmac-sha256", secret="c2VjcmV0")
    pool = house.pool(catalog=given)
    assert pool.catalog is not None
    assert (pool.catalog.secret, pool.catalog.algorithm) == ("c2VjcmV0", "hmac-sha256")


# -- keys


def key(name: str = "Key.", **new: Any) -> CreateTSIGKey:
    given: dict[str, Any] = {
        "algorithm": "hmac-sha256",
        "secret": "c2VjcmV0",
        "scope": Scope.POOL,
        "resource_id": DEFAULT_POOL_ID,
    }
    return CreateTSIGKey(caller=OPERATOR, name=name, **(given | new))


def test_keys_are_made_listed_and_removed(house: House) -> None:
    made = house.call(key())
    assert (made.name, house.call(ListTSIGKeys(caller=OPERATOR))) == ("key", (made,))
    with pytest.raises(errors.DuplicateTSIGKey):
        house.call(key("KEY"))
    house.call(DeleteTSIGKey(caller=OPERATOR, key_id=made.id))
    with pytest.raises(errors.TSIGKeyNotFound):
        house.call(DeleteTSIGKey(caller=OPERATOR, key_id=made.id))


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        ({"algorithm": "rot13"}, errors.InvalidObject),
        ({"secret": "not base64!"}, errors.InvalidObject),
        ({"name": "a..b"}, errors.InvalidObject),
        ({"name": "x" * 161}, errors.InvalidObject),
        ({"resource_id": "nowhere"}, errors.InvalidTSIGKey),
        ({"scope": Scope.ZONE}, errors.InvalidTSIGKey),
    ],
)
def test_a_key_that_breaks_a_rule_is_refused(house: House, new: dict[str, Any], problem: type[Exception]) -> None:
    with pytest.raises(problem):
        house.call(key(**new))


def test_a_worker_gets_the_keys_of_its_pools_peers(house: House) -> None:
    made, _unused = house.call(key()), house.call(key("other"))
    house.pool(nameservers=({"host": "192.0.2.1", "port": 53, "tsigkey_id": made.id},))
    assert house.call(PoolForWork(pool_id=DEFAULT_POOL_ID)).keys == (made,)
