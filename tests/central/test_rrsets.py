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
from tests.central.driver import NS, OPERATOR, CentralDriver, admin, member

EDITOR = admin(edit_managed=True)


@pytest.fixture
def zone(central: CentralDriver) -> Zone:
    """A zone that is on every server."""
    made = central.zone()
    central.serve()
    return central.get(made.id)


def apex(central: CentralDriver, zone: Zone, rrtype: str) -> RRset:
    return central.rrsets(zone)[zone.name, rrtype]


# -- creation


def test_a_new_rrset_is_pending_and_raises_its_zone(central: CentralDriver, zone: Zone) -> None:
    made = central.rrset(zone, "WWW", ttl=60, description="words", caller=admin())
    assert (made.name, made.type, made.ttl, made.description) == ("WWW.example.org.", "A", 60, "words")
    assert (made.status, made.action, made.version, made.project_id) == (Status.PENDING, Action.CREATE, 1, "p1")
    assert central.look(made) == made
    raised = central.get(zone.id)
    assert (raised.serial, raised.status, raised.action) == (zone.serial + 1, Status.PENDING, Action.UPDATE)
    assert made.revision == raised.revision == zone.revision + 1
    assert central.hints == [zone.id]


def test_an_rrset_is_active_once_its_zones_revision_is_confirmed(central: CentralDriver, zone: Zone) -> None:
    made = central.rrset(zone, "www")
    central.serve()
    assert (central.look(made).status, central.look(made).action) == (Status.ACTIVE, Action.NONE)
    central.rrset(zone, "other")
    assert central.look(made).status is Status.ACTIVE
    assert apex(central, zone, "SOA").status is Status.PENDING


def test_records_keep_their_order_and_lose_their_doubles(central: CentralDriver, zone: Zone) -> None:
    texts = ("192.0.2.9", "192.0.2.1", "192.0.2.9", "192.0.2.5")
    assert central.rrset(zone, "www", records=texts).records == ("192.0.2.9", "192.0.2.1", "192.0.2.5")


def test_an_rrset_without_records_is_active_at_once_and_served_nowhere(central: CentralDriver, zone: Zone) -> None:
    empty = central.rrset(zone, "empty", records=())
    assert (empty.status, empty.action) == (Status.ACTIVE, Action.NONE)
    assert central.look(empty) == empty
    assert central.get(zone.id).serial == zone.serial
    assert not central.hints
    filled = central.put(empty, records=("192.0.2.1",))
    assert (filled.status, central.get(zone.id).serial) == (Status.PENDING, zone.serial + 1)
    central.hints.clear()
    emptied = central.put(filled, records=())
    assert (emptied.status, emptied.records) == (Status.ACTIVE, ())
    assert central.hints == [zone.id]
    central.serve()
    central.remove(emptied)
    assert not central.hints
    assert ("empty.example.org.", "A") not in central.rrsets(zone)


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
    central: CentralDriver, zone: Zone, name: str, rrtype: str, records: tuple[str, ...], problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        central.rrset(zone, name, rrtype, records)
    assert central.get(zone.id) == zone
    assert not central.hints


def test_the_operator_narrows_the_types(build: Build) -> None:
    central = build(supported_record_type=("A", "NS", "SOA"))
    zone = central.zone()
    central.rrset(zone, "www")
    with pytest.raises(errors.InvalidObject) as refused:
        central.rrset(zone, "www", "AAAA", ("2001:db8::1",))
    assert refused.value.errors is not None
    assert refused.value.errors["errors"][0]["message"] == "'AAAA' is not a supported record type"


@pytest.mark.parametrize(("more", "accepted"), [((), False), (("foo",), True), (("bar",), False), (("*",), True)])
def test_an_alpn_id_is_a_registered_one_or_one_that_the_operator_adds(
    build: Build, more: tuple[str, ...], accepted: bool
) -> None:
    central = build(additional_alpn_ids=more)
    zone = central.zone()
    central.rrset(zone, "known", "HTTPS", ("1 . alpn=h3,h2,http/1.1",))
    if accepted:
        central.rrset(zone, "www", "HTTPS", ("1 . alpn=h2,foo",))
        return
    with pytest.raises(errors.InvalidObject) as refused:
        central.rrset(zone, "www", "HTTPS", ("1 . alpn=h2,foo",))
    assert "alpn 'foo' is not a registered protocol id" in str(refused.value.errors)


@pytest.mark.parametrize(
    ("rrtype", "name", "sent", "kept"),
    [
        ("TXT", "www", "", ""),
        ("TXT", "www", "a;b(c", "a;b(c"),
        ("TLSA", "_443._tcp", "3 1 0 (\n\tab\n\tcd )", "3 1 0 ( ab cd )"),
    ],
)
def test_a_record_is_shown_as_it_was_sent_on_one_line(
    central: CentralDriver, zone: Zone, rrtype: str, name: str, sent: str, kept: str
) -> None:
    made = central.rrset(zone, name, rrtype, (sent,))
    assert made.records == (kept,)


def test_every_bad_record_is_named(central: CentralDriver, zone: Zone) -> None:
    with pytest.raises(errors.InvalidObject) as refused:
        central.rrset(zone, "www", records=("x", "192.0.2.1", "y"))
    assert refused.value.errors is not None
    faults = refused.value.errors["errors"]
    assert [fault["path"] for fault in faults] == [["records", 0], ["records", 2]]
    assert faults[0]["validator"] == "format"


def test_a_name_and_type_exist_once(central: CentralDriver, zone: Zone) -> None:
    central.rrset(zone, "www")
    with pytest.raises(errors.DuplicateRRset):
        central.rrset(zone, "www", records=("192.0.2.7",))


def test_a_cname_stands_alone(central: CentralDriver, zone: Zone) -> None:
    central.rrset(zone, "www")
    central.rrset(zone, "alias", "CNAME", ("www.example.org.",))
    for name, rrtype, records in (
        ("www", "CNAME", ("a.org.",)),
        ("alias", "A", ("192.0.2.1",)),
        ("alias", "TXT", ('"x"',)),
        ("alias", "CNAME", ("b.org.",)),
    ):
        with pytest.raises(errors.InvalidRRsetLocation):
            central.rrset(zone, name, rrtype, records)
    central.rrset(zone, "below.alias")


def test_an_empty_rrset_keeps_a_cname_away_as_well(central: CentralDriver, zone: Zone) -> None:
    central.rrset(zone, "www", records=())
    with pytest.raises(errors.InvalidRRsetLocation):
        central.rrset(zone, "www", "CNAME", ("a.org.",))


def test_a_long_name_is_refused_as_the_operator_says(build: Build) -> None:
    central = build(max_recordset_name_len=16)
    zone = central.zone()
    central.rrset(zone, "www")
    with pytest.raises(errors.InvalidRRsetName):
        central.rrset(zone, "wwww")


def test_a_name_in_a_child_zone_belongs_there(central: CentralDriver, zone: Zone) -> None:
    before = central.rrset(zone, "www.sub")
    central.zone(name="sub.example.org.")
    for name in ("sub", "www2.sub", "a.b.sub"):
        with pytest.raises(errors.InvalidRRsetLocation, match=r"child zone: sub\.example\.org\."):
            central.rrset(zone, name)
    with pytest.raises(errors.InvalidRRsetLocation):
        central.rrset(zone, "sub", "NS", ("ns1.example.net.",))
    central.rrset(zone, "subs")
    assert central.look(before).records == ("192.0.2.1",)


@pytest.mark.parametrize("use", ["create", "update"])
def test_a_low_ttl_needs_the_right(build: Build, use: str) -> None:
    central = build(min_ttl=60)
    zone = central.zone()
    made = central.rrset(zone, "www", ttl=60)

    def lower(caller: Any) -> RRset:
        return (
            central.rrset(zone, "low", ttl=59, caller=caller) if use == "create" else central.put(made, caller, ttl=59)
        )

    with pytest.raises(errors.InvalidTTL):
        lower(member())
    assert lower(admin()).ttl == 59


@pytest.mark.parametrize(("rrtype", "records"), [("CNAME", ("a.b.", "c.b.")), ("DNAME", ("a.b.", "c.b."))])
def test_a_name_has_one_alias_at_most(
    central: CentralDriver, zone: Zone, rrtype: str, records: tuple[str, str]
) -> None:
    with pytest.raises(errors.BadInput, match=f"{rrtype} recordsets may not have more than 1 record"):
        central.rrset(zone, "x", rrtype, records)
    made = central.rrset(zone, "x", rrtype, records[:1])
    with pytest.raises(errors.BadInput, match="more than 1 record"):
        central.put(made, records=records)
    assert central.look(made).records == records[:1]


# -- quotas


def test_quotas_count_rrsets_records_and_records_of_one_rrset(build: Build) -> None:
    central = build(quotas=dict(QUOTAS, zone_recordsets=5, zone_records=4, recordset_records=3))
    zone = central.zone()
    with pytest.raises(errors.OverQuota, match=r"for recordset_records\."):
        central.rrset(zone, "a", records=[f"192.0.2.{n}" for n in range(4)])
    one = central.rrset(zone, "a", records=[f"192.0.2.{n}" for n in range(3)])
    with pytest.raises(errors.OverQuota, match=r"for zone_records\."):
        central.rrset(zone, "b", records=("192.0.2.1", "192.0.2.2"))
    two = central.rrset(zone, "b")
    central.rrset(zone, "c", records=())
    with pytest.raises(errors.OverQuota, match=r"for zone_records, zone_recordsets\."):
        central.rrset(zone, "d")
    with pytest.raises(errors.OverQuota, match="zone_records"):
        central.put(two, records=("192.0.2.1", "192.0.2.2"))
    central.put(one, records=("192.0.2.1",))
    central.put(two, records=("192.0.2.1", "192.0.2.2"))
    central.remove(one)
    central.rrset(zone, "d")


def test_the_zones_owner_pays(build: Build) -> None:
    central = build(quotas=dict(QUOTAS, zone_recordsets=3))
    zone = central.zone()
    central.rrset(zone, "a", caller=admin("p2", all_projects=True))
    with pytest.raises(errors.OverQuota):
        central.rrset(zone, "b")


# -- changes


def test_what_is_not_given_stays(central: CentralDriver, zone: Zone) -> None:
    made = central.rrset(zone, "www", ttl=60, description="words", records=("192.0.2.2", "192.0.2.1"))
    central.serve()
    central.pass_time(5)
    changed = central.put(made, ttl=None)
    assert (changed.ttl, changed.records, changed.description) == (None, made.records, "words")
    assert (changed.version, changed.updated_at, changed.born) == (2, central.time, made.born)
    assert (changed.status, changed.action) == (Status.PENDING, Action.UPDATE)
    assert central.look(made) == changed
    assert central.put(made, description=None).ttl is None
    assert central.put(made, records=("192.0.2.7",)).records == ("192.0.2.7",)


def test_a_change_before_the_first_publication_is_still_a_creation(central: CentralDriver, zone: Zone) -> None:
    changed = central.put(central.rrset(zone, "www"), ttl=5)
    assert changed.action is Action.CREATE
    assert central.look(changed) == changed


def test_name_and_type_may_be_sent_back_but_not_changed(central: CentralDriver, zone: Zone) -> None:
    made = central.rrset(zone, "www")
    central.put(made, same_name=made.name, same_type="A")
    refused: tuple[dict[str, Any], ...] = ({"same_name": "x.example.org."}, {"same_type": "AAAA"})
    for change in refused:
        with pytest.raises(errors.InvalidObject):
            central.put(made, **change)


def test_an_update_refuses_what_a_creation_refuses(central: CentralDriver, zone: Zone) -> None:
    made = central.rrset(zone, "www")
    alias = central.rrset(zone, "alias", "CNAME", ("www.example.org.",))
    with pytest.raises(errors.InvalidObject):
        central.put(made, records=("nonsense",))
    with pytest.raises(errors.BadInput):
        central.put(alias, records=("a.org.", "b.org."))
    with pytest.raises(errors.InvalidObject):
        central.put(made, ttl=-1)
    assert central.look(made) == made


@pytest.mark.parametrize("rrtype", ["SOA", "NS"])
@pytest.mark.parametrize("caller", [member(), admin(), EDITOR])
def test_soa_and_apex_ns_are_nobodys_to_change(central: CentralDriver, zone: Zone, rrtype: str, caller: Any) -> None:
    rrset = apex(central, zone, rrtype)
    with pytest.raises(errors.BadInput):
        central.put(rrset, caller, ttl=5)
    with pytest.raises(errors.BadInput):
        central.remove(rrset, caller)
    assert apex(central, zone, rrtype) == rrset


def test_a_managed_rrset_needs_the_switch(central: CentralDriver, zone: Zone) -> None:
    made = central.rrset(zone, "www")
    with central.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE rrsets SET managed = 1 WHERE id = ?", (made.id,))
    acts: tuple[Callable[[], object], ...] = (lambda: central.put(made, ttl=5), lambda: central.remove(made))
    for act in acts:
        with pytest.raises(errors.BadInput, match="Managed records"):
            act()
    assert central.put(made, EDITOR, ttl=5).ttl == 5
    central.remove(made, EDITOR)


# -- deletion


def test_a_deleted_rrset_is_gone_at_once(central: CentralDriver, zone: Zone) -> None:
    made = central.rrset(zone, "www")
    gone = central.remove(made)
    assert (gone.status, gone.action) == (Status.PENDING, Action.DELETE)
    with pytest.raises(errors.RRsetNotFound):
        central.look(made)
    with pytest.raises(errors.RRsetNotFound):
        central.remove(made)
    assert central.get(zone.id).status is Status.PENDING
    assert not central.rows("rrset_data", rrset_id=made.id)
    central.rrset(zone, "www", "CNAME", ("a.org.",))


def test_a_zone_being_deleted_takes_no_changes(central: CentralDriver, zone: Zone) -> None:
    made = central.rrset(zone, "www")
    central.delete(zone)
    acts: tuple[Callable[[], object], ...] = (
        lambda: central.rrset(zone, "b"),
        lambda: central.put(made, ttl=5),
        lambda: central.remove(made),
    )
    for act in acts:
        with pytest.raises(errors.BadInput, match="deleting"):
            act()


# -- secondary zones


def test_only_an_administrator_writes_into_a_secondary_zone(central: CentralDriver) -> None:
    zone = central.zone(type=ZoneType.SECONDARY, email=None, primaries=("192.0.2.1",))
    with pytest.raises(errors.Forbidden):
        central.rrset(zone, "www")
    made = central.rrset(zone, "www", caller=admin())
    acts: tuple[Callable[[], object], ...] = (lambda: central.put(made, ttl=5), lambda: central.remove(made))
    for act in acts:
        with pytest.raises(errors.Forbidden):
            act()
    central.remove(central.put(made, admin(), ttl=5), admin())


# -- reading


def test_an_rrset_is_found_without_its_zone(central: CentralDriver, zone: Zone) -> None:
    made = central.rrset(zone, "www")
    assert central.call(GetRRset(caller=member(), zone_id=None, rrset_id=made.id)) == made
    other = central.zone(name="other.org.")
    with pytest.raises(errors.RRsetNotFound):
        central.call(GetRRset(caller=member(), zone_id=other.id, rrset_id=made.id))


def test_the_list_over_all_zones_shows_what_the_project_made(central: CentralDriver, zone: Zone) -> None:
    mine = central.rrset(zone, "mine")
    by_admin = central.rrset(zone, "admins", caller=admin("p2", all_projects=True))
    query = ListQuery(conditions=(Condition("type", Op.EQ, "A"),))
    page = central.call(ListRRsets(caller=member(), zone_id=None, query=query))
    assert [rrset.id for rrset in page.items] == [mine.id]
    page = central.call(ListRRsets(caller=member("p2"), zone_id=None, query=query))
    assert [rrset.id for rrset in page.items] == [by_admin.id]
    page = central.call(ListRRsets(caller=OPERATOR, zone_id=None, query=query))
    assert {rrset.id for rrset in page.items} == {mine.id, by_admin.id}
    in_zone = central.call(ListRRsets(caller=member(), zone_id=zone.id, query=query))
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
def test_lists_filter_by_the_computed_status(
    central: CentralDriver, zone: Zone, op: Op, word: str, names: set[str]
) -> None:
    central.rrset(zone, "old")
    central.rrset(zone, "empty", records=())
    central.serve()
    central.rrset(zone, "new")
    query = ListQuery(conditions=(Condition("status", op, word), Condition("type", Op.EQ, "A")))
    page = central.call(ListRRsets(caller=member(), zone_id=zone.id, query=query))
    assert {rrset.name.partition(".")[0] for rrset in page.items} == names
    assert page.total == len(names)


def test_the_apex_ns_set_follows_its_pool(central: CentralDriver, zone: Zone) -> None:
    assert apex(central, zone, "NS").records == tuple(record.hostname for record in NS)
