# SPDX-License-Identifier: Apache-2.0
"""Terraform's openstack provider: makes, looks until ACTIVE, reads back, and wants no difference from what it wrote.

It looks at the status after 5 seconds and then every 3; any status but the expected ones ends its run with an error,
and 404 means that the thing is gone, also where somebody else removed it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.conftest import System
from tests.api.habits.tool import GOPHERCLOUD, Tool

MADE, CHANGED = (201, 202), (200, 202)
ZONE = {
    "attributes": {"tier": "gold"}, "description": "a zone", "email": "email2@example.com", "name": "example.com.",
    "ttl": 6000, "type": "PRIMARY",
}  # fmt: skip


@pytest.fixture
def tool(system: System) -> Tool:
    return Tool(system, GOPHERCLOUD)


@pytest.fixture
def zone(tool: Tool) -> str:
    """The path of a zone that Terraform made."""
    made = tool.said("POST", "/v2/zones", ZONE, ok=MADE)
    path = f"/v2/zones/{made['id']}"
    tool.waits(path, "ACTIVE", ("PENDING",))
    return path


def differs(tool: Tool, path: str, wrote: dict[str, Any]) -> dict[str, Any]:
    """What the next plan would change."""
    read = tool.said("GET", path)
    return {name: read[name] for name, value in wrote.items() if (read[name] or "") != value}


def test_a_zone_from_apply_to_destroy(tool: Tool, zone: str) -> None:
    assert differs(tool, zone, ZONE) == {}
    tool.said("PATCH", zone, {"description": "", "email": "email@example.com", "ttl": 600}, ok=CHANGED)
    tool.waits(zone, "ACTIVE", ("PENDING",))
    assert differs(tool, zone, ZONE | {"description": "", "email": "email@example.com", "ttl": 600}) == {}
    tool.said("DELETE", zone, ok=(202,))
    tool.waits(zone, "DELETED", ("ACTIVE", "PENDING"))


@pytest.mark.parametrize(
    ("rrtype", "records"),
    [
        ("A", ["10.0.0.2", "10.0.0.1"]),
        ("AAAA", ["FD2B:DB7F:6AE:DD8D::1", "fd2b:db7f:06ae:dd8d:0000::2"]),
        ("TXT", ['"v=spf1 include:_spf.example.net ~all"', '"one" "two"']),
        ("MX", ["10 Mail.example.com.", "5 mx.example.com."]),
        ("SRV", ["10 60 5060 sip.example.com."]),
    ],
)
def test_a_record_set_is_read_back_as_it_was_written(tool: Tool, zone: str, rrtype: str, records: list[str]) -> None:
    name = "_sip._udp.example.com." if rrtype == "SRV" else "Rs.example.com."
    wrote = {"description": "a record set", "name": name, "records": records, "ttl": 3000, "type": rrtype}
    made = tool.said("POST", f"{zone}/recordsets", wrote, ok=MADE)
    path = f"{zone}/recordsets/{made['id']}"
    tool.waits(path, "ACTIVE", ("PENDING",))
    assert differs(tool, path, wrote) == {}
    tool.said("PUT", path, {"description": "", "records": records[:1], "ttl": 60}, ok=CHANGED)
    tool.waits(path, "ACTIVE", ("PENDING",))
    assert differs(tool, path, wrote | {"description": "", "records": records[:1], "ttl": 60}) == {}
    tool.said("DELETE", path, ok=(202,))
    tool.waits(path, "DELETED", ("ACTIVE", "PENDING"))
    tool.waits(zone, "ACTIVE", ("PENDING",))


def test_ten_at_once_do_not_get_into_each_others_way(tool: Tool, zone: str) -> None:
    """`-parallelism=10` is its default: ten record sets of one zone are made, and removed, at the same time."""

    def make(number: int) -> str:
        body = {"name": f"h{number}.example.com.", "records": ["10.0.0.1"], "ttl": 3000, "type": "A"}
        return str(tool.said("POST", f"{zone}/recordsets", body, ok=MADE)["id"])

    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(make, range(20)))
        tool.system.serve()
        for ident in made:
            tool.waits(f"{zone}/recordsets/{ident}", "ACTIVE", ())
        list(pool.map(lambda ident: tool.said("DELETE", f"{zone}/recordsets/{ident}", ok=(202,)), made))
    tool.said("DELETE", zone, ok=(202,))
    tool.waits(zone, "DELETED", ("ACTIVE", "PENDING"))


def test_what_somebody_else_removed_is_not_there(tool: Tool, zone: str) -> None:
    body = {"name": "rs.example.com.", "records": ["10.0.0.1"], "type": "A"}
    made = tool.said("POST", f"{zone}/recordsets", body, ok=MADE)
    tool.said("DELETE", zone, ok=(202,))
    tool.waits(zone, "DELETED", ("ACTIVE", "PENDING"))
    for verb in ("GET", "DELETE"):
        assert tool.ask(verb, zone).status == 404
        assert tool.ask(verb, f"{zone}/recordsets/{made['id']}").status == 404


def test_a_run_that_was_cut_off_is_told_of_what_it_made(tool: Tool, zone: str) -> None:
    """It makes the same again, hears 409, and its user imports by id, or looks for the name."""
    assert tool.refused(409, "POST", "/v2/zones", ZONE)["type"] == "duplicate_zone"
    assert tool.refused(409, "POST", "/v2/zones", ZONE)["message"]
    (found,) = tool.pages("/v2/zones?name=example.com.&status=ACTIVE&ttl=6000&type=PRIMARY", "zones")
    assert zone.endswith(found["id"])
    body = {"name": "rs.example.com.", "records": ["10.0.0.1"], "type": "A"}
    tool.said("POST", f"{zone}/recordsets", body, ok=MADE)
    assert tool.refused(409, "POST", f"{zone}/recordsets", body)["type"] == "duplicate_recordset"


def test_a_zone_is_shared_by_its_owner_who_names_himself(tool: Tool, zone: str) -> None:
    """`openstack_dns_zone_share_v2` always sends the owner's project as the one to act as, and looks the share up."""
    sudo = {"X-Auth-Sudo-Project-Id": tool.said("GET", zone)["project_id"]}
    tool.said("POST", f"{zone}/shares", {"target_project_id": "p2"}, ok=(201,), headers=sudo)
    (share,) = tool.said("GET", f"{zone}/shares", headers=sudo)["shared_zones"]
    assert share["target_project_id"] == "p2"
    assert tool.ask("DELETE", f"{zone}/shares/{share['id']}", headers=sudo).status == 204
    assert tool.said("GET", f"{zone}/shares", headers=sudo)["shared_zones"] == []
    assert tool.ask("GET", f"{zone}/shares", headers={"X-Auth-Sudo-Project-Id": "p2"}).status == 403


def test_a_zone_changes_hands_by_two_resources(system: System, tool: Tool, zone: str) -> None:
    offer = tool.said("POST", f"{zone}/tasks/transfer_requests", {"target_project_id": "p2"}, ok=MADE)
    path = f"/v2/zones/tasks/transfer_requests/{offer['id']}"
    tool.waits(path, "ACTIVE", ("PENDING",))
    tool.said("PATCH", path, {"description": "for you"}, ok=CHANGED)
    assert tool.said("GET", path)["key"] == offer["key"]
    other = Tool(system, GOPHERCLOUD, "p2")
    body = {"key": offer["key"], "zone_transfer_request_id": offer["id"]}
    made = other.said("POST", "/v2/zones/tasks/transfer_accepts", body, ok=MADE)
    accept = f"/v2/zones/tasks/transfer_accepts/{made['id']}"
    other.waits(accept, "COMPLETE", ("PENDING",))
    assert other.said("GET", accept)["zone_transfer_request_id"] == offer["id"]
    assert tool.ask("DELETE", path).status == 204
    tool.waits(path, "DELETED", ("ACTIVE", "PENDING"))
    other.waits(accept, "DELETED", ("ACTIVE",))  # it went with the request
    assert other.said("GET", zone)["name"] == "example.com."


def test_an_operator_acts_for_a_project(system: System) -> None:
    """`project_id` in a resource is sent under the header's former name; quotas are the project's own then."""
    admin = Tool(system, GOPHERCLOUD, "ops", roles="admin")
    sudo = {"X-Auth-Sudo-Tenant-ID": "p9"}
    made = admin.said("POST", "/v2/zones", ZONE, ok=MADE, headers=sudo)
    assert made["project_id"] == "p9"
    assert admin.said("PATCH", "/v2/quotas/p9", {"recordset_records": 7, "zones": 3}, headers=sudo)["zones"] == 3
    assert admin.said("GET", "/v2/quotas/p9", headers=sudo)["recordset_records"] == 7
