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
from redesignate.commands.upkeep import RefreshApexes
from redesignate.config.settings import DEFAULT_POOL_ID
from redesignate.model import errors
from redesignate.model.paging import ListQuery
from redesignate.model.pool import CatalogSpec, NSRecord, PoolSpec, TargetSpec
from redesignate.model.work import Role
from redesignate.model.zone import Status, Zone, ZoneType
from tests.central.conftest import Build
from tests.central.driver import NS, OPERATOR, CentralDriver
from tests.central.test_journal import check_chain, fresh

CATALOG = CatalogSpec(name="catalog.invalid.")


def test_applying_twice_changes_nothing(central: CentralDriver) -> None:
    first = central.pool(servers=2, targets=2, catalog=CATALOG)
    zone = central.zone()
    central.serve()
    assert central.pool(servers=2, targets=2, catalog=CATALOG) == first
    assert central.call(GetPool(caller=OPERATOR, pool_id=first.id)) == first
    assert central.outbox(zone) is None


def test_what_the_file_leaves_out_stays(central: CentralDriver) -> None:
    before = central.pool(
        servers=2, attributes={"tier": "gold"}, description="words", also_notifies=(("192.0.2.8", 53),)
    )
    after = central.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(name="default")))
    assert after == before


def test_peers_keep_their_ids_while_their_address_stays(central: CentralDriver) -> None:
    before = central.pool(servers=2, targets=2)
    after = central.pool(servers=3, targets=3)
    assert after.nameservers[:2] == before.nameservers
    assert after.targets[:2] == before.targets
    assert after.version == before.version + 1
    fewer = central.pool(servers=1, targets=1, description="x")
    assert (fewer.nameservers, fewer.targets) == (before.nameservers[:1], before.targets[:1])


def test_targets_of_one_address_keep_an_id_each(central: CentralDriver) -> None:
    alike = (TargetSpec(type="fake"), TargetSpec(type="fake"))
    before = central.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(name="default", targets=alike)))
    after = central.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(name="default", targets=alike, description="x")))
    assert after.targets == before.targets
    assert len({target.id for target in after.targets}) == 2


def test_a_pool_is_found_by_id_and_then_renamed(central: CentralDriver) -> None:
    renamed = central.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(id=DEFAULT_POOL_ID, name="renamed")))
    assert (renamed.id, renamed.name) == (DEFAULT_POOL_ID, "renamed")
    other = central.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(name="default")))
    assert other.id != renamed.id
    for spec in (PoolSpec(id=other.id, name="renamed"), PoolSpec(id="5" * 36, name="renamed")):
        with pytest.raises(errors.DuplicatePool):
            central.call(ApplyPool(caller=OPERATOR, spec=spec))
    listed = central.call(ListPools(caller=OPERATOR, query=ListQuery(sort_key="name")))
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
def test_a_pool_that_breaks_a_rule_is_refused(central: CentralDriver, spec: dict[str, Any]) -> None:
    before = central.rows("pools")
    with pytest.raises(errors.InvalidObject):
        central.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(**({"name": "default"} | spec))))
    assert central.rows("pools") == before


def test_the_last_ns_record_stays(central: CentralDriver) -> None:
    with pytest.raises(errors.LastServerKept):
        central.pool(ns_records=())


def test_a_pool_without_ns_records_takes_no_zones(build: Build) -> None:
    central = build(pool=False)
    central.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(id=DEFAULT_POOL_ID, name="default")))
    with pytest.raises(errors.NoServersConfigured):
        central.zone()


def test_a_pool_with_zones_stays(central: CentralDriver) -> None:
    pool = central.pool(catalog=CATALOG)
    zone = central.zone()
    delete = DeletePool(caller=OPERATOR, pool_id=pool.id)
    with pytest.raises(errors.InvalidOperation):
        central.call(delete)
    central.delete(zone)
    central.serve()
    central.call(delete)
    with pytest.raises(errors.PoolNotFound):
        central.call(delete)


# -- peers


def test_a_new_peer_is_told_of_every_zone(central: CentralDriver) -> None:
    zones = [central.zone(name=f"z{n}.org.") for n in range(3)]
    central.serve()
    central.pool(servers=2)
    tasks = central.begin(*zones)
    assert len(tasks) == 3
    for task in tasks:
        central.said(task, central.as_wanted(task))
    assert not central.rows("outbox")


def test_a_peer_that_left_is_forgotten(central: CentralDriver) -> None:
    central.pool(servers=2)
    zone = central.zone()
    central.serve()
    assert len(central.rows("peer_states", zone_id=zone.id)) == 3
    central.pool(servers=1)
    assert len(central.rows("peer_states", zone_id=zone.id)) == 2


def test_a_target_with_other_primaries_is_told_anew(central: CentralDriver) -> None:
    zone = central.zone()
    central.serve()
    target = TargetSpec(type="fake", options={"host": "192.0.2.1"}, primaries=(("192.0.2.99", 5354),))
    before = central.pool().targets
    after = central.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(name="default", targets=(target,)))).targets
    assert after[0].id == before[0].id
    (task,) = central.begin(zone)
    assert {state.peer_id for state in task.peers}.isdisjoint({after[0].id})


def test_a_worker_of_the_old_pool_cannot_call_the_new_one_done(central: CentralDriver) -> None:
    zone = central.zone()
    (task,) = central.begin(zone)
    said = central.as_wanted(task)
    target = TargetSpec(type="fake", options={"host": "192.0.2.1"}, primaries=(("192.0.2.99", 5354),))
    central.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(name="default", targets=(target,))))
    assert central.said(task, said) == ()
    assert central.outbox(zone) is not None
    assert not central.begin(zone, worker="w2")  # the first may still be telling it something
    central.pass_time(10)
    (again,) = central.begin(zone, worker="w2")
    assert again.pool_version == task.pool_version + 1
    central.said(again, central.as_wanted(again), worker="w2")
    assert central.outbox(zone) is None


def test_zones_of_a_pool_without_nameservers_wait_without_spinning(build: Build) -> None:
    central = build(pool=False)
    central.pool(servers=0)
    zone = central.zone()
    (task,) = central.begin()
    central.said(task, central.as_wanted(task))
    assert central.outbox(zone) is None
    assert central.get(zone.id).status is Status.PENDING
    central.pool(servers=1)
    (task,) = central.begin(zone)
    central.said(task, central.as_wanted(task))
    assert central.get(zone.id).status is Status.ACTIVE


# -- apexes


def test_zones_follow_the_ns_records_of_their_pool(central: CentralDriver) -> None:
    zones = [central.zone(name=f"z{n}.org.") for n in range(5)]
    central.serve()
    new = (NSRecord("ns3.example.net.", 1), NSRecord("ns1.example.net.", 5))
    central.pool(ns_records=new)
    steps = [central.call(RefreshApexes(limit=2)) for _ in range(4)]
    assert steps == [2, 2, 1, 0]
    for zone in zones:
        now = central.get(zone.id)
        assert (now.mname, now.status) == ("ns3.example.net.", Status.PENDING)
        assert set(central.rrsets(now)[now.name, "NS"].records) == {"ns1.example.net.", "ns3.example.net."}
        check_chain(central, now)


def test_a_change_of_priority_changes_the_mname_alone(central: CentralDriver) -> None:
    zone = central.zone()
    before = central.content(zone)
    central.pool(ns_records=(replace(NS[0], priority=9), NS[1]))
    assert central.call(RefreshApexes()) == 1
    assert central.get(zone.id).mname == "ns2.example.net."
    assert central.content(zone) == before


def test_secondary_and_going_zones_keep_their_serial(central: CentralDriver) -> None:
    secondary = central.zone(name="s.org.", type=ZoneType.SECONDARY, email=None, primaries=("192.0.2.1",))
    going = central.delete(central.zone(name="g.org."))
    central.pool(ns_records=(NSRecord("ns9.example.net.", 1),))
    assert central.call(RefreshApexes()) == 2
    assert central.call(RefreshApexes()) == 0
    assert central.get(secondary.id) == secondary
    assert central.get(going.id) == going


# -- catalogs


def catalog_of(central: CentralDriver) -> Any:
    return next((row for row in central.rows("zones", type="CATALOG") if row.deleted == ""), None)


def check_catalog(central: CentralDriver) -> None:
    """The catalog's members are the pool's living zones, and its journal says so."""
    row = catalog_of(central)
    if row is None:
        return
    with central.store.read() as work:
        catalog = work.zones.get(row.id)
    assert catalog is not None
    listed = {
        rrset.name.removesuffix(f".zones.{catalog.name}"): rrset.records
        for rrset in central.rrsets(catalog).values()
        if rrset.type == "PTR"
    }
    zones = central.rows("zones", deleted="")
    assert listed == {zone.id: (zone.name,) for zone in zones if zone.type != "CATALOG" and zone.action != "DELETE"}
    assert central.rrsets(catalog)[f"version.{catalog.name}", "TXT"].records == ('"2"',)
    (version,) = central.rows("zones", id=row.id)
    assert version.rrset_count == len(central.rrsets(catalog))


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
    with fresh(empty_database) as central:
        zones: list[Zone] = []
        for at, step in enumerate(steps):
            match step:
                case "create":
                    zones.append(central.zone(name=f"z{at}.org."))
                case "delete" | "again" if zones:
                    zone = chance.choice(zones)
                    central.delete(zone)
                    if step == "again":
                        central.serve()
                        zones = [one for one in zones if central.rows("zones", id=one.id, deleted="")]
                        zones.append(central.zone(name=zone.name))
                case "serve":
                    central.serve()
                    zones = [zone for zone in zones if central.rows("zones", id=zone.id, deleted="")]
                case "catalog" | "other catalog" | "no catalog" | "refresh":
                    name = {"other catalog": "other.invalid.", "no catalog": ""}.get(step, CATALOG.name)
                    central.pool(catalog=CatalogSpec(name=name, refresh=chance.choice([60, 61])))
                    assert (catalog_of(central) is None) == (name == "")
                case _:
                    pass
            check_catalog(central)
        for row in central.rows("zones", type="CATALOG", deleted=""):
            with central.store.read() as work:
                catalog = work.zones.get(row.id)
            assert catalog is not None
            check_chain_of_catalog(central, catalog)


def test_a_catalog_made_later_leaves_out_what_is_going(central: CentralDriver) -> None:
    central.zone(name="stays.org.")
    central.delete(central.zone(name="goes.org."))
    central.pool(catalog=CATALOG)
    check_catalog(central)


def check_chain_of_catalog(central: CentralDriver, catalog: Zone) -> None:
    rows = sorted(central.rows("journal", zone_id=catalog.id), key=lambda row: row.revision)
    assert [row.revision for row in rows] == list(range(1, catalog.revision + 1))
    assert rows[-1].serial_to == catalog.serial


def test_a_catalog_is_told_like_any_zone_and_names_the_serial_to_notify(central: CentralDriver) -> None:
    central.pool(catalog=CATALOG)
    central.serve()
    zone = central.zone()
    row = catalog_of(central)
    assert set(central.hints) == {row.id, zone.id}
    tasks = {task.zone_id: task for task in central.begin()}
    assert tasks[zone.id].catalog == (CATALOG.name, row.serial)
    assert tasks[row.id].type is ZoneType.CATALOG


def test_a_catalog_that_is_made_again_goes_on_with_its_serial(central: CentralDriver) -> None:
    central.pool(catalog=CATALOG)
    for n in range(5):
        central.zone(name=f"z{n}.org.")
    before = catalog_of(central).serial
    central.pool(catalog=CatalogSpec(name=""))
    central.pool(catalog=CATALOG)
    assert catalog_of(central).serial > before


def test_targets_that_lose_their_catalog_are_told_of_every_zone_themselves(central: CentralDriver) -> None:
    central.pool(catalog=CATALOG)
    zone = central.zone()
    central.serve()
    central.pool(catalog=CatalogSpec(name=""))
    (task,) = central.begin(zone)
    assert task.catalog is None
    assert {state.role for state in task.peers} == {Role.NAMESERVER}


def test_a_catalog_takes_nobodys_name(central: CentralDriver) -> None:
    central.zone()
    with pytest.raises(errors.DuplicateZone):
        central.pool(catalog=CatalogSpec(name="example.org."))
    central.pool(catalog=CATALOG)
    with pytest.raises(errors.DuplicateZone):
        central.zone(name=CATALOG.name)


def test_a_catalogs_secret_comes_back(central: CentralDriver) -> None:
    given = CatalogSpec(name=CATALOG.name, algorithm="hmac-sha256", secret="c2VjcmV0")
    pool = central.pool(catalog=given)
    assert pool.catalog is not None
    assert (pool.catalog.secret, pool.catalog.algorithm) == ("c2VjcmV0", "hmac-sha256")
