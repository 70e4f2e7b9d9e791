# SPDX-License-Identifier: Apache-2.0
"""If-Match and the upsert of one RRset, over each database: of several writers at once one wins, and none loses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.commands.rrsets import DeleteRRset, UpdateRRset, UpsertRRset
from redesignate.commands.zones import DeleteZone, UpdateZone
from redesignate.model import errors
from redesignate.model.etag import TAG, Versioned, check_match
from redesignate.model.rrset import RRset, RRsetChange
from redesignate.model.zone import Zone, ZoneChange
from tests.central.conftest import Build
from tests.central.driver import CentralDriver, member
from tests.central.test_races import at_once


def tag(found: Versioned) -> tuple[str, ...]:
    return (TAG % (found.id, found.version),)


def upsert(central: CentralDriver, zone: Zone, name: str = "www.example.org.", rrtype: str = "A", **more: Any) -> RRset:
    change = RRsetChange(**more.pop("change", {"records": ("192.0.2.1",)}))
    given: dict[str, Any] = {"caller": member(), "zone_id": zone.id, "name": name, "type": rrtype, "change": change}
    return central.call(UpsertRRset(**(given | more)))


def test_of_many_who_change_what_they_read_one_does(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    rrset = central.rrset(zone, "www")

    def put(n: int) -> object:
        change = RRsetChange(records=(f"192.0.2.{n}",))
        return central.call(
            UpdateRRset(caller=member(), zone_id=zone.id, rrset_id=rrset.id, change=change, if_match=tag(rrset))
        )

    ends = at_once(*(lambda n=n: put(n) for n in range(5)))
    assert ends == {"ok": 1, "PreconditionFailed": 4}
    assert central.look(rrset).version == 2
    zone = central.get(zone.id)
    change = ZoneChange(description="x")
    ends = at_once(
        *[lambda: central.call(UpdateZone(caller=member(), zone_id=zone.id, change=change, if_match=tag(zone)))] * 5
    )
    assert ends == {"ok": 1, "PreconditionFailed": 4}
    assert central.get(zone.id).version == zone.version + 1


def test_a_change_and_a_deletion_of_what_was_read_do_not_both_succeed(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    rrset = central.rrset(zone, "www")
    change = RRsetChange(ttl=5)
    ends = at_once(
        lambda: central.call(
            UpdateRRset(caller=member(), zone_id=zone.id, rrset_id=rrset.id, change=change, if_match=tag(rrset))
        ),
        lambda: central.call(DeleteRRset(caller=member(), zone_id=zone.id, rrset_id=rrset.id, if_match=tag(rrset))),
    )
    assert ends in ({"ok": 1, "PreconditionFailed": 1}, {"ok": 1, "RRsetNotFound": 1})


def test_of_many_who_upsert_at_once_one_creates_it(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    made: list[RRset] = []

    def one(n: int, name: str = "www.example.org.", **more: Any) -> Callable[[], object]:
        return lambda: made.append(upsert(central, zone, name, change={"records": (f"192.0.2.{n}",)}, **more))

    assert at_once(*map(one, range(5))) == {"ok": 5}
    assert sorted(one.version for one in made) == [1, 2, 3, 4, 5]
    assert len({one.id for one in made}) == 1
    assert at_once(*(one(n, "new.example.org.", if_absent=True) for n in range(5))) == {
        "ok": 1,
        "PreconditionFailed": 4,
    }


def test_the_tag_of_a_zone_changes_with_its_rrsets_and_not_with_its_status(central: CentralDriver) -> None:
    zone = central.zone()
    before = tag(zone)
    central.serve()
    assert tag(central.get(zone.id)) == before
    made = central.rrset(zone, "www")
    assert tag(central.get(zone.id)) != before
    own = tag(made)
    central.serve()
    assert tag(central.look(made)) == own
    with pytest.raises(errors.PreconditionFailed):
        central.call(DeleteZone(caller=member(), zone_id=zone.id, if_match=before))
    central.call(DeleteZone(caller=member(), zone_id=zone.id, if_match=tag(central.get(zone.id))))


def test_a_refused_precondition_changes_nothing(central: CentralDriver) -> None:
    zone = central.zone()
    rrset = central.rrset(zone, "www")
    before = central.get(zone.id), central.look(rrset)
    old = ('"other-1"', f"W/{tag(rrset)[0]}")
    for act in (
        lambda: central.call(UpdateZone(caller=member(), zone_id=zone.id, change=ZoneChange(ttl=5), if_match=old)),
        lambda: central.call(DeleteZone(caller=member(), zone_id=zone.id, if_match=old)),
        lambda: central.call(DeleteRRset(caller=member(), zone_id=zone.id, rrset_id=rrset.id, if_match=old)),
        lambda: upsert(central, zone, if_match=old),
        lambda: upsert(central, zone, if_absent=True),
        lambda: upsert(central, zone, "new.example.org.", if_match=("*",)),
    ):
        with pytest.raises(errors.PreconditionFailed):
            act()
    assert (central.get(zone.id), central.look(rrset)) == before


def test_rights_and_existence_are_told_before_the_precondition(central: CentralDriver) -> None:
    zone = central.zone()
    rrset = central.rrset(zone, "www")
    old = ('"x"',)
    reader, stranger = member("p1", "reader"), member("p2")
    for caller, error in ((reader, errors.Forbidden), (stranger, errors.ZoneNotFound)):
        with pytest.raises(error):
            central.call(UpdateZone(caller=caller, zone_id=zone.id, change=ZoneChange(), if_match=old))
        with pytest.raises(error):
            central.call(DeleteRRset(caller=caller, zone_id=zone.id, rrset_id=rrset.id, if_match=old))
        for name in ("www.example.org.", "new.example.org."):
            with pytest.raises(error):
                upsert(central, zone, name, caller=caller, if_match=old)


def test_an_upsert_keeps_the_rules_of_a_create_and_of_a_change(central: CentralDriver) -> None:
    zone = central.zone()
    central.rrset(zone, "www")
    for kind, name, rrtype, change in (
        (errors.InvalidRRsetLocation, "www.example.org.", "CNAME", {"records": ("a.org.",)}),
        (errors.InvalidRRsetLocation, "www.example.net.", "A", {"records": ("192.0.2.1",)}),
        (errors.InvalidObject, "www.example.org.", "A", {"records": ("x",)}),
        (errors.InvalidObject, "new.example.org.", "A", {"records": ("x",)}),
        (errors.InvalidObject, "new.example.org.", "A", {"same_name": "other.example.org."}),
        (errors.InvalidObject, "www.example.org.", "A", {"same_type": "TXT"}),
        (errors.InvalidObject, "new.example.org.", "NONE", {}),
        (errors.BadInput, "example.org.", "NS", {"ttl": 5}),
        (errors.BadInput, "example.org.", "SOA", {"ttl": 5}),
    ):
        with pytest.raises(kind):
            upsert(central, zone, name, rrtype, change=change)
    changed = upsert(central, zone, "WWW.Example.ORG.", change={"ttl": 5, "same_name": "www.example.org."})
    assert (changed.version, changed.ttl, changed.records) == (2, 5, ("192.0.2.1",))
    made = upsert(central, zone, "New.example.org.", change={"records": ("192.0.2.2",), "description": "d"})
    assert (made.name, made.version, made.description) == ("New.example.org.", 1, "d")


def test_an_upsert_keeps_to_its_budget(central: CentralDriver) -> None:
    zone = central.zone()
    for n in range(100):
        central.rrset(zone, f"n{n}")
    for change in ({"records": ("192.0.2.1",)}, {"records": ("192.0.2.2",)}):
        with central.counted() as statements:
            upsert(central, zone, change=change)
        assert len(statements) <= 11, "\n".join(statements)


@given(ident=st.uuids().map(str), version=st.integers(1, 9), other=st.integers(1, 9), more=st.lists(st.text()))
def test_a_tag_matches_its_version_alone(ident: str, version: int, other: int, more: list[str]) -> None:
    class Found:
        id = ident

    Found.version = version  # type: ignore[attr-defined]
    wanted = [*[one for one in more if one != "*"], TAG % (ident, other)]
    if version == other:
        check_match(wanted, Found())  # type: ignore[arg-type]
    else:
        with pytest.raises(errors.PreconditionFailed):
            check_match(wanted, Found())  # type: ignore[arg-type]
