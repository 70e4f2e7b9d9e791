# SPDX-License-Identifier: Apache-2.0
"""What a share lets another project see and do, and what it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from redesignate.commands.rrsets import GetRRset, ListRRsets
from redesignate.commands.shares import CreateShare, DeleteShare, GetShare, ListShares
from redesignate.commands.zones import CreateZone, ListZones, ZoneNameservers, ZonePeers
from redesignate.model import errors
from redesignate.model.caller import Caller
from redesignate.model.paging import Condition, ListQuery, Op, Page
from redesignate.model.share import NewShare, Share
from redesignate.model.zone import NewZone, Zone
from tests.central.driver import OPERATOR, CentralDriver, admin, member

THEIRS = member("p2")


def share(central: CentralDriver, zone: Zone, target: str = "p2", caller: Caller | None = None) -> Share:
    command = CreateShare(caller=caller or member(), zone_id=zone.id, new=NewShare(target_project_id=target))
    return central.call(command)


def unshare(central: CentralDriver, given: Share, caller: Caller | None = None) -> None:
    central.call(DeleteShare(caller=caller or member(), zone_id=given.zone_id, share_id=given.id))


def shares(central: CentralDriver, zone: Zone, caller: Caller, **query: Any) -> list[Share]:
    return list(central.call(ListShares(caller=caller, zone_id=zone.id, query=ListQuery(**query))).items)


def zones(central: CentralDriver, caller: Caller, **query: Any) -> Page[Zone]:
    return central.call(ListZones(caller=caller, query=ListQuery(**query)))


@pytest.fixture
def zone(central: CentralDriver) -> Zone:
    return central.zone()


def test_a_sharee_sees_the_zone_and_what_is_in_it(central: CentralDriver, zone: Zone) -> None:
    www = central.rrset(zone, "www")
    with pytest.raises(errors.ZoneNotFound):
        central.get(zone.id, THEIRS)
    share(central, zone)
    assert central.get(zone.id, THEIRS).shared
    assert central.get(zone.id).shared
    assert central.look(www, THEIRS).records == www.records
    assert central.call(GetRRset(caller=THEIRS, zone_id=None, rrset_id=www.id)).id == www.id
    assert set(central.rrsets(zone, THEIRS)) == set(central.rrsets(zone))


def test_what_a_sharee_makes_is_its_own_and_counts_for_the_owner(central: CentralDriver, zone: Zone) -> None:
    share(central, zone)
    www = central.rrset(zone, "www")
    made = central.rrset(zone, "app", caller=THEIRS)
    assert (made.project_id, www.project_id) == ("p2", "p1")
    assert central.put(made, THEIRS, ttl=60).ttl == 60
    with pytest.raises(errors.Forbidden):
        central.put(www, THEIRS, ttl=60)
    with pytest.raises(errors.Forbidden):
        central.remove(www, THEIRS)
    of_all = central.call(ListRRsets(caller=THEIRS, zone_id=None, query=ListQuery()))
    assert [one.id for one in of_all.items] == [made.id]
    assert central.put(made, ttl=70).ttl == 70, "the owner may change it"
    central.remove(made, THEIRS)
    assert ("app.example.org.", "A") not in central.rrsets(zone)


def test_the_owners_quota_counts(build: Callable[..., CentralDriver]) -> None:
    central = build(quotas={"zones": -1, "zone_recordsets": 3, "zone_records": 9, "recordset_records": 9})
    zone = central.zone()
    share(central, zone)
    central.rrset(zone, "one", caller=THEIRS)
    for caller in (THEIRS, member()):
        with pytest.raises(errors.OverQuota):
            central.rrset(zone, "two", caller=caller)


def test_a_sharee_may_not_touch_the_zone_itself(central: CentralDriver, zone: Zone) -> None:
    given = share(central, zone)
    for act in (
        lambda: central.patch(zone, THEIRS, description="x"),
        lambda: central.delete(zone, THEIRS),
        lambda: central.call(ZoneNameservers(caller=THEIRS, zone_id=zone.id)),
        lambda: central.call(ZonePeers(caller=THEIRS, zone_id=zone.id)),
        lambda: share(central, zone, "p3", THEIRS),
        lambda: unshare(central, given, THEIRS),
        lambda: central.call(GetShare(caller=THEIRS, zone_id=zone.id, share_id=given.id)),
    ):
        with pytest.raises(errors.Forbidden):
            act()
    with pytest.raises(errors.IllegalChild):
        central.call(CreateZone(caller=THEIRS, new=NewZone(name="sub.example.org.", email="a@b.org")))
    apex = central.rrsets(zone)[("example.org.", "NS")]
    with pytest.raises(errors.Forbidden):
        central.remove(apex, THEIRS)


def test_a_share_gives_the_owners_readers_no_right_to_write(central: CentralDriver, zone: Zone) -> None:
    share(central, zone)
    with pytest.raises(errors.Forbidden):
        central.rrset(zone, "www", caller=member("p1", "reader"))


def test_a_share_of_one_zone_shows_no_other(central: CentralDriver, zone: Zone) -> None:
    other = central.zone("example.net.")
    share(central, zone)
    share(central, other, "p3")
    with pytest.raises(errors.ZoneNotFound):
        central.get(other.id, THEIRS)
    with pytest.raises(errors.ZoneNotFound):
        central.rrset(other, "www", caller=THEIRS)
    nowhere = member("p2")
    object.__setattr__(nowhere, "project_id", None)
    with pytest.raises(errors.ZoneNotFound):
        central.get(zone.id, nowhere)


def test_both_sides_list_shares_each_what_is_its_own(central: CentralDriver, zone: Zone) -> None:
    ours, theirs = share(central, zone, "p2"), share(central, zone, "p3")
    assert [one.id for one in shares(central, zone, member())] == [ours.id, theirs.id]
    assert [one.id for one in shares(central, zone, OPERATOR)] == [ours.id, theirs.id]
    assert [one.id for one in shares(central, zone, THEIRS)] == [ours.id]
    assert [one.id for one in shares(central, zone, member("p3"))] == [theirs.id]
    of_p3 = (Condition("target_project_id", Op.EQ, "p3"),)
    assert [one.id for one in shares(central, zone, member(), conditions=of_p3)] == [theirs.id]
    assert shares(central, zone, THEIRS, conditions=of_p3) == []
    for caller in (member("p4"), admin("p4")):
        with pytest.raises(errors.ZoneNotFound):
            shares(central, zone, caller)
    with pytest.raises(errors.Forbidden):
        shares(central, zone, member("p1", "reader"))


def test_what_cannot_be_shared(central: CentralDriver, zone: Zone) -> None:
    share(central, zone)
    with pytest.raises(errors.DuplicateSharedZone):
        share(central, zone)
    with pytest.raises(errors.BadInput, match="owner"):
        share(central, zone, "p1")
    for text in ("", "x" * 37, "a\nb"):
        with pytest.raises(errors.InvalidProject):
            share(central, zone, text)
    with pytest.raises(errors.SharedZoneNotFound):
        central.call(GetShare(caller=member(), zone_id=zone.id, share_id=zone.id))
    gone = central.delete(central.zone("gone.org."))
    with pytest.raises(errors.BadInput, match="deleting"):
        share(central, gone)


def test_a_zone_has_a_limited_number_of_shares(central: CentralDriver, zone: Zone, monkeypatch: Any) -> None:
    monkeypatch.setattr("redesignate.central.shares.MOST", 2)
    first = share(central, zone, "p2")
    share(central, zone, "p3")
    with pytest.raises(errors.OverQuota):
        share(central, zone, "p4")
    unshare(central, first)
    share(central, zone, "p4")


def test_a_share_ends_when_nothing_of_its_project_is_left(central: CentralDriver, zone: Zone) -> None:
    given = share(central, zone)
    made = central.rrset(zone, "app", caller=THEIRS)
    with pytest.raises(errors.SharedZoneHasRRsets):
        unshare(central, given)
    central.remove(made, THEIRS)
    unshare(central, given)
    assert not central.get(zone.id).shared
    with pytest.raises(errors.ZoneNotFound):
        central.rrset(zone, "again", caller=THEIRS)
    with pytest.raises(errors.SharedZoneNotFound):
        unshare(central, given)
    assert share(central, zone).id != given.id


def test_a_zone_is_shared_until_its_last_share_ends(central: CentralDriver, zone: Zone) -> None:
    first, second = share(central, zone, "p2"), share(central, zone, "p3")
    unshare(central, first)
    assert central.get(zone.id).shared
    unshare(central, second)
    assert not central.get(zone.id).shared


def test_a_shared_zone_is_deleted_with_the_switch_alone(central: CentralDriver, zone: Zone) -> None:
    share(central, zone)
    central.rrset(zone, "app", caller=THEIRS)
    with pytest.raises(errors.ZoneIsShared):
        central.delete(zone)
    central.zone("sub.example.org.")
    with pytest.raises(errors.ZoneIsShared):
        central.delete(zone)
    with pytest.raises(errors.ZoneHasSubZone):
        central.delete(zone, member(delete_shares=True))
    assert central.get(zone.id).shared, "nothing was deleted"


def test_a_deleted_zone_has_no_shares(central: CentralDriver, zone: Zone) -> None:
    share(central, zone)
    gone = central.delete(zone, member(delete_shares=True))
    assert not gone.shared
    assert central.rows("zone_shares") == []
    with pytest.raises(errors.ZoneNotFound):
        central.get(zone.id, THEIRS)
    assert zones(central, THEIRS).items == ()


# -- lists of zones

KEYS = ("created_at", "id", "updated_at", "name", "serial", "ttl", "status")


@pytest.fixture
def many(central: CentralDriver) -> tuple[CentralDriver, set[str]]:
    """Zones of p2 and zones of p1 that are shared with p2, by turns, with some of neither; the names of both."""
    names = set()
    for n in range(12):
        central.pass_time(1 + n % 2)
        made = central.zone(f"z{n * 7 % 12:02}.org.", THEIRS if n % 2 else member(), ttl=100 + n % 3)
        if n % 2 == 0:
            share(central, made)
        if n % 5 == 0:
            central.patch(made, THEIRS if n % 2 else member(), description="changed")
        names.add(made.name)
    central.zone("not-shared.org.")
    with_others = central.zone("with-others.org.")
    share(central, with_others, "p3")
    return central, names


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("key", KEYS)
def test_owned_and_shared_zones_are_one_list(many: tuple[CentralDriver, set[str]], key: str, descending: bool) -> None:
    central, names = many
    whole = zones(central, THEIRS, sort_key=key, descending=descending, limit=100)
    assert {one.name for one in whole.items} == names
    assert whole.total == 12
    everyone = zones(central, admin(all_projects=True), sort_key=key, descending=descending, limit=100)
    assert [one.id for one in whole.items] == [one.id for one in everyone.items if one.name in names]
    found: list[Zone] = []
    while page := zones(
        central, THEIRS, sort_key=key, descending=descending, limit=5, marker=found[-1].id if found else None
    ).items:
        found += page
    assert [one.id for one in found] == [one.id for one in whole.items]


def test_filters_meet_shared_zones(many: tuple[CentralDriver, set[str]]) -> None:
    central, names = many
    for field, op, value in (
        ("name", Op.EQ, "z07.org."),
        ("name", Op.LIKE, "z0*"),
        ("name", Op.LIKE, "*.org."),
        ("ttl", Op.EQ, "101"),
        ("description", Op.EQ, "changed"),
        ("name", Op.EQ, "with-others.org."),
    ):
        conditions = (Condition(field, op, value),)
        everyone = zones(central, admin(all_projects=True), conditions=conditions, limit=100)
        wanted = [one.id for one in everyone.items if one.name in names]
        found = zones(central, THEIRS, conditions=conditions, limit=100)
        assert ([one.id for one in found.items], found.total) == (wanted, len(wanted)), (field, op, value)


def test_a_marker_must_be_of_the_list(many: tuple[CentralDriver, set[str]]) -> None:
    central, _ = many
    (other,) = zones(central, member(), conditions=(Condition("name", Op.EQ, "not-shared.org."),)).items
    with pytest.raises(errors.MarkerNotFound):
        zones(central, THEIRS, marker=other.id)


def test_the_owners_list_is_the_owners(many: tuple[CentralDriver, set[str]]) -> None:
    central, _ = many
    found = zones(central, member())
    assert {one.project_id for one in found.items} == {"p1"}
    assert found.total == 8
    assert sum(one.shared for one in found.items) == 7
