# SPDX-License-Identifier: Apache-2.0
"""Pools as the API writes them: what is refused, and how changed NS records reach the pool's zones."""

from __future__ import annotations

from typing import Any

import pytest

from redesignate.commands.pools import CreatePool, DeletePool, GetPool, GetPoolReach, PoolReach, UpdatePool
from redesignate.commands.table import SECRET
from redesignate.commands.upkeep import RefreshApexes
from redesignate.config.settings import DEFAULT_POOL_ID
from redesignate.model import errors
from redesignate.model.pool import CatalogSpec, NewPool, NSRecord, Pool, PoolChange
from tests.central.conftest import Build
from tests.central.driver import NS, CentralDriver, admin
from tests.central.test_races import at_once

NOWHERE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


def create(central: CentralDriver, name: str = "other", **new: Any) -> Pool:
    return central.call(CreatePool(caller=admin(), new=NewPool(name=name, **new)))


def patch(central: CentralDriver, pool_id: str = DEFAULT_POOL_ID, **change: Any) -> Pool:
    return central.call(UpdatePool(caller=admin(), pool_id=pool_id, change=PoolChange(**change)))


def reach(central: CentralDriver) -> PoolReach:
    return central.call(GetPoolReach(caller=admin(), pool_id=DEFAULT_POOL_ID))


def test_a_pool_is_made_changed_and_deleted(central: CentralDriver) -> None:
    made = create(central, description="d", attributes={"tier": "gold"}, ns_records=NS)
    assert (made.project_id, made.targets, made.ns_records) == ("p1", (), NS)
    assert create(central, "third", project_id="p9").project_id == "p9"
    changed = patch(central, made.id, name="gold", description=None, attributes={})
    assert (changed.name, changed.description, dict(changed.attributes)) == ("gold", None, {})
    assert changed.ns_records == NS
    assert changed.version == made.version + 1
    assert patch(central, made.id, description=None) == changed
    central.call(DeletePool(caller=admin(), pool_id=made.id))
    with pytest.raises(errors.PoolNotFound):
        central.call(GetPool(caller=admin(), pool_id=made.id))


def test_what_the_api_changes_leaves_the_servers_and_the_catalog(central: CentralDriver) -> None:
    before = central.pool(servers=2, targets=2, catalog=CatalogSpec(name="catalog.invalid.", secret="c2VjcmV0"))
    after = patch(central, description="x")
    assert (after.targets, after.nameservers, after.catalog) == (before.targets, before.nameservers, before.catalog)
    assert not central.rows("pool_changes")
    assert UpdatePool in SECRET  # its answer holds the catalog's key


@pytest.mark.parametrize(
    ("new", "fault"),
    [
        ({"name": "default"}, errors.DuplicatePool),
        ({"name": ""}, errors.InvalidObject),
        ({"name": "x" * 51}, errors.InvalidObject),
        ({"description": "x" * 161}, errors.InvalidObject),
        ({"attributes": {"k": "v" * 51}}, errors.InvalidObject),
        ({"ns_records": (NSRecord("no dot", 1),)}, errors.InvalidObject),
        ({"ns_records": (NSRecord("ns1.example.net.", 0),)}, errors.InvalidObject),
        ({"ns_records": (NSRecord("ns1.example.net.", 1), NSRecord("NS1.example.net.", 2))}, errors.DuplicateNSRecord),
        ({"ns_records": tuple(NSRecord(f"ns{n}.example.net.", 1) for n in range(61))}, errors.InvalidObject),
        ({"project_id": "x" * 37}, errors.InvalidProject),
    ],
)
def test_a_pool_that_breaks_a_rule_is_refused(
    central: CentralDriver, new: dict[str, Any], fault: type[errors.Problem]
) -> None:
    with pytest.raises(fault):
        create(central, **({"name": "other"} | new))
    made = create(central)
    if "project_id" in new:
        new, fault = {"same_project_id": "p2"}, errors.InvalidObject
    with pytest.raises(fault):
        patch(central, made.id, **new)
    assert central.call(GetPool(caller=admin(), pool_id=made.id)) == made


def test_the_last_ns_record_stays_and_so_does_a_pool_with_zones(central: CentralDriver) -> None:
    with pytest.raises(errors.LastServerKept):
        patch(central, ns_records=())
    central.zone()
    with pytest.raises(errors.InvalidOperation):
        central.call(DeletePool(caller=admin(), pool_id=DEFAULT_POOL_ID))
    with pytest.raises(errors.PoolNotFound):
        patch(central, NOWHERE, name="x")


def test_changed_ns_records_reach_every_zone_in_steps_and_the_progress_says_how_far(central: CentralDriver) -> None:
    zones = [central.zone(name=f"z{n}.org.") for n in range(5)]
    for task in central.begin():
        central.said(task, central.as_wanted(task))
    assert reach(central) == PoolReach(pool_id=DEFAULT_POOL_ID, old_ns_records=0, unqueued=0, pending=0)
    patch(central, ns_records=(NSRecord("ns3.example.net.", 1),))
    assert (reach(central).old_ns_records, reach(central).pending) == (5, 0)
    central.call(RefreshApexes(limit=2))
    assert (reach(central).old_ns_records, reach(central).pending) == (3, 2)
    while central.call(RefreshApexes(limit=2)):
        pass
    assert (reach(central).old_ns_records, reach(central).pending) == (0, 5)
    for before in zones:
        assert central.rrsets(before)[before.name, "NS"].records == ("ns3.example.net.",)
        assert central.get(before.id).serial != before.serial
    for task in central.begin():
        central.said(task, central.as_wanted(task))
    assert reach(central).pending == 0


def test_of_pools_made_at_once_by_one_name_there_is_one(anywhere: Build) -> None:
    central = anywhere()
    assert at_once(*(lambda: create(central) for _ in range(4))) == {"ok": 1, "DuplicatePool": 3}
    made = create(central, "second")
    ends = at_once(lambda: patch(central, made.id, name="third"), lambda: create(central, "third"))
    assert ends == {"ok": 1, "DuplicatePool": 1}
