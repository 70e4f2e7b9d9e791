# SPDX-License-Identifier: Apache-2.0
"""Lists of zones that are shared with a project, beside those that it owns: what they hold, and what they read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import update

from redesignate.commands.shares import CreateShare
from redesignate.commands.zones import ListZones
from redesignate.model.paging import ListQuery
from redesignate.model.share import NewShare
from redesignate.model.zone import Zone
from redesignate.store.sharing_schema import zone_shares
from tests.central.conftest import Build
from tests.central.driver import CentralDriver, member
from tests.central.filling import add_zones, share_zones
from tests.central.reading import Reading

SHAREE = member("sharee")
SOME, MANY = 400, 4000
FEW = 60
"""Rows and index entries, of SQLite fifties of instructions: what deeper indexes cost more."""
ORDERS = ("created_at", "name", "id")


def pages(central: CentralDriver, key: str, *, descending: bool, limit: int = 3) -> list[Zone]:
    """All of the list, page by page."""
    found: list[Zone] = []
    while True:
        marker = found[-1].id if found else None
        query = ListQuery(limit=limit, sort_key=key, descending=descending, marker=marker)
        page = central.call(ListZones(caller=SHAREE, query=query))
        found += page.items
        if len(page.items) < limit:
            return found


@pytest.mark.parametrize("key", [*ORDERS, "serial", "email"])
def test_shared_zones_stand_among_the_own_in_every_order(anywhere: Build, key: str) -> None:
    central = anywhere()
    own = [central.zone(f"o{n}.example.net.", SHAREE) for n in range(4)]
    shared = []
    for n in (3, 1, 0, 2, 4):
        central.pass_time(n % 2)
        shared.append(one := central.zone(f"s{n}.example.org.", email=f"{n % 2}@example.org"))
        central.call(CreateShare(caller=member(), zone_id=one.id, new=NewShare(target_project_id="sharee")))
    for descending in (False, True):
        found = pages(central, key, descending=descending)
        assert [one.id for one in found] == _sorted([*own, *shared], key, descending=descending)
    (total,) = {central.call(ListZones(caller=SHAREE, query=ListQuery(sort_key=key))).total for _ in range(1)}
    assert total == len(own) + len(shared)


def _sorted(zones: Sequence[Zone], key: str, *, descending: bool) -> list[str]:
    return [one.id for one in sorted(zones, key=lambda one: (getattr(one, key), one.id), reverse=descending)]


def test_a_share_that_an_older_process_made_is_in_its_place_too(anywhere: Build) -> None:
    central = anywhere()
    made = [central.zone(f"s{n}.example.org.") for n in (2, 0, 1)]
    for one in made:
        central.call(CreateShare(caller=member(), zone_id=one.id, new=NewShare(target_project_id="sharee")))
    with central.store.engine.begin() as conn:
        conn.execute(
            update(zone_shares).where(zone_shares.c.zone_id == made[0].id).values(zone_created_at=0, zone_name="")
        )
    for key in ORDERS:
        assert [one.id for one in pages(central, key, descending=False)] == _sorted(made, key, descending=False)


def test_a_page_of_shared_zones_reads_as_much_of_many_as_of_few(anywhere: Build) -> None:
    central = anywhere()
    reading = Reading(central.store)
    for engine in central.store.engines:
        engine.dispose()
    add_zones(central, MANY)
    spent: dict[tuple[str, bool, bool], list[int]] = {}
    for first, count in ((0, SOME), (SOME, MANY - SOME)):
        share_zones(central, "sharee", first, count)
        for key in ORDERS:
            for descending in (False, True):
                query = ListQuery(limit=100, sort_key=key, descending=descending, count=False)
                page = central.call(ListZones(caller=SHAREE, query=query))
                assert len(page.items) == 100
                deep = ListQuery(limit=100, sort_key=key, descending=descending, count=False, marker=page.items[-1].id)
                for at, one in ((False, query), (True, deep)):
                    command = ListZones(caller=SHAREE, query=one)
                    read = reading.of(lambda command=command: central.call(command))  # type: ignore[misc]  # bound
                    spent.setdefault((key, descending, at), []).append(read)
    assert all(many <= few + FEW for few, many in spent.values()), spent
