# SPDX-License-Identifier: Apache-2.0
"""gophercloud, on which Terraform, external-dns, lego and cert-manager's webhook stand: what it decodes, how strictly.

Go's decoder takes no string for a number and no object for a list, and a time only in one form.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest

from tests.api.conftest import System
from tests.api.habits.tool import GOPHERCLOUD, Tool

STATUSES = {"CURRENT", "SUPPORTED", "DEPRECATED", "EXPERIMENTAL", "STABLE"}


def is_time(value: Any) -> bool:
    """`2006-01-02T15:04:05.999999` without a zone; null is no time."""
    return value is None or bool(datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%f"))


def is_text(value: Any) -> bool:
    """A string; null is the empty one."""
    return value is None or isinstance(value, str)


def is_number(value: Any) -> bool:
    """An int; null is 0."""
    return value is None or type(value) is int


def is_texts(value: Any) -> bool:
    """A list of strings."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


ZONE = {
    **dict.fromkeys(
        ("id", "pool_id", "project_id", "name", "email", "description", "status", "action", "type"), is_text
    ),
    **dict.fromkeys(("ttl", "serial", "version"), is_number),
    **dict.fromkeys(("created_at", "updated_at", "transferred_at"), is_time),
    "masters": is_texts,
    "attributes": lambda value: isinstance(value, dict) and is_texts(list(value.values())),
    "links": lambda value: isinstance(value, dict),
    "shared": lambda value: isinstance(value, bool),
}
RECORDSET = {
    **dict.fromkeys(
        ("id", "zone_id", "project_id", "name", "zone_name", "type", "description", "status", "action"), is_text
    ),
    **dict.fromkeys(("ttl", "version"), is_number),
    **dict.fromkeys(("created_at", "updated_at"), is_time),
    "records": is_texts,
    "links": lambda value: isinstance(value, dict),
}


def decodes(shown: dict[str, Any], fields: dict[str, Any]) -> bool:
    """Whether each field is there in its form."""
    assert {name: shown[name] for name, fits in fields.items() if not fits(shown[name])} == {}
    return True


@pytest.fixture
def tool(system: System) -> Tool:
    return Tool(system, GOPHERCLOUD)


def test_the_endpoint_says_its_versions(tool: Tool) -> None:
    """Discovery: by the catalogue's address, which has no version; one that has may answer what it likes."""
    versions = tool.said("GET", "/", ok=(200, 300))["versions"]
    for version in versions:
        assert re.fullmatch(r"v?\d+(\.\d+)?", version["id"])
        assert version["status"].upper() in STATUSES
        (own,) = (link["href"] for link in version["links"] if link["rel"] == "self")
        assert own.endswith("/v2")
    assert {version["id"].partition(".")[0] for version in versions} == {"v2"}
    assert tool.ask("GET", "/v2/").status == 404


def test_a_zone_and_its_record_sets_decode(tool: Tool) -> None:
    body = {"attributes": {"tier": "gold"}, "email": "a@example.org", "name": "example.org.", "ttl": 6000}
    zone = tool.said("POST", "/v2/zones", body, ok=(201, 202))
    assert decodes(zone, ZONE)
    assert zone["serial"] > 2**30
    path = f"/v2/zones/{zone['id']}"
    rrset = {"name": "rs.example.org.", "records": ["10.1.0.0"], "type": "A"}
    made = tool.said("POST", f"{path}/recordsets", rrset, ok=(201, 202))
    assert decodes(made, RECORDSET)
    tool.system.serve()
    assert decodes(tool.said("GET", path), ZONE)
    assert all(decodes(one, RECORDSET) for one in tool.pages(f"{path}/recordsets", "recordsets"))
    assert decodes(tool.said("DELETE", f"{path}/recordsets/{made['id']}", ok=(202,)), RECORDSET)
    assert decodes(tool.said("DELETE", path, ok=(202,)), ZONE)


def test_a_ttl_of_null_is_the_zones(tool: Tool) -> None:
    """A record set's TTL of 0 in UpdateOpts is sent as null."""
    zone = tool.said("POST", "/v2/zones", {"email": "a@example.org", "name": "example.org."}, ok=(201, 202))
    path = f"/v2/zones/{zone['id']}/recordsets"
    rrset = {"name": "rs.example.org.", "records": ["10.1.0.0"], "ttl": 3000, "type": "A"}
    made = tool.said("POST", path, rrset, ok=(201, 202))
    changed = tool.said("PUT", f"{path}/{made['id']}", {"records": ["10.1.0.2"], "ttl": None}, ok=(200, 202))
    assert (changed["ttl"], changed["records"]) == (None, ["10.1.0.2"])


def test_pages_end(tool: Tool) -> None:
    """Each page names the next, and the list ends, though its last page is full."""
    zone = tool.said("POST", "/v2/zones", {"email": "a@example.org", "name": "example.org."}, ok=(201, 202))
    path = f"/v2/zones/{zone['id']}/recordsets"
    for number in range(38):
        tool.said("POST", path, {"name": f"h{number}.example.org.", "records": ["10.1.0.0"], "type": "A"}, ok=(202,))
    found = tool.pages(path, "recordsets")
    assert len({one["id"] for one in found}) == len(found) == 40
    assert len(tool.pages(f"{path}?limit=7&name=%2A.example.org.&type=A", "recordsets")) == 38


def test_other_nouns_decode(system: System, tool: Tool) -> None:
    zone = tool.said("POST", "/v2/zones", {"email": "a@example.org", "name": "example.org."}, ok=(201, 202))
    admin = Tool(system, GOPHERCLOUD, roles="admin")
    key = {
        "algorithm": "hmac-sha256", "name": "k", "resource_id": zone["id"], "scope": "ZONE", "secret": "c2VjcmV0",
    }  # fmt: skip
    made = admin.said("POST", "/v2/tsigkeys", key, ok=(201,))
    assert admin.said("PATCH", f"/v2/tsigkeys/{made['id']}", {"name": "l"})["name"] == "l"
    assert [one["secret"] for one in admin.pages("/v2/tsigkeys?scope=ZONE", "tsigkeys")] == ["c2VjcmV0"]
    assert admin.ask("DELETE", f"/v2/tsigkeys/{made['id']}").status == 204
    offer = tool.said("POST", f"/v2/zones/{zone['id']}/tasks/transfer_requests", {}, ok=(201, 202))
    assert is_time(offer["created_at"])
    assert len(offer["key"]) == 8
    assert [one["id"] for one in tool.pages("/v2/zones/tasks/transfer_requests?status=ACTIVE", "transfer_requests")]
    assert tool.ask("DELETE", f"/v2/zones/tasks/transfer_requests/{offer['id']}").status == 204
    quotas = tool.said("GET", "/v2/quotas/p1")
    assert {"api_export_size", "recordset_records", "zone_records", "zone_recordsets", "zones"} <= set(quotas)
    assert all(is_number(value) for value in quotas.values())
