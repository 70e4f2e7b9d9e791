# SPDX-License-Identifier: Apache-2.0
"""Changes of one zone that are carried out together, over each database: one transaction, and the same outcome."""

from __future__ import annotations

import pytest

from redesignate.commands.rrsets import CreateRRset, DeleteRRset, ListRRsets, UpdateRRset
from redesignate.commands.zones import GetZone
from redesignate.config.settings import QUOTAS
from redesignate.model.errors import DuplicateRRset, OverQuota, RRsetNotFound
from redesignate.model.paging import ListQuery
from redesignate.model.rrset import NewRRset, RRsetChange
from redesignate.model.zone import Zone
from tests.central.conftest import Build
from tests.central.house import House, member


def create(zone: Zone, label: str) -> CreateRRset:
    new = NewRRset(name=f"{label}.{zone.name}", type="A", records=("192.0.2.1",))
    return CreateRRset(caller=member(), zone_id=zone.id, new=new)


def names(house: House, zone: Zone) -> set[str]:
    found = house.call(ListRRsets(caller=member(), zone_id=zone.id, query=ListQuery(limit=100)))
    return {rrset.name.removesuffix("." + zone.name) for rrset in found.items if not rrset.managed}


def test_each_is_a_revision_of_its_own_and_the_zone_is_queued_once(anywhere: Build) -> None:
    house = anywhere()
    zone = house.zone()
    house.serve()
    before, house.hints = house.get(zone.id), []
    made = house.service.together([create(zone, label) for label in "abc"])
    after = house.get(zone.id)
    assert [rrset.revision - before.revision for rrset in made] == [1, 2, 3]
    assert (after.revision, after.serial) == (before.revision + 3, before.serial + 3)
    assert house.hints == [zone.id]
    house.serve()
    assert house.get(zone.id).status.value == "ACTIVE"
    assert names(house, zone) == {"a", "b", "c"}


def test_each_sees_what_those_before_it_did(anywhere: Build) -> None:
    house = anywhere()
    zone = house.zone()
    made = house.rrset(zone, "a")
    house.service.together(
        [
            UpdateRRset(caller=member(), zone_id=zone.id, rrset_id=made.id, change=RRsetChange(ttl=60)),
            DeleteRRset(caller=member(), zone_id=zone.id, rrset_id=made.id),
            create(zone, "a"),
        ]
    )
    assert names(house, zone) == {"a"}


def test_where_one_fails_none_is_done(anywhere: Build) -> None:
    house = anywhere(quotas=dict(QUOTAS, zone_recordsets=5))
    zone = house.zone()
    house.rrset(zone, "there")
    before = house.get(zone.id)
    with pytest.raises(DuplicateRRset):
        house.service.together([create(zone, "a"), create(zone, "there")])
    with pytest.raises(OverQuota):
        house.service.together([create(zone, label) for label in "abc"])
    with pytest.raises(RRsetNotFound):
        house.service.together([create(zone, "a"), DeleteRRset(caller=member(), zone_id=zone.id, rrset_id=zone.id)])
    assert house.get(zone.id) == before
    assert names(house, zone) == {"there"}


def test_the_second_costs_less_than_the_first(house: House) -> None:
    zone = house.zone()
    house.serve()
    house.rrset(zone, "warm")
    with house.counted() as one:
        house.service.together([create(zone, "a")])
    with house.counted() as three:
        house.service.together([create(zone, label) for label in "bcd"])
    assert len(one) <= 10
    assert len(three) <= len(one) + 2 * 5, "\n".join(three)


def test_only_changes_can_be_carried_out_together(house: House) -> None:
    zone = house.zone()
    with pytest.raises(ValueError, match=r"zone\.get"):
        house.service.together([GetZone(caller=member(), zone_id=zone.id)])
