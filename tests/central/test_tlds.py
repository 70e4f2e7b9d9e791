# SPDX-License-Identifier: Apache-2.0
"""The list of TLDs: what is in it, who may change it, and which zones it lets be created."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from redesignate.commands.base import Command
from redesignate.commands.tlds import CreateTLD, DeleteTLD, GetTLD, ImportTLDs, ListTLDs, UpdateTLD
from redesignate.model import errors
from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.tld import TLD, NewTLD, TLDChange
from tests.central.conftest import Build
from tests.central.driver import CentralDriver, admin, member
from tests.central.test_races import at_once

NOWHERE = str(uuid.UUID(int=7))


def add(central: CentralDriver, name: str, **new: Any) -> TLD:
    return central.call(CreateTLD(caller=admin(), new=NewTLD(name=name, **new)))


def named(central: CentralDriver, op: Op, text: str) -> list[str]:
    query = ListQuery(conditions=(Condition("name", op, text),))
    return [one.name for one in central.call(ListTLDs(caller=admin(), query=query)).items]


def test_an_entry_is_made_read_changed_and_removed(central: CentralDriver) -> None:
    made = add(central, "Com", description="commerce")
    assert (made.name, made.description, made.updated_at) == ("com", "commerce", None)
    assert central.call(GetTLD(caller=admin(), tld_id=made.id)) == made
    central.pass_time(5)
    after = central.call(UpdateTLD(caller=admin(), tld_id=made.id, change=TLDChange(name="NET", description=None)))
    assert (after.name, after.description, after.created_at) == ("net", None, made.created_at)
    assert after.updated_at == central.time
    assert central.call(UpdateTLD(caller=admin(), tld_id=made.id, change=TLDChange())) == after
    central.call(DeleteTLD(caller=admin(), tld_id=made.id))
    acts: tuple[Command[Any], ...] = (
        GetTLD(caller=admin(), tld_id=made.id),
        UpdateTLD(caller=admin(), tld_id=made.id, change=TLDChange()),
        DeleteTLD(caller=admin(), tld_id=made.id),
    )
    for act in acts:
        with pytest.raises(errors.TLDNotFound):
            central.call(act)


@pytest.mark.parametrize("name", ["com.", "", ".", "a..b", "-a", "*.ck", "a b", "x" * 64, "a." * 127 + "ab", "a\n"])
def test_what_is_not_a_name_is_refused(central: CentralDriver, name: str) -> None:
    with pytest.raises(errors.InvalidObject, match="Provided object is not valid"):
        add(central, name)
    made = add(central, "org")
    with pytest.raises(errors.InvalidObject):
        central.call(UpdateTLD(caller=admin(), tld_id=made.id, change=TLDChange(name=name)))


def test_a_name_is_there_once_in_whatever_spelling(central: CentralDriver) -> None:
    add(central, "рф")
    other = add(central, "com")
    for spelling in ("xn--p1ai", "XN--P1AI", "РФ"):
        with pytest.raises(errors.DuplicateTLD):
            add(central, spelling)
        with pytest.raises(errors.DuplicateTLD):
            central.call(UpdateTLD(caller=admin(), tld_id=other.id, change=TLDChange(name=spelling)))
        assert named(central, Op.EQ, spelling) == ["xn--p1ai"]
    assert named(central, Op.LIKE, "C*") == ["com"]
    assert named(central, Op.EQ, "..") == []


def test_without_a_list_any_name_is_accepted_and_with_one_those_below_its_entries(central: CentralDriver) -> None:
    central.zone(name="example.anything.")
    entry = add(central, "co.uk")
    add(central, "Org")
    for name in ("a.co.uk.", "b.a.CO.UK.", "example.org.", "x.example.org."):
        central.zone(name=name)
    for name, why in (
        ("co.uk.", "itself a TLD"),
        ("example.uk.", "not below any TLD"),
        ("aco.uk.", "not below"),
        ("2.0.192.in-addr.arpa.", "not below"),
    ):
        with pytest.raises(errors.InvalidZoneName, match=why):
            central.zone(name=name)
    central.call(DeleteTLD(caller=admin(), tld_id=entry.id))
    with pytest.raises(errors.InvalidZoneName):
        central.zone(name="c.co.uk.")


def test_an_idn_is_below_its_tld_in_either_form(central: CentralDriver) -> None:
    add(central, "РФ")
    assert central.zone(name="пример.рф.").name == "xn--e1afmkfd.xn--p1ai."
    central.zone(name="a.xn--p1ai.")


def test_what_exists_stays_when_the_list_changes(central: CentralDriver) -> None:
    zone = central.zone()
    add(central, "com")
    central.rrset(zone, "www")
    central.patch(zone, ttl=5)
    central.delete(zone)


def test_the_order_of_checks(build: Build) -> None:
    """Quota, length, TLD, blacklist, TTL, then neighbours."""
    central = build(min_ttl=60, max_zone_name_len=20)
    central.zone(name="a.net.", ttl=60)
    add(central, "org")
    with pytest.raises(errors.InvalidZoneName, match="too long"):
        central.zone(name="a-name-of-some-length.net.", ttl=1)
    with pytest.raises(errors.InvalidZoneName, match="not below"):
        central.zone(name="a.net.", ttl=1, caller=member("p2"))
    with pytest.raises(errors.InvalidTTL):
        central.zone(name="a.org.", ttl=1)


def test_an_import_adds_what_is_new_and_says_what_is_wrong(central: CentralDriver) -> None:
    add(central, "com", description="mine")
    entries = tuple(NewTLD(name=name, description="theirs") for name in ("COM", "org", "*.ck", "Org", "net"))
    command = ImportTLDs(caller=admin(), entries=entries)
    done = central.call(command)
    assert (done.added, done.present, list(done.refused)) == (2, 2, [2])
    assert {row.name: row.description for row in central.rows("tlds")} == {
        "com": "mine", "org": "theirs", "net": "theirs",
    }  # fmt: skip
    again = central.call(command)
    assert (again.added, again.present, again.refused) == (0, 4, done.refused)
    assert central.call(ImportTLDs(caller=admin(), entries=())).added == 0
    with pytest.raises(errors.BadInput, match="At most 1000"):
        central.call(ImportTLDs(caller=admin(), entries=entries * 201))


def test_of_two_who_add_a_name_at_once_one_is_told_that_it_is_there(anywhere: Build) -> None:
    central = anywhere()
    for n in range(5):
        ends = at_once(*(lambda n=n: add(central, f"t{n}") for _ in range(4)))
        assert ends == {"ok": 1, "DuplicateTLD": 3}
    add(central, "taken")
    made = add(central, "mine")
    ends = at_once(
        lambda: central.call(UpdateTLD(caller=admin(), tld_id=made.id, change=TLDChange(name="theirs"))),
        lambda: add(central, "theirs"),
    )
    assert ends == {"ok": 1, "DuplicateTLD": 1}
    with pytest.raises(errors.DuplicateTLD):
        central.call(UpdateTLD(caller=admin(), tld_id=made.id, change=TLDChange(name="taken")))


def test_imports_of_the_same_names_at_once_add_each_once(anywhere: Build) -> None:
    central = anywhere()
    entries = tuple(NewTLD(name=f"t{n}") for n in range(50))
    ends = at_once(*(lambda: central.call(ImportTLDs(caller=admin(), entries=entries)) for _ in range(4)))
    assert ends == {"ok": 4}
    assert len(central.rows("tlds")) == 50


def test_zones_of_a_list_are_created_on_every_database(anywhere: Build) -> None:
    central = anywhere()
    central.zone(name="a.net.")
    add(central, "org")
    central.zone(name="a.org.")
    for name in ("b.net.", "org."):
        with pytest.raises(errors.InvalidZoneName):
            central.zone(name=name)
