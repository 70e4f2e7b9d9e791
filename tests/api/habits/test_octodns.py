# SPDX-License-Identifier: Apache-2.0
"""octoDNS over v2: reads a whole zone, compares, and writes the differences one by one, without waiting for any.

No provider for Designate is published; those in use send what is here. A second plan must be empty.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import System
from tests.api.habits.tool import REQUESTS, Tool

CHUNK = "k" * 250
DESIRED: dict[tuple[str, str], tuple[int, list[str]]] = {
    ("unit.tests.", "A"): (300, ["1.2.3.4", "1.2.3.5"]),
    ("unit.tests.", "MX"): (300, ["10 smtp-1.unit.tests.", "20 smtp-2.unit.tests."]),
    ("unit.tests.", "CAA"): (3600, ["0 issue ca.unit.tests"]),
    ("unit.tests.", "SSHFP"): (3600, ["1 1 bf6b6825d2977c511a475bbefb88aad54a92ac73"]),
    ("_srv._tcp.unit.tests.", "SRV"): (600, ["10 20 30 foo-1.unit.tests.", "12 20 30 foo-2.unit.tests."]),
    ("aaaa.unit.tests.", "AAAA"): (600, ["2601:644:500:e210:62f8:1dff:feb8:947a"]),
    ("cname.unit.tests.", "CNAME"): (300, ["unit.tests."]),
    ("naptr.unit.tests.", "NAPTR"): (600, ['10 100 "S" "SIP+D2U" "!^.*$!sip:info@bar.example.com!" .']),
    ("sub.unit.tests.", "NS"): (3600, ["6.2.3.4.", "7.2.3.4."]),
    ("txt.unit.tests.", "TXT"): (600, ['"Bah bah black sheep"', '"v=DKIM1;k=rsa;s=email;h=sha256"']),
    ("long.unit.tests.", "TXT"): (600, [f'"{CHUNK}" "{CHUNK}" "{CHUNK}"']),
    ("*.wild.unit.tests.", "A"): (300, ["2.2.3.6"]),
}


class OctoDNS(Tool):
    """populate, plan and apply."""

    def plan(self, path: str, desired: dict[tuple[str, str], tuple[int, list[str]]]) -> list[tuple[str, str, Any]]:
        """The requests that make the zone as it is desired. SOA and the zone's own NS are not its business."""
        there = {(one["name"], one["type"]): one for one in self.pages(f"{path}?limit=1000", "recordsets")}
        there = {key: one for key, one in there.items() if key not in {("unit.tests.", "NS"), ("unit.tests.", "SOA")}}
        made: list[tuple[str, str, Any]] = [
            ("DELETE", f"{path}/{there[key]['id']}", None) for key in there.keys() - desired
        ]
        for (name, rrtype), (ttl, records) in desired.items():
            one = there.get((name, rrtype))
            if one is None:
                made.append(("POST", path, {"name": name, "type": rrtype, "ttl": ttl, "records": records}))
            elif (one["ttl"], sorted(one["records"])) != (ttl, sorted(records)):
                made.append(("PUT", f"{path}/{one['id']}", {"ttl": ttl, "records": records}))
        return made

    def apply(self, plan: list[tuple[str, str, Any]]) -> None:
        """Send the requests."""
        for verb, path, body in plan:
            self.said(verb, path, body, ok=(200, 201, 202))


@pytest.fixture
def octodns(system: System) -> OctoDNS:
    return OctoDNS(system, REQUESTS)


def test_a_zone_is_made_and_the_second_plan_is_empty(octodns: OctoDNS) -> None:
    assert octodns.pages("/v2/zones?name=unit.tests.", "zones") == []
    zone = octodns.said("POST", "/v2/zones", {"name": "unit.tests.", "email": "a@unit.tests"}, ok=(201, 202))
    path = f"/v2/zones/{zone['id']}/recordsets"
    plan = octodns.plan(path, DESIRED)
    assert len(plan) == len(DESIRED)
    octodns.apply(plan)
    assert octodns.plan(path, DESIRED) == []
    octodns.system.serve()
    assert octodns.plan(path, DESIRED) == []


def test_a_type_that_gives_way_to_a_cname_is_removed_before_it(octodns: OctoDNS) -> None:
    """Deletes are sent first, and the name is free at once."""
    zone = octodns.said("POST", "/v2/zones", {"name": "unit.tests.", "email": "a@unit.tests"}, ok=(201, 202))
    path = f"/v2/zones/{zone['id']}/recordsets"
    octodns.apply(octodns.plan(path, {("www.unit.tests.", "A"): (300, ["1.2.3.4"])}))
    swap = octodns.plan(path, {("www.unit.tests.", "CNAME"): (300, ["unit.tests."])})
    assert [verb for verb, _, _ in swap] == ["DELETE", "POST"]
    octodns.apply(swap)
    octodns.apply(octodns.plan(path, {("www.unit.tests.", "A"): (300, ["1.2.3.4"])}))
    assert octodns.plan(path, {("www.unit.tests.", "A"): (300, ["1.2.3.4"])}) == []


def test_the_zones_own_ns_records_are_refused_with_the_reason(octodns: OctoDNS) -> None:
    """Where a plan holds them nevertheless."""
    zone = octodns.said("POST", "/v2/zones", {"name": "unit.tests.", "email": "a@unit.tests"}, ok=(201, 202))
    path = f"/v2/zones/{zone['id']}/recordsets"
    (own,) = octodns.pages(f"{path}?name=unit.tests.&type=NS", "recordsets")
    fault = octodns.refused(400, "PUT", f"{path}/{own['id']}", {"records": ["ns1.other.example."]})
    assert fault["message"] == "Managed records may not be updated"
