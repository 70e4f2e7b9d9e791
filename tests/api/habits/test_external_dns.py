# SPDX-License-Identifier: Apache-2.0
"""external-dns (its designate provider until 0.17, and the webhook that followed it): reads everything each minute.

It takes PRIMARY zones that are ACTIVE, all their record sets, keeps a TXT beside each name that it made, and writes
what differs without waiting for it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import System
from tests.api.habits.tool import GOPHERCLOUD, Tool

OWNER = '"heritage=external-dns,external-dns/owner=default,external-dns/resource=service/default/nginx"'
KINDS = {"A", "TXT", "CNAME"}


class ExternalDNS(Tool):
    """Its round."""

    def zones(self) -> dict[str, str]:
        """Path by name, the longest first."""
        found = [
            one for one in self.pages("/v2/zones", "zones") if one["type"] == "PRIMARY" and one["status"] == "ACTIVE"
        ]
        return {
            one["name"]: f"/v2/zones/{one['id']}/recordsets" for one in sorted(found, key=lambda one: -len(one["name"]))
        }

    def records(self) -> dict[tuple[str, str], Any]:
        """All that it knows how to handle."""
        found = [one for path in self.zones().values() for one in self.pages(path, "recordsets")]
        return {(one["name"], one["type"]): one for one in found if one["type"] in KINDS}

    def apply(self, wanted: dict[tuple[str, str], list[str]]) -> int:
        """Write what differs; how many requests that took."""
        zones, there, writes = self.zones(), self.records(), 0
        for key in sorted(wanted.keys() | there.keys()):
            have, want, name = there.get(key), wanted.get(key), key[0]
            if have is not None and want is not None and sorted(have["records"]) == sorted(want):
                continue
            writes += 1
            if have is None:
                path = next(path for zone, path in zones.items() if name.endswith(zone))
                self.said("POST", path, {"name": name, "records": want, "ttl": 300, "type": key[1]}, ok=(201, 202))
                continue
            path = f"/v2/zones/{have['zone_id']}/recordsets/{have['id']}"
            if want is None:
                self.said("DELETE", path, ok=(202,))
            else:
                self.said("PUT", path, {"records": want, "ttl": None}, ok=(200, 202))
        return writes


@pytest.fixture
def tool(system: System) -> ExternalDNS:
    made = ExternalDNS(system, GOPHERCLOUD)
    for name in ("example.org.", "k8s.example.org.", "example.net."):
        made.said("POST", "/v2/zones", {"email": "a@example.org", "name": name}, ok=(201, 202))
    system.serve()
    return made


def test_a_round_makes_changes_and_removes(tool: ExternalDNS) -> None:
    first = {
        ("nginx.k8s.example.org.", "A"): ["192.0.2.1"],
        ("a-nginx.k8s.example.org.", "TXT"): [OWNER],
        ("nginx.k8s.example.org.", "TXT"): [OWNER],
        ("www.example.org.", "CNAME"): ["nginx.k8s.example.org."],
        ("*.example.net.", "A"): ["192.0.2.7"],
    }
    assert tool.apply(first) == 5
    tool.system.serve()
    assert tool.records()["nginx.k8s.example.org.", "A"]["zone_name"] == "k8s.example.org."
    assert tool.apply(first) == 0
    second = first | {("nginx.k8s.example.org.", "A"): ["192.0.2.2", "192.0.2.3"]}
    del second["*.example.net.", "A"]
    assert tool.apply(second) == 2
    tool.system.serve()
    assert tool.apply(second) == 0
    assert tool.apply({}) == 4
    tool.system.serve()
    assert tool.records() == {}


def test_a_zone_with_a_change_on_its_way_is_left_to_the_next_round(tool: ExternalDNS) -> None:
    assert tool.apply({("a.example.org.", "A"): ["192.0.2.1"]}) == 1
    assert "example.org." not in tool.zones()
    tool.system.serve()
    assert "example.org." in tool.zones()


def test_two_that_make_the_same_name_do_not_loop(tool: ExternalDNS) -> None:
    """The second hears 409, reads again, and finds it there."""
    wanted = {("a.example.org.", "A"): ["192.0.2.1"]}
    path = tool.zones()["example.org."]
    other = Tool(tool.system, GOPHERCLOUD)
    assert tool.apply(wanted) == 1
    body = {"name": "a.example.org.", "records": ["192.0.2.1"], "ttl": 300, "type": "A"}
    assert other.refused(409, "POST", path, body)["type"] == "duplicate_recordset"
    tool.system.serve()
    assert tool.apply(wanted) == 0


def test_the_webhook_asks_for_one_zone_by_its_name(tool: ExternalDNS) -> None:
    assert [one["name"] for one in tool.pages("/v2/zones?name=example.org.", "zones")] == ["example.org."]
    assert len(tool.pages("/v2/zones?name=%2Aexample.org.", "zones")) == 2
