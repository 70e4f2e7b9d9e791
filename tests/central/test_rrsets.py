# SPDX-License-Identifier: Apache-2.0
"""What users may do with RRsets, rule by rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from redesignate.commands.rrsets import GetRRset, ListRRsets
from redesignate.config.settings import QUOTAS
from redesignate.model import errors
from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.rrset import RRset
from redesignate.model.zone import Action, Status, Zone, ZoneType
from tests.central.conftest import Build
from tests.central.house import NS, OPERATOR, House, admin, member

EDITOR = admin(edit_managed=True)


@pytest.fixture
def zone(house: House) -> Zone:
    """A zone that is on every server."""
    made = house.zone()
    house.serve()
    return house.get(made.id)


def apex(house: House, zone: Zone, rrtype: str) -> RRset:
    return house.rrsets(zone)[zone.name, rrtype]


# -- creation


def test_a_new_rrset_is_pending_and_raises_its_zone(house: House, zone: Zone) -> None:
    made = house.rrset(zone, "WWW", ttl=60, description="words", caller=admin())
    assert (made.name, made.type, made.ttl, made.description) == ("www.example.org.", "A", 60, "words")
    assert (made.status, made.action, made.version, made.project_id) == (Status.PENDING, Action.CREATE, 1, "p1")
    assert house.look(made) == made
    raised = house.get(zone.id)
    assert (raised.serial, raised.status, raised.action) == (zone.serial + 1, Status.PENDING, Action.UPDATE)
    assert made.revision == raised.revision == zone.revision + 1
    assert house.hints == [zone.id]


def test_an_rrset_is_active_once_its_zones_revision_is_confirmed(house: House, zone: Zone) -> None:
    made = house.rrset(zone, "www")
    house.serve()
    assert (house.look(made).status, house.look(made).action) == (Status.ACTIVE, Action.NONE)
    house.rrset(zone, "other")
    assert house.look(made).status is Status.ACTIVE
    assert apex(house, zone, "SOA").status is Status.PENDING


def test_records_keep_their_order_and_lose_their_doubles(house: House, zone: Zone) -> None:
    texts = ("192.0.2.9", "192.0.2.1", "192.0.2.9", "192.0.2.5")
    assert house.rrset(zone, "www", records=texts).records == ("192.0.2.9", "192.0.2.1", "192.0.2.5")


def test_an_rrset_without_records_is_active_at_once_and_served_nowhere(house: House, zone: Zone) -> None:
    empty = house.rrset(zone, "empty", records=())
    assert (empty.status, empty.action) == (Status.ACTIVE, Action.NONE)
    assert house.look(empty) == empty
    assert house.get(zone.id).serial == zone.serial
    assert not house.hints
    filled = house.put(empty, records=("192.0.2.1",))
    assert (filled.status, house.get(zone.id).serial) == (Status.PENDING, zone.serial + 1)
    house.hints.clear()
    emptied = house.put(filled, records=())
    assert (emptied.status, emptied.records) == (Status.ACTIVE, ())
    assert house.hints == [zone.id]
    house.serve()
    house.remove(emptied)
    assert not house.hints
    assert ("empty.example.org.", "A") not in house.rrsets(zone)


@pytest.mark.parametrize(
    ("name", "rrtype", "records", "problem"),
    [
        ("", "SOA", ("a. b. 1 2 3 4 5",), errors.BadInput),
        ("www", "NOPE", ("x",), errors.InvalidObject),
        ("www", "ANY", ("x.",), errors.InvalidObject),
        ("www", "A", ("192.0.2.256",), errors.InvalidObject),
        ("www", "CNAME", ("a.org.", "b.org."), errors.BadInput),
        ("www.example.net.", "A", ("192.0.2.1",), errors.InvalidRRsetLocation),
        ("wwwexample.org.", "A", ("192.0.2.1",), errors.InvalidRRsetLocation),
        ("", "CNAME", ("a.org.",), errors.InvalidRRsetLocation),
        ("", "NS", ("ns9.example.net.",), errors.DuplicateRRset),
        ("*", "NS", ("ns9.example.net.",), errors.InvalidObject),
        ("www", "TLSA", ("3 1 1 " + "0" * 64,), errors.BadInput),
        ("www", "SRV", ("0 0 5 a.org.",), errors.InvalidObject),
    ],
)
def test_an_rrset_that_breaks_a_rule_is_not_made(
    house: House, zone: Zone, name: str, rrtype: str, records: tuple[str, ...], problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        house.rrset(zone, name, rrtype, records)
    assert house.get(zone.id) == zone
    assert not house.hints


def test_the_operator_narrows_the_types(build: Build) -> None:
    house = build(supported_record_type=("A", "NS", "SOA"))
    zone = house.zone()
    house.rrset(zone, "www")
    with pytest.raises(errors.InvalidObject) as refused:
        house.rrset(zone, "www", "AAAA", ("2001:db8::1",))
    assert refused.value.errors is not None
    assert refused.value.errors["errors"][0]["message"] == "'AAAA' is not a supported record type"


def test_every_bad_record_is_named(house: House, zone: Zone) -> None:
    with pytest.raises(errors.InvalidObject) as refused:
        house.rrset(zone, "www", records=("x", "192.0.2.1", "y"))
    assert refused.value.errors is not None
    faults = refused.value.errors["errors"]
    assert [fault["path"] for fault in faults] == [["records", 0], ["records", 2]]
    assert faults[0]["validator"] == "format"


def test_a_name_and_type_exist_once(house: House, zone: Zone) -> None:
    house.rrset(zone, "www")
    with pytest.raises(errors.DuplicateRRset):
        house.rrset(zone, "www", records=("192.0.2.7",))


def test_a_cname_stands_alone(house: House, zone: Zone) -> None:
    house.rrset(zone, "www")
    house.rrset(zone, "alias", "CNAME", ("www.example.org.",))
    for name, rrtype, records in (
        ("www", "CNAME", ("a.org.",)),
        ("alias", "A", ("192.0.2.1",)),
        ("alias", "TXT", ('"x"',)),
        ("alias", "CNAME", ("b.org.",)),
    ):
        with pytest.raises(errors.InvalidRRsetLocation):
            house.rrset(zone, name, rrtype, records)
    house.rrset(zone, "below.alias")


def test_an_empty_rrset_keeps_a_cname_away_as_well(house: House, zone: Zone) -> None:
    house.rrset(zone, "www", records=())
    with pytest.raises(errors.InvalidRRsetLocation):
        house.rrset(zone, "www", "CNAME", ("a.org.",))


def test_a_long_name_is_refused_as_the_operator_says(build: Build) -> None:
    house = build(max_recordset_name_len=16)
    zone = house.zone()
    house.rrset(zone, "www")
    with pytest.raises(errors.InvalidRRsetName):
        house.rrset(zone, "wwww")


def test_a_name_in_a_child_zone_belongs_there(house: House, zone: Zone) -> None:
    before = house.rrset(zone, "www.sub")
    house.zone(name="sub.example.org.")
    for name in ("sub", "www2.sub", "a.b.sub"):
        with pytest.raises(errors.InvalidRRsetLocation, match=r"child zone: sub\.example\.org\."):
            house.rrset(zone, name)
    with pytest.raises(errors.InvalidRRsetLocation):
        house.rrset(zone, "sub", "NS", ("ns1.example.net.",))
    house.rrset(zone, "subs")
    assert house.look(before).records == ("192.0.2.1",)


@pytest.mark.parametrize("use", ["create", "update"])
def test_a_low_ttl_needs_the_right(build: Build, use: str) -> None:
    house = build(min_ttl=60)
    zone = house.zone()
    made = house.rrset(zone, "www", ttl=60)

    def lower(caller: Any) -> RRset:
        return house.rrset(zone, "low", ttl=59, caller=caller) if use == "create" else house.put(made, caller, ttl=59)

    with pytest.raises(errors.InvalidTTL):
        lower(member())
    assert lower(admin()).ttl == 59


# -- quotas


def test_quotas_count_rrsets_records_and_records_of_one_rrset(build: Build) -> None:
    house = build(quotas=dict(QUOTAS, zone_recordsets=5, zone_records=4, recordset_records=3))
    zone = house.zone()
    with pytest.raises(errors.OverQuota, match=r"for recordset_records\.$"):
        house.rrset(zone, "a", records=[f"192.0.2.{n}" for n in range(4)])
    one = house.rrset(zone, "a", records=[f"192.0.2.{n}" for n in range(3)])
    with pytest.raises(errors.OverQuota, match=r"for zone_records\.$"):
        house.rrset(zone, "b", records=("192.0.2.1", "192.0.2.2"))
    two = house.rrset(zone, "b")
    house.rrset(zone, "c", records=())
    with pytest.raises(errors.OverQuota, match=r"for zone_records, zone_recordsets\.$"):
        house.rrset(zone, "d")
    with pytest.raises(errors.OverQuota, match="zone_records"):
        house.put(two, records=("192.0.2.1", "192.0.2.2"))
    house.put(one, records=("192.0.2.1",))
    house.put(two, records=("192.0.2.1", "192.0.2.2"))
    house.remove(one)
    house.rrset(zone, "d")


def test_the_zones_owner_pays(build: Build) -> None:
    house = build(quotas=dict(QUOTAS, zone_recordsets=3))
    zone = house.zone()
    house.rrset(zone, "a", caller=admin("p2", all_projects=True))
    with pytest.raises(errors.OverQuota):
        house.rrset(zone, "b")


# -- changes


def test_what_is_not_given_stays(house: House, zone: Zone) -> None:
    made = house.rrset(zone, "www", ttl=60, description="words", records=("192.0.2.2", "192.0.2.1"))
    house.serve()
    house.pass_time(5)
    changed = house.put(made, ttl=None)
    assert (changed.ttl, changed.records, changed.description) == (None, made.records, "words")
    assert (changed.version, changed.updated_at, changed.born) == (2, house.time, made.born)
    assert (changed.status, changed.action) == (Status.PENDING, Action.UPDATE)
    assert house.look(made) == changed
    assert house.put(made, description=None).ttl is None
    assert house.put(made, records=("192.0.2.7",)).records == ("192.0.2.7",)


def test_a_change_before_the_first_publication_is_still_a_creation(house: House, zone: Zone) -> None:
    changed = house.put(house.rrset(zone, "www"), ttl=5)
    assert changed.action is Action.CREATE
    assert house.look(changed) == changed


def test_name_and_type_may_be_sent_back_but_not_changed(house: House, zone: Zone) -> None:
    made = house.rrset(zone, "www")
    house.put(made, same_name=made.name, same_type="A")
    refused: tuple[dict[str, Any], ...] = ({"same_name": "x.example.org."}, {"same_type": "AAAA"})
    for change in refused:
        with pytest.raises(errors.InvalidObject):
            house.put(made, **change)


def test_an_update_refuses_what_a_creation_refuses(house: House, zone: Zone) -> None:
    made = house.rrset(zone, "www")
    alias = house.rrset(zone, "alias", "CNAME", ("www.example.org.",))
    with pytest.raises(errors.InvalidObject):
        house.put(made, records=("nonsense",))
    with pytest.raises(errors.BadInput):
        house.put(alias, records=("a.org.", "b.org."))
    with pytest.raises(errors.InvalidObject):
        house.put(made, ttl=-1)
    assert house.look(made) == made


@pytest.mark.parametrize("rrtype", ["SOA", "NS"])
@pytest.mark.parametrize("caller", [member(), admin(), EDITOR])
def test_soa_and_apex_ns_are_nobodys_to_change(house: House, zone: Zone, rrtype: str, caller: Any) -> None:
    rrset = apex(house, zone, rrtype)
    with pytest.raises(errors.BadInput):
        house.put(rrset, caller, ttl=5)
    with pytest.raises(errors.BadInput):
        house.remove(rrset, caller)
    assert apex(house, zone, rrtype) == rrset


def test_a_managed_rrset_needs_the_switch(house: House, zone: Zone) -> None:
    made = house.rrset(zone, "www")
    with house.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE rrsets SET managed = 1 WHERE id = ?", (made.id,))
    acts: tuple[Callable[[], object], ...] = (lambda: house.put(made, ttl=5), lambda: house.remove(made))
    for act in acts:
        with pytest.raises(errors.BadInput, match="Managed records"):
            act()
    assert house.put(made, EDITOR, ttl=5).ttl == 5
    house.remove(made, EDITOR)


# -- deletion


def test_a_deleted_rrset_is_gone_at_once(house: House, zone: Zone) -> None:
    made = house.rrset(zone, "www")
    gone = house.remove(made)
    assert (gone.status, gone.action) == (Status.PENDING, Action.DELETE)
    with pytest.raises(errors.RRsetNotFound):
        house.look(made)
    with pytest.raises(errors.RRsetNotFound):
        house.remove(made)
    assert house.get(zone.id).status is Status.PENDING
    assert not house.rows("rrset_data", rrset_id=made.id)
    house.rrset(zone, "www", "CNAME", ("a.org.",))


def test_a_zone_being_deleted_takes_no_changes(house: House, zone: Zone) -> None:
    made = house.rrset(zone, "www")
    house.delete(zone)
    acts: tuple[Callable[[], object], ...] = (
        lambda: house.rrset(zone, "b"),
        lambda: house.put(made, ttl=5),
        lambda: house.remove(made),
    )
    for act in acts:
        with pytest.raises(errors.BadInput, match="deleting"):
            act()


# -- secondary zones


def test_only_an_administrator_writes_into_a_secondary_zone(house: House) -> None:
    zone = house.zone(type=ZoneType.SECONDARY, email=None, primaries=("192.0.2.1",))
    with pytest.raises(errors.Forbidden):
        house.rrset(zone, "www")
    made = house.rrset(zone, "www", caller=admin())
    acts: tuple[Callable[[], object], ...] = (lambda: house.put(made, ttl=5), lambda: house.remove(made))
    for act in acts:
        with pytest.raises(errors.Forbidden):
            act()
    house.remove(house.put(made, admin(), ttl=5), admin())


# -- reading


def test_an_rrset_is_found_without_its_zone(house: House, zone: Zone) -> None:
    made = house.rrset(zone, "www")
    assert house.call(GetRRset(caller=member(), zone_id=None, rrset_id=made.id)) == made
    other = house.zone(name="other.org.")
    with pytest.raises(errors.RRsetNotFound):
        house.call(GetRRset(caller=member(), zone_id=other.id, rrset_id=made.id))


def test_the_list_over_all_zones_shows_what_the_project_made(house: House, zone: Zone) -> None:
    mine = house.rrset(zone, "mine")
    by_admin = house.rrset(zone, "admins", caller=admin("p2", all_projects=True))
    query = ListQuery(conditions=(Condition("type", Op.EQ, "A"),))
    page = house.call(ListRRsets(caller=member(), zone_id=None, query=query))
    assert [rrset.id for rrset in page.items] == [mine.id]
    page = house.call(ListRRsets(caller=member("p2"), zone_id=None, query=query))
    assert [rrset.id for rrset in page.items] == [by_admin.id]
    page = house.call(ListRRsets(caller=OPERATOR, zone_id=None, query=query))
    assert {rrset.id for rrset in page.items} == {mine.id, by_admin.id}
    in_zone = house.call(ListRRsets(caller=member(), zone_id=zone.id, query=query))
    assert {rrset.id for rrset in in_zone.items} == {mine.id, by_admin.id}


@pytest.mark.parametrize(
    ("op", "word", "names"),
    [
        (Op.EQ, "ACTIVE", {"old", "empty"}),
        (Op.EQ, "PENDING", {"new"}),
        (Op.EQ, "ERROR", set()),
        (Op.NE, "ACTIVE", {"new"}),
        (Op.LIKE, "*ING", {"new"}),
        (Op.LIKE, "*", {"old", "new", "empty"}),
        (Op.LT, "B", {"old", "empty"}),
        (Op.EQ, "nonsense", set()),
    ],
)
def test_lists_filter_by_the_computed_status(house: House, zone: Zone, op: Op, word: str, names: set[str]) -> None:
    house.rrset(zone, "old")
    house.rrset(zone, "empty", records=())
    house.serve()
    house.rrset(zone, "new")
    query = ListQuery(conditions=(Condition("status", op, word), Condition("type", Op.EQ, "A")))
    page = house.call(ListRRsets(caller=member(), zone_id=zone.id, query=query))
    assert {rrset.name.partition(".")[0] for rrset in page.items} == names
    assert page.total == len(names)


def test_the_apex_ns_set_follows_its_pool(house: House, zone: Zone) -> None:
    assert apex(house, zone, "NS").records == tuple(record.hostname for record in NS)
