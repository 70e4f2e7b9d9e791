# SPDX-License-Identifier: Apache-2.0
"""What users may do with zones, rule by rule, as the API publishes it."""

from __future__ import annotations

from typing import Any

import pytest

from redesignate.commands.zones import ListZones, ZoneNameservers
from redesignate.config.settings import QUOTAS
from redesignate.model import errors
from redesignate.model.paging import ListQuery
from redesignate.model.pool import NSRecord
from redesignate.model.zone import Action, Status, ZoneType, soa_text
from tests.central.conftest import Build
from tests.central.driver import OPERATOR, OTHER_POOL, START, CentralDriver, admin, member

SECOND_POOL = {"pool_id": OTHER_POOL}
TWO_POOLS = {"scheduler_filters": ("pool_id_attribute", "attribute", "in_doubt_default_pool")}


# -- creation


def test_a_new_zone_is_pending_with_soa_and_ns_of_its_pool(central: CentralDriver) -> None:
    zone = central.zone(name="Example.ORG.", ttl=300, description="mine", attributes={"tier": "gold"})
    assert (zone.name, zone.status, zone.action, zone.version) == ("example.org.", Status.PENDING, Action.CREATE, 1)
    assert (zone.ttl, zone.description, zone.attributes) == (300, "mine", {"tier": "gold"})
    assert zone.serial == START // 1_000_000
    assert central.get(zone.id) == zone
    there = central.rrsets(zone)
    assert there["Example.ORG.", "NS"].records == ("ns1.example.net.", "ns2.example.net.")
    assert there["Example.ORG.", "SOA"].records == (soa_text(zone),)
    assert all(rrset.managed for rrset in there.values())
    assert central.hints == [zone.id]


def test_ttl_and_times_have_the_operators_defaults(build: Build) -> None:
    zone = build(default_ttl=77, default_soa_retry=5, default_soa_expire=6, default_soa_minimum=7).zone()
    assert (zone.ttl, zone.retry, zone.expire, zone.minimum) == (77, 5, 6, 7)
    assert 3500 <= zone.refresh <= 3600


def test_mname_is_the_pools_ns_of_best_priority(central: CentralDriver) -> None:
    central.pool(ns_records=(NSRecord("z.example.net.", 1), NSRecord("a.example.net.", 2)))
    assert central.zone().mname == "z.example.net."


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        ({"name": "org."}, errors.InvalidZoneName),
        ({"name": "example.org"}, errors.InvalidObject),
        ({"name": "-a.example.org."}, errors.InvalidObject),
        ({"name": "*.example.org."}, errors.InvalidObject),
        ({"name": "."}, errors.InvalidObject),
        ({"email": None}, errors.InvalidObject),
        ({"email": "nobody"}, errors.InvalidObject),
        ({"email": "a+b@example.org"}, errors.InvalidObject),
        ({"email": "a" * 250 + "@b.org"}, errors.InvalidObject),
        ({"ttl": -1}, errors.InvalidObject),
        ({"ttl": 2**31}, errors.InvalidObject),
        ({"description": "x" * 161}, errors.InvalidObject),
        ({"description": "nul\0"}, errors.InvalidObject),
        ({"attributes": {"k" * 51: "v"}}, errors.InvalidObject),
        ({"attributes": {str(n): "v" for n in range(61)}}, errors.InvalidObject),
        ({"primaries": ("192.0.2.1",)}, errors.InvalidObject),
        ({"type": ZoneType.CATALOG}, errors.Forbidden),
        ({"type": ZoneType.SECONDARY, "email": None}, errors.InvalidObject),
        ({"type": ZoneType.SECONDARY, "email": "a@b.org", "primaries": ("192.0.2.1",)}, errors.InvalidObject),
        ({"type": ZoneType.SECONDARY, "email": None, "ttl": 5, "primaries": ("192.0.2.1",)}, errors.InvalidObject),
        ({"type": ZoneType.SECONDARY, "email": None, "primaries": ("x" * 256,)}, errors.InvalidObject),
        ({"type": ZoneType.SECONDARY, "email": None, "primaries": ("192.0.2.1:0",)}, errors.InvalidObject),
        ({"type": ZoneType.SECONDARY, "email": None, "primaries": ("a host",)}, errors.InvalidObject),
    ],
)
def test_a_zone_that_breaks_a_rule_is_not_made(
    central: CentralDriver, new: dict[str, Any], problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        central.zone(**new)
    assert not central.rows("zones")
    assert not central.rows("project_usage") or central.rows("project_usage")[0].zones == 0
    assert not central.hints


def test_a_zone_name_is_at_most_as_long_as_the_operator_says(build: Build) -> None:
    central = build(max_zone_name_len=12)
    central.zone(name="example.org.")
    with pytest.raises(errors.InvalidZoneName, match="too long"):
        central.zone(name="examples.org.")


def test_a_low_ttl_needs_the_right(build: Build) -> None:
    central = build(min_ttl=60)
    with pytest.raises(errors.InvalidTTL):
        central.zone(ttl=59)
    assert central.zone(ttl=60).ttl == 60
    assert central.zone(name="low.org.", ttl=59, caller=admin()).ttl == 59
    zone = central.zone(name="patched.org.")
    with pytest.raises(errors.InvalidTTL):
        central.patch(zone, ttl=1)


def test_a_token_without_project_owns_no_zone(central: CentralDriver) -> None:
    with pytest.raises(errors.MissingProject):
        central.zone(caller=OPERATOR)


def test_a_secondary_zone_has_primaries_and_the_managed_email(build: Build) -> None:
    central = build(managed_resource_email="boss@example.net")
    zone = central.zone(type=ZoneType.SECONDARY, email=None, primaries=("192.0.2.9", "192.0.2.8:5353"))
    assert (zone.email, zone.primaries, zone.serial) == ("boss@example.net", ("192.0.2.9", "192.0.2.8:5353"), 1)
    assert [kind for _, kind in central.rrsets(zone)] == ["SOA"]


# -- who owns which names, over every pool


def test_a_name_exists_once_in_a_pool(central: CentralDriver) -> None:
    central.zone()
    with pytest.raises(errors.DuplicateZone, match="Duplicate Zone"):
        central.zone()
    with pytest.raises(errors.DuplicateZone, match="different tenant"):
        central.zone(caller=member("p2"))


@pytest.mark.parametrize("attributes", [{}, SECOND_POOL])
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("example.org.", errors.DuplicateZone),
        ("sub.example.org.", errors.IllegalChild),
        ("a.b.sub.example.org.", errors.IllegalChild),
        ("org.", errors.InvalidZoneName),
    ],
)
def test_ownership_counts_over_every_pool(
    build: Build, name: str, attributes: dict[str, str], problem: type[Exception]
) -> None:
    central = build(**TWO_POOLS)
    central.second_pool()
    central.zone(caller=admin("p1"), attributes=SECOND_POOL)
    with pytest.raises(problem):
        central.zone(name=name, caller=admin("p2"), attributes=attributes)


@pytest.mark.parametrize("attributes", [{}, SECOND_POOL])
def test_nobody_takes_a_zone_above_anothers(build: Build, attributes: dict[str, str]) -> None:
    central = build(**TWO_POOLS)
    central.second_pool()
    central.zone(name="deep.down.example.org.", caller=admin("p1"), attributes=SECOND_POOL)
    with pytest.raises(errors.IllegalParent):
        central.zone(name="example.org.", caller=admin("p2"), attributes=attributes)
    central.zone(name="xample.org.", caller=admin("p2"))
    central.zone(name="wn.example.org.", caller=admin("p2"))


def test_the_same_project_may_have_a_name_in_two_pools(build: Build) -> None:
    central = build(**TWO_POOLS)
    central.second_pool()
    first = central.zone(caller=admin())
    second = central.zone(caller=admin(), attributes=SECOND_POOL)
    assert first.pool_id != second.pool_id == OTHER_POOL


def test_the_nearest_zone_above_decides(central: CentralDriver) -> None:
    central.zone(name="example.org.", caller=member("p1"))
    central.zone(name="b.example.org.", caller=member("p1"))
    with pytest.raises(errors.IllegalChild):
        central.zone(name="a.b.example.org.", caller=member("p2"))


def test_a_new_zone_takes_its_place_between_its_parent_and_its_children(central: CentralDriver) -> None:
    top = central.zone(name="example.org.")
    low = central.zone(name="c.b.a.example.org.")
    lower = central.zone(name="d.c.b.a.example.org.")
    assert (low.parent_id, lower.parent_id) == (top.id, low.id)
    middle = central.zone(name="a.example.org.")
    assert middle.parent_id == top.id
    assert central.get(low.id).parent_id == middle.id
    assert central.get(lower.id).parent_id == low.id
    above = central.zone(name="sibling.org.")
    assert above.parent_id is None


def test_parents_are_of_the_same_pool(build: Build) -> None:
    central = build(**TWO_POOLS)
    central.second_pool()
    central.zone(name="example.org.", caller=admin())
    assert central.zone(name="a.example.org.", caller=admin(), attributes=SECOND_POOL).parent_id is None


# -- quotas


def test_zones_are_counted_against_the_quota_until_they_are_gone(build: Build) -> None:
    central = build(quotas=dict(QUOTAS, zones=2))
    first = central.zone(name="a.org.")
    central.zone(name="b.org.")
    with pytest.raises(errors.OverQuota, match=r"^Quota exceeded for zones\. Limits: zones 2;"):
        central.zone(name="c.org.")
    central.zone(name="c.org.", caller=member("p2"))
    central.delete(first)
    with pytest.raises(errors.OverQuota):
        central.zone(name="d.org.")
    central.serve()
    central.zone(name="d.org.")


@pytest.mark.parametrize(("kind", "needed"), [(ZoneType.PRIMARY, 2), (ZoneType.SECONDARY, 1)])
def test_soa_and_ns_count_against_the_rrset_quota(build: Build, kind: ZoneType, needed: int) -> None:
    new: dict[str, Any] = {"type": kind}
    if kind is ZoneType.SECONDARY:
        new |= {"email": None, "primaries": ("192.0.2.1",)}
    build(quotas=dict(QUOTAS, zone_recordsets=needed)).zone(**new)
    with pytest.raises(errors.OverQuota, match="zone_recordsets"):
        build(quotas=dict(QUOTAS, zone_recordsets=needed - 1)).zone(**new)


# -- changes


def test_a_change_raises_the_serial_and_is_queued(central: CentralDriver) -> None:
    zone = central.zone()
    central.serve()
    central.pass_time(10)
    changed = central.patch(zone, email="new@example.org", description="words", ttl=60, attributes={"a": "b"})
    assert (changed.status, changed.action, changed.version) == (Status.PENDING, Action.UPDATE, 2)
    assert changed.serial == zone.serial + 10
    assert (changed.email, changed.description, changed.ttl, changed.attributes) == (
        "new@example.org", "words", 60, {"a": "b"},
    )  # fmt: skip
    assert central.get(zone.id) == changed
    assert central.hints == [zone.id]


def test_an_empty_change_is_a_change(central: CentralDriver) -> None:
    zone = central.zone()
    assert central.patch(zone).serial == zone.serial + 1


def test_description_may_be_emptied(central: CentralDriver) -> None:
    zone = central.zone(description="words")
    assert central.patch(zone, description=None).description is None


@pytest.mark.parametrize(
    "change",
    [{"same_name": "other.org."}, {"same_type": ZoneType.SECONDARY}, {"primaries": ("192.0.2.1",)}, {"ttl": 2**31}],
)
def test_what_cannot_change_is_refused(central: CentralDriver, change: dict[str, Any]) -> None:
    zone = central.zone()
    with pytest.raises(errors.InvalidObject):
        central.patch(zone, **change)


def test_what_cannot_change_may_be_sent_back(central: CentralDriver) -> None:
    zone = central.zone()
    central.patch(zone, same_name=zone.name, same_type=zone.type)


def test_a_secondarys_serial_is_its_primaries(central: CentralDriver) -> None:
    zone = central.zone(type=ZoneType.SECONDARY, email=None, primaries=("192.0.2.1",))
    changed = central.patch(zone, description="words", primaries=("192.0.2.2:53", "192.0.2.2"))
    assert (changed.serial, changed.revision, changed.version) == (zone.serial, zone.revision, 2)
    assert (changed.status, changed.primaries) == (Status.PENDING, ("192.0.2.2",))
    assert central.get(zone.id) == changed
    assert not central.hints
    for change in ({"email": "a@b.org"}, {"ttl": 5}, {"primaries": ()}):
        with pytest.raises(errors.InvalidObject):
            central.patch(zone, **change)


def test_a_zone_being_deleted_is_not_changed(central: CentralDriver) -> None:
    zone = central.zone()
    central.delete(zone)
    with pytest.raises(errors.BadInput, match="deleting"):
        central.patch(zone, description="words")


# -- deletion


def test_a_deleted_zone_is_seen_until_its_servers_have_dropped_it(central: CentralDriver) -> None:
    zone = central.zone()
    central.serve()
    gone = central.delete(zone)
    assert (gone.status, gone.action) == (Status.PENDING, Action.DELETE)
    assert central.get(zone.id).action is Action.DELETE
    central.serve()
    with pytest.raises(errors.ZoneNotFound):
        central.get(zone.id)
    assert central.outbox(zone) is None
    assert central.rows("zones", id=zone.id)[0].status == "DELETED"


def test_deleting_again_asks_again(central: CentralDriver) -> None:
    zone = central.zone()
    first = central.delete(zone)
    central.hints.clear()
    assert central.delete(zone).revision == first.revision
    assert central.hints == [zone.id]


def test_deleting_again_may_ask_for_the_files_as_well(central: CentralDriver) -> None:
    zone = central.zone()
    central.delete(zone)
    central.delete(zone, admin(hard_delete=True))
    (task,) = central.begin(zone)
    assert task.hard_delete


def test_a_zone_never_published_is_deleted_like_any_other(central: CentralDriver) -> None:
    zone = central.zone()
    central.delete(zone)
    (task,) = central.begin(zone)
    assert (task.present, task.peers) == (False, ())
    central.said(task, central.as_wanted(task))
    with pytest.raises(errors.ZoneNotFound):
        central.get(zone.id)


def test_a_zone_with_zones_below_it_stays(central: CentralDriver) -> None:
    top, low = central.zone(), central.zone(name="a.example.org.")
    with pytest.raises(errors.ZoneHasSubZone):
        central.delete(top)
    central.delete(low)
    with pytest.raises(errors.ZoneHasSubZone):
        central.delete(top)
    central.serve()
    central.delete(top)


def test_children_of_a_zone_that_went_get_its_parent(central: CentralDriver) -> None:
    top, middle = central.zone(), central.zone(name="b.example.org.")
    central.delete(middle)
    low = central.zone(name="a.b.example.org.")
    assert low.parent_id == middle.id
    central.serve()
    assert central.get(low.id).parent_id == top.id


# -- reading


def test_a_list_shows_the_projects_own_zones(central: CentralDriver) -> None:
    mine = central.zone(name="mine.org.")
    theirs = central.zone(name="theirs.org.", caller=member("p2"))
    own = central.call(ListZones(caller=member(), query=ListQuery()))
    assert ([zone.id for zone in own.items], own.total) == ([mine.id], 1)
    every = central.call(ListZones(caller=admin(all_projects=True), query=ListQuery(sort_key="name")))
    assert [zone.id for zone in every.items] == [mine.id, theirs.id]
    with pytest.raises(errors.MarkerNotFound):
        central.call(ListZones(caller=member(), query=ListQuery(marker=theirs.id)))


def test_nameservers_are_the_pools_best_first(central: CentralDriver) -> None:
    central.pool(
        ns_records=(NSRecord("b.example.net.", 1), NSRecord("a.example.net.", 1), NSRecord("c.example.net.", 0 + 2))
    )
    zone = central.zone()
    found = central.call(ZoneNameservers(caller=member(), zone_id=zone.id))
    assert [record.hostname for record in found] == ["a.example.net.", "b.example.net.", "c.example.net."]
