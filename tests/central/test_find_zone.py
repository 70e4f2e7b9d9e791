# SPDX-License-Identifier: Apache-2.0
"""The zone that holds a name."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redesignate.commands.zones import FindZone
from redesignate.model.caller import Caller
from redesignate.model.errors import BadInput
from redesignate.model.names import is_below
from tests.central.driver import CentralDriver, admin, member


def holder(central: CentralDriver, name: str, caller: Caller | None = None) -> list[str]:
    page = central.call(FindZone(caller=caller or member(), name=name))
    assert page.total == len(page.items)
    return [zone.name for zone in page.items]


def test_the_zone_with_the_longest_name_holds_a_name(central: CentralDriver) -> None:
    for name in ("example.org.", "a.example.org."):
        central.zone(name=name)
    for name, zone in (
        ("www.example.org.", "example.org."),
        ("Host.A.Example.ORG.", "a.example.org."),
        ("a.example.org.", "a.example.org."),
        ("*.b.a.example.org.", "a.example.org."),
        ("_sip._tcp.example.org.", "example.org."),
        ("xa.example.org.", "example.org."),
    ):
        assert holder(central, name) == [zone], name
    assert holder(central, "www.example.net.") == holder(central, "org.") == holder(central, ".") == []


def test_a_zone_that_the_list_does_not_show_holds_no_name(central: CentralDriver) -> None:
    central.zone(name="example.org.", caller=member("p2"))
    assert holder(central, "www.example.org.") == []
    assert holder(central, "www.example.org.", member("p2")) == ["example.org."]
    assert holder(central, "www.example.org.", admin(all_projects=True)) == ["example.org."]


@pytest.mark.parametrize("name", ["www.example.org", "a..b.", "x" * 64 + ".org.", "a b.org.", ""])
def test_what_is_not_a_name_is_refused(central: CentralDriver, name: str) -> None:
    with pytest.raises(BadInput, match="owns"):
        holder(central, name)


def test_finding_a_zone_costs_one_query_however_many_there_are(central: CentralDriver) -> None:
    for n in range(40):
        central.zone(name=f"z{n}.org.")
    with central.counted() as statements:
        assert holder(central, "a.b.c.d.z7.org.") == ["z7.org."]
    assert len(statements) == 1


LABELS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(zones=st.sets(LABELS.map(tuple), max_size=6), asked=LABELS)
def test_it_is_the_longest_of_all_zones_that_the_name_is_in(
    central: CentralDriver, zones: set[tuple[str, ...]], asked: list[str]
) -> None:
    top = f"t{uuid.uuid4().hex}.test."
    names = [".".join([*labels, top]) for labels in zones]
    for name in names:
        central.zone(name=name)
    name = ".".join([*asked, top])
    holding = [zone for zone in names if is_below(name, zone)]
    assert holder(central, name) == ([max(holding, key=len)] if holding else [])
