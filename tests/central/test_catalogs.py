# SPDX-License-Identifier: Apache-2.0
"""A new catalog zone of a pool with zones is filled in batches, whatever comes between, and served once whole."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redesignate.commands.pools import ApplyPool, QueuePoolZones
from redesignate.model.pool import CatalogSpec, PoolSpec
from redesignate.store.serving import Snapshot
from tests.central.conftest import Build
from tests.central.driver import OPERATOR, CentralDriver
from tests.central.test_poolchanges import made
from tests.central.test_pools import CATALOG, catalog_of, check_catalog, check_chain_of_catalog


def with_catalog(central: CentralDriver, limit: int, name: str = CATALOG.name) -> None:
    spec = PoolSpec(name="default", catalog=CatalogSpec(name=name))
    central.call(ApplyPool(caller=OPERATOR, spec=spec, limit=limit))


def served(central: CentralDriver) -> bool:
    """Whether mdns answers for the catalog zone."""
    with central.store.view() as conn:
        zone = Snapshot(central.store, conn).zone(catalog_of(central).id)
    return zone is not None and zone.loaded


def listed(central: CentralDriver) -> set[str]:
    return {row.name.partition(".")[0] for row in central.rows("rrsets", zone_id=catalog_of(central).id, type="PTR")}


def test_a_catalog_is_filled_while_zones_come_and_go_and_is_published_when_it_is_whole(anywhere: Build) -> None:
    central = anywhere()
    zones = made(central, 12)
    with_catalog(central, limit=4)
    assert listed(central) == {zone.id for zone in zones[:4]}
    assert not served(central)
    new = central.zone(name="new.org.")
    central.delete(zones[1])
    central.delete(zones[9])
    assert central.call(QueuePoolZones(limit=4)).more
    assert listed(central) == {zone.id for zone in (zones[0], *zones[2:8], new)}
    assert not served(central)
    assert central.outbox(catalog_of(central)) is None, "no server can have it yet"
    while central.call(QueuePoolZones(limit=4)).more:
        assert not served(central)
    check_catalog(central)
    assert served(central)
    assert central.outbox(catalog_of(central)).revision == catalog_of(central).revision


def test_a_batch_of_a_catalog_is_smaller_and_costs_the_same_however_large_the_pool(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redesignate.central.poolchanges.LISTED_AT_ONCE", 3)
    made(central, 13)
    with_catalog(central, limit=1000)
    assert len(listed(central)) == 3
    costs = []
    while catalog_of(central).transferred_at is None:
        with central.counted() as statements:
            central.call(QueuePoolZones())
        costs.append(len(statements))
    assert max(costs) <= 18, costs
    check_catalog(central)


def test_a_pool_that_is_made_with_a_catalog_has_it_at_once(build: Build) -> None:
    central = build(pool=False)
    central.pool(catalog=CATALOG)
    check_catalog(central)
    assert served(central)


def test_a_catalog_that_is_made_again_takes_over_the_work_on_the_earlier_one(central: CentralDriver) -> None:
    made(central, 5)
    with_catalog(central, limit=1000)
    before = catalog_of(central)
    central.delete(central.zone(name="short.org."))
    with_catalog(central, limit=1000, name="")
    with_catalog(central, limit=2)
    assert catalog_of(central).serial > before.serial
    while central.call(QueuePoolZones(limit=2)).more:
        assert not served(central), "a server would drop the zones that are not listed yet"
    check_catalog(central)


STEPS = st.one_of(
    st.sampled_from([("create", 0), ("again", 0), ("none", 0), ("other", 0), ("serve", 0)]),
    st.tuples(st.sampled_from(["catalog", "batch"]), st.integers(1, 4)),
    st.tuples(st.just("delete"), st.integers(0, 20)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=30), seed=st.integers(0, 3))
def test_whatever_comes_between_a_catalog_that_is_served_is_whole(
    build: Build, steps: list[tuple[Any, int]], seed: int
) -> None:
    central = build()
    zones = made(central, 6)
    chance = random.Random(seed)
    for what, number in steps:
        match what:
            case "create":
                zones.append(central.zone(name=f"new{len(central.rows('zones'))}.org."))
            case "delete" if zones:
                central.delete(zones.pop(number % len(zones)))
            case "catalog" | "none" | "other":
                name = {"catalog": CATALOG.name, "none": "", "other": "other.invalid."}[what]
                with_catalog(central, number or chance.randint(1, 4), name)
            case "batch":
                central.call(QueuePoolZones(limit=number))
            case "serve":
                central.serve()
        if catalog_of(central) is not None and served(central):
            check_catalog(central)
    while central.call(QueuePoolZones(limit=2)).more:
        pass
    if catalog_of(central) is not None:
        assert served(central)
        check_catalog(central)
        with central.store.read() as work:
            catalog = work.zones.get(catalog_of(central).id)
        assert catalog is not None
        check_chain_of_catalog(central, catalog)
    central.close()
