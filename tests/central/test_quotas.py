# SPDX-License-Identifier: Apache-2.0
"""Quotas, limits, services and groups; the scheduler's filters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from redesignate.central.rules.scheduler import check_filters
from redesignate.commands.quotas import GetLimits, GetQuotas, ResetQuotas, SetQuotas
from redesignate.commands.services import CheckServices, GetService, Heartbeat, HoldPartition, ListServices
from redesignate.config.settings import DEFAULT_POOL_ID, QUOTAS
from redesignate.model import errors
from redesignate.model.caller import Caller
from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.service import ServiceState
from tests.central.conftest import Build
from tests.central.driver import OPERATOR, OTHER_POOL, CentralDriver, admin, member


@pytest.fixture
def plain(build: Build) -> CentralDriver:
    return build(quotas=QUOTAS)


def test_quotas_are_the_operators_until_set_and_after_reset(plain: CentralDriver) -> None:
    seer = admin(all_projects=True)
    assert plain.call(GetQuotas(caller=member(), project_id=None)) == QUOTAS
    changed = plain.call(SetQuotas(caller=seer, project_id="p2", limits={"zones": 7, "zone_records": -1}))
    assert changed == dict(QUOTAS, zones=7, zone_records=-1)
    plain.call(SetQuotas(caller=seer, project_id="p2", limits={"zones": 8}))
    assert plain.call(GetQuotas(caller=member("p2"), project_id="p2")) == changed | {"zones": 8}
    assert plain.call(GetQuotas(caller=member(), project_id=None)) == QUOTAS
    plain.call(ResetQuotas(caller=admin(), project_id="p2"))
    assert plain.call(GetQuotas(caller=seer, project_id="p2")) == QUOTAS


def test_far_too_many_records_are_refused_before_they_are_read(plain: CentralDriver) -> None:
    zone = plain.zone()
    made = plain.rrset(zone, "www")
    many = tuple(f"no address {n}" for n in range(1000))
    with pytest.raises(errors.OverQuota, match="recordset_records"):
        plain.rrset(zone, "many", records=many)
    with pytest.raises(errors.OverQuota, match="recordset_records"):
        plain.put(made, records=many)
    with pytest.raises(errors.ZoneNotFound):
        plain.rrset(zone, "many", records=many, caller=member("p2"))
    with pytest.raises(errors.InvalidObject):
        plain.rrset(zone, "few", records=many[:51])
    plain.call(SetQuotas(caller=admin(), project_id="p1", limits={"recordset_records": -1}))
    with pytest.raises(errors.InvalidObject):
        plain.rrset(zone, "many", records=many)


@pytest.mark.parametrize("limits", [{"nonsense": 1}, {"zones": -2}, {"zones": 2**31}])
def test_a_quota_that_makes_no_sense_is_refused(plain: CentralDriver, limits: dict[str, int]) -> None:
    with pytest.raises(errors.InvalidObject):
        plain.call(SetQuotas(caller=admin(), project_id="p1", limits={"zone_records": 1} | limits))
    assert not plain.rows("quotas")


def test_another_projects_quotas_need_the_switch(plain: CentralDriver) -> None:
    for ask in (
        GetQuotas(caller=admin(), project_id="p2"),
        SetQuotas(caller=admin(), project_id="p2", limits={"zones": 1}),
        GetQuotas(caller=member(), project_id="p2"),
    ):
        with pytest.raises(errors.Forbidden):
            plain.call(ask)
    with pytest.raises(errors.MissingProject):
        plain.call(GetQuotas(caller=Caller(request_id="r", roles=("admin",)), project_id=None))
    with pytest.raises(errors.InvalidProject):
        plain.call(SetQuotas(caller=OPERATOR, project_id="x" * 37, limits={"zones": 1}))


def test_without_a_driver_quotas_are_the_operators_for_ever(build: Build) -> None:
    central = build(quotas=QUOTAS, quota_driver="noop")
    central.call(SetQuotas(caller=admin(), project_id="p1", limits={"zones": 1}))
    assert central.call(GetQuotas(caller=member(), project_id=None)) == QUOTAS


def test_a_negative_limit_is_none(build: Build) -> None:
    central = build(quotas=dict(QUOTAS, zones=-1))
    for n in range(12):
        central.zone(name=f"z{n}.org.")


def test_limits_are_open_to_all_and_know_what_was_set(build: Build) -> None:
    central = build(quotas=QUOTAS, min_ttl=60, max_zone_name_len=200, max_recordset_name_len=201)
    central.call(SetQuotas(caller=admin(), project_id="p1", limits={"zones": 99}))
    found = central.call(GetLimits(caller=member("p1", "nobody")))
    assert found == {
        "max_zones": 99, "max_zone_recordsets": 500, "max_zone_records": 500, "max_recordset_records": 20,
        "min_ttl": 60, "max_zone_name_length": 200, "max_recordset_name_length": 201,
    }  # fmt: skip


# -- services and groups


def beat(central: CentralDriver, host: str, status: ServiceState = ServiceState.UP) -> None:
    central.call(Heartbeat(service_name="worker", hostname=host, status=status))


def worker(
    central: CentralDriver, process: str, status: ServiceState = ServiceState.UP, *, zones: int = 0, took: int = 0,
    late: bool = False,
) -> None:  # fmt: skip
    """One of several workers on the host "a", with an interval of 10 s."""
    stats = {"audit": {"zones": zones, "seconds": took, "interval": 300, "late": late}}
    beat = Heartbeat(
        service_name="worker", hostname="a", status=status, stats=stats, process=process, believed_s=30
    )  # fmt: skip
    central.call(beat)


def shown(central: CentralDriver) -> tuple[str, int, int, bool]:
    """What the host's row says: status, zones, seconds, late."""
    (one,) = central.call(ListServices(caller=OPERATOR, query=ListQuery())).items
    audit = one.stats["audit"]
    return one.status.value, audit["zones"], audit["seconds"], bool(audit["late"])


def test_the_workers_on_one_host_share_a_row_that_has_the_figures_of_all(anywhere: Build) -> None:
    central = anywhere()
    worker(central, "p1", zones=100, took=400, late=True)
    worker(central, "p2", zones=50, took=30)
    assert shown(central) == ("UP", 150, 400, True)
    worker(central, "p1", zones=70, took=20)
    assert shown(central) == ("UP", 120, 30, False)


def test_a_service_runs_until_the_last_of_its_processes_on_a_host_stops(central: CentralDriver) -> None:
    worker(central, "p1", zones=100, took=400)
    worker(central, "p2", zones=50, took=30)
    worker(central, "p1", ServiceState.STOPPED)
    assert shown(central) == ("UP", 50, 30, False)
    worker(central, "p2", ServiceState.STOPPED, zones=50)
    assert shown(central) == ("STOPPED", 50, 0, False)
    worker(central, "p3", zones=7)
    assert shown(central) == ("UP", 7, 0, False)


def test_a_process_that_was_killed_counts_until_it_was_silent_for_too_long(central: CentralDriver) -> None:
    worker(central, "p1", zones=100, took=400)
    central.pass_time(29)
    worker(central, "p2", zones=50, took=30)
    assert shown(central)[1] == 150
    central.pass_time(2)
    worker(central, "p2", zones=50, took=30)
    assert shown(central)[1] == 50


def test_a_process_heard_before_the_clock_was_set_back_is_forgotten(central: CentralDriver) -> None:
    worker(central, "p1", zones=100)
    central.pass_time(-7200)
    worker(central, "p2", zones=50)
    assert shown(central)[1] == 50


def services(central: CentralDriver, **query: Any) -> dict[str, ServiceState]:
    page = central.call(ListServices(caller=OPERATOR, query=ListQuery(**({"sort_key": "hostname"} | query))))
    return {service.hostname: service.status for service in page.items}


def test_a_service_has_one_row_and_says_how_it_is(central: CentralDriver) -> None:
    beat(central, "a")
    central.pass_time(10)
    beat(central, "a")
    (row,) = central.rows("services")
    assert (row.heartbeated_at, row.created_at) == (central.time, central.time - 10_000_000)
    found = central.call(GetService(caller=OPERATOR, service_id=row.id))
    assert (found.service_name, found.status, found.updated_at) == ("worker", ServiceState.UP, central.time)
    beat(central, "a", ServiceState.STOPPED)
    assert services(central) == {"a": ServiceState.STOPPED}
    with pytest.raises(errors.ServiceNotFound):
        central.call(GetService(caller=OPERATOR, service_id="nowhere"))
    condition = Condition("status", Op.EQ, "UP")
    assert services(central, conditions=(condition,)) == {}


def test_who_falls_silent_is_down_and_at_last_forgotten(central: CentralDriver) -> None:
    beat(central, "silent")
    beat(central, "stopped", ServiceState.STOPPED)
    central.pass_time(100)
    beat(central, "well")
    assert central.call(CheckServices(silent_s=50)) == 1
    assert services(central)["silent"] is ServiceState.DOWN
    assert central.call(CheckServices(forget_s=0)) == 1
    assert services(central) == {"silent": ServiceState.DOWN, "well": ServiceState.UP}
    assert central.call(CheckServices(forget_s=50)) == 1
    assert services(central) == {"well": ServiceState.UP}


def hold(central: CentralDriver, member: str, group: str = "producer") -> tuple[int, int]:
    place = central.call(HoldPartition(group=group, member=member, lease_s=15))
    return place.index, place.count


def test_members_of_a_group_hear_their_place_while_they_live(central: CentralDriver) -> None:
    assert hold(central, "b") == (0, 1)
    assert hold(central, "a") == (0, 2)
    assert hold(central, "b") == (1, 2)
    assert hold(central, "x", "other") == (0, 1)
    central.pass_time(10)
    hold(central, "a")
    central.pass_time(6)
    assert hold(central, "a") == (0, 1)


def test_a_clock_set_back_keeps_no_dead_member_alive(central: CentralDriver) -> None:
    hold(central, "dead")
    central.pass_time(-3600)
    assert hold(central, "a") == (0, 1)


# -- the scheduler

GOLD = {"tier": "gold", "secure": "True"}


@pytest.mark.parametrize(
    ("filters", "attributes", "pool"),
    [
        (("default_pool",), {}, "default"),
        (("default_pool",), {"pool_id": OTHER_POOL}, "default"),
        (("attribute",), {"tier": "gold"}, "second"),
        (("attribute",), {"tier": "GOLD", "secure": "yes"}, "second"),
        (("attribute",), {"tier": "lead"}, errors.NoValidPool),
        (("attribute",), {}, errors.MultiplePoolsFound),
        (("attribute", "in_doubt_default_pool"), {}, "default"),
        (("attribute", "fallback"), {"tier": "lead"}, "default"),
        (("pool_id_attribute", "in_doubt_default_pool"), {"pool_id": OTHER_POOL}, "second"),
        (("pool_id_attribute",), {"pool_id": "nowhere"}, errors.NoValidPool),
        (("attribute", "pool_id_attribute"), {"pool_id": OTHER_POOL, "tier": "gold"}, "second"),
        (("attribute", "pool_id_attribute"), {"pool_id": OTHER_POOL, "tier": "iron"}, errors.NoValidPool),
        (("random",), {}, None),
        (("nonsense",), {}, errors.Misconfigured),
    ],
)
def test_filters_choose_the_pool(
    build: Build, filters: tuple[str, ...], attributes: dict[str, str], pool: str | type[Exception] | None
) -> None:
    central = build(pool=False, scheduler_filters=filters)
    central.pool(attributes={"tier": "iron"})
    central.second_pool(attributes=GOLD)
    if isinstance(pool, type):
        with pytest.raises(pool):
            central.zone(caller=admin(), attributes=attributes)
        return
    made = central.zone(caller=admin(), attributes=attributes)
    chosen = "second" if made.pool_id == OTHER_POOL else "default"
    assert pool in (chosen, None)


def test_a_pool_without_attributes_takes_any_zone(build: Build) -> None:
    central = build(scheduler_filters=("attribute",))
    central.zone(attributes={"tier": "gold"})


def test_only_administrators_force_a_pool(build: Build) -> None:
    central = build(scheduler_filters=("pool_id_attribute", "in_doubt_default_pool"))
    central.second_pool()
    with pytest.raises(errors.Forbidden):
        central.zone(attributes={"pool_id": OTHER_POOL})
    central.zone(caller=admin(), attributes={"pool_id": OTHER_POOL})


def test_a_pool_beside_the_default_one_needs_a_key(build: Build) -> None:
    central = build(scheduler_filters=("pool_id_attribute",))
    central.pool(id=OTHER_POOL, name="second")
    with pytest.raises(errors.BadInput, match="TSIG"):
        central.zone(caller=admin(), attributes={"pool_id": OTHER_POOL})


PLUG_IN = """
def nearest(choice):
    return [pool for pool in choice.left if pool.attributes.get("region") == choice.zone.attributes.get("region")]

broken = 7
"""


@pytest.fixture
def plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that offers filters."""
    (tmp_path / "acme_filters.py").write_text(PLUG_IN)
    about = tmp_path / "acme_filters-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-filters\nVersion: 1.0\n")
    lines = ("nearest = acme_filters:nearest", "broken = acme_filters:broken", "absent = acme_filters:absent")
    (about / "entry_points.txt").write_text("\n".join(["[redesignate.scheduler.filters]", *lines]))
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("plug_ins")
def test_a_filter_of_an_installed_package_chooses_the_pool(build: Build) -> None:
    central = build(pool=False, scheduler_filters=("nearest", "fallback"))
    central.pool(attributes={"region": "north"})
    central.second_pool(attributes={"region": "south"})
    assert central.zone(attributes={"region": "south"}).pool_id == OTHER_POOL
    assert central.zone("b.org.", attributes={"region": "west"}).pool_id == DEFAULT_POOL_ID


@pytest.mark.usefixtures("plug_ins")
@pytest.mark.parametrize(
    ("name", "why"),
    [("nowhere", "known are attribute"), ("broken", "is not a function"), ("absent", "cannot be loaded")],
)
def test_a_filter_that_cannot_be_used_is_refused_when_central_starts(name: str, why: str) -> None:
    check_filters(("attribute", "nearest"))
    with pytest.raises(errors.Misconfigured, match=why):
        check_filters(("attribute", name))
