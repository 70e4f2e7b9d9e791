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
from tests.central.driver import CentralDriver, member


def create(zone: Zone, label: str) -> CreateRRset:
    new = NewRRset(name=f"{label}.{zone.name}", type="A", records=("192.0.2.1",))
    return CreateRRset(caller=member(), zone_id=zone.id, new=new)


def names(central: CentralDriver, zone: Zone) -> set[str]:
    found = central.call(ListRRsets(caller=member(), zone_id=zone.id, query=ListQuery(limit=100)))
    return {rrset.name.removesuffix("." + zone.name) for rrset in found.items if not rrset.managed}


def test_each_is_a_revision_of_its_own_and_the_zone_is_queued_once(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    central.serve()
    before, central.hints = central.get(zone.id), []
    made = central.service.together([create(zone, label) for label in "abc"])
    after = central.get(zone.id)
    assert [rrset.revision - before.revision for rrset in made] == [1, 2, 3]
    assert (after.revision, after.serial) == (before.revision + 3, before.serial + 3)
    assert central.hints == [zone.id]
    central.serve()
    assert central.get(zone.id).status.value == "ACTIVE"
    assert names(central, zone) == {"a", "b", "c"}


def test_each_sees_what_those_before_it_did(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    made = central.rrset(zone, "a")
    central.service.together(
        [
            UpdateRRset(caller=member(), zone_id=zone.id, rrset_id=made.id, change=RRsetChange(ttl=60)),
            DeleteRRset(caller=member(), zone_id=zone.id, rrset_id=made.id),
            create(zone, "a"),
        ]
    )
    assert names(central, zone) == {"a"}


def test_where_one_fails_none_is_done(anywhere: Build) -> None:
    central = anywhere(quotas=dict(QUOTAS, zone_recordsets=5))
    zone = central.zone()
    central.rrset(zone, "there")
    before = central.get(zone.id)
    with pytest.raises(DuplicateRRset):
        central.service.together([create(zone, "a"), create(zone, "there")])
    with pytest.raises(OverQuota):
        central.service.together([create(zone, label) for label in "abc"])
    with pytest.raises(RRsetNotFound):
        central.service.together([create(zone, "a"), DeleteRRset(caller=member(), zone_id=zone.id, rrset_id=zone.id)])
    assert central.get(zone.id) == before
    assert names(central, zone) == {"there"}


def test_the_second_costs_less_than_the_first(central: CentralDriver) -> None:
    zone = central.zone()
    central.serve()
    central.rrset(zone, "warm")
    with central.counted() as one:
        central.service.together([create(zone, "a")])
    with central.counted() as three:
        central.service.together([create(zone, label) for label in "bcd"])
    assert len(one) <= 10
    assert len(three) <= len(one) + 2 * 5, "\n".join(three)


def test_only_changes_can_be_carried_out_together(central: CentralDriver) -> None:
    zone = central.zone()
    with pytest.raises(ValueError, match=r"zone\.get"):
        central.service.together([GetZone(caller=member(), zone_id=zone.id)])
