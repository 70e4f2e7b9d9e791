# SPDX-License-Identifier: Apache-2.0
"""/v2/zones/{id}/shares by HTTP: shapes, statuses, errors, and what they mean for the zone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.client import HOST, Client, is_fault
from tests.api.conftest import System

NOWHERE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


@pytest.fixture
def owner(system: System) -> Client:
    return system.client(project="p1")


@pytest.fixture
def sharee(system: System) -> Client:
    return system.client(project="p2")


@pytest.fixture
def zone(owner: Client) -> str:
    found: str = owner.ask("POST", "/v2/zones", {"name": "example.org.", "email": "a@example.org"}).json["id"]
    return found


def shared(owner: Client, zone: str, target: str = "p2") -> dict[str, Any]:
    answer = owner.ask("POST", f"/v2/zones/{zone}/shares", {"target_project_id": target})
    assert answer.status == 201, answer.content
    found: dict[str, Any] = answer.json
    return found


def test_a_share_from_its_creation_to_its_end(owner: Client, sharee: Client, zone: str) -> None:
    answer = owner.ask("POST", f"/v2/zones/{zone}/shares", {"target_project_id": "p2"})
    assert answer.status == 201
    assert "location" not in answer.headers
    body = answer.json
    here = f"/v2/zones/{zone}/shares/{body['id']}"
    assert list(body) == ["id", "zone_id", "project_id", "target_project_id", "created_at", "updated_at", "links"]
    assert (body["zone_id"], body["project_id"], body["target_project_id"]) == (zone, "p1", "p2")
    assert body["links"] == {"self": f"http://{HOST}{here}", "zone": f"http://{HOST}/v2/zones/{zone}"}
    assert owner.ask("GET", here).json == body
    assert owner.ask("GET", f"/v2/zones/{zone}").json["shared"] is True
    for client in (owner, sharee):
        assert client.ask("GET", f"/v2/zones/{zone}/shares").json["shared_zones"] == [body]
        assert [one["id"] for one in client.ask("GET", "/v2/zones").json["zones"]] == [zone]
        assert client.ask("GET", "/v2/zones").json["metadata"] == {"total_count": 1}
    assert is_fault(sharee.ask("GET", here), 403, "forbidden")
    assert is_fault(sharee.ask("DELETE", here), 403, "forbidden")
    gone = owner.ask("DELETE", here)
    assert (gone.status, gone.content) == (204, b"")
    assert is_fault(owner.ask("GET", here), 404, "shared_zone_not_found")
    assert is_fault(sharee.ask("GET", f"/v2/zones/{zone}"), 404, "zone_not_found")
    assert owner.ask("GET", f"/v2/zones/{zone}").json["shared"] is False


def test_bodies_that_are_refused(owner: Client, sharee: Client, zone: str) -> None:
    path = f"/v2/zones/{zone}/shares"
    lacking = owner.ask("POST", path, {})
    assert is_fault(lacking, 400, "invalid_object")
    assert lacking.json["errors"]["errors"][0]["path"] == ["records", 0, "target_project_id"]
    for name in ("", "x" * 37, "\n"):
        assert is_fault(owner.ask("POST", path, {"target_project_id": name}), 400, "invalid_project")
    for body in ({"target_project_id": ["p2"]}, {"project_id": "p2"}):
        assert is_fault(owner.ask("POST", path, body), 400, "invalid_object")
    assert is_fault(owner.ask("POST", path, {"target_project_id": "p1"}), 400, "bad_request")
    shared(owner, zone)
    assert is_fault(owner.ask("POST", path, {"target_project_id": "p2"}), 409, "duplicate_shared_zone")
    assert is_fault(sharee.ask("POST", path, {"nonsense": 1}), 403, "forbidden")
    assert is_fault(owner.ask("POST", f"/v2/zones/{NOWHERE}/shares", {"nonsense": 1}), 404, "zone_not_found")


def test_lists_by_page_and_by_target(owner: Client, zone: str) -> None:
    made = [shared(owner, zone, f"q{n}") for n in range(3)]
    path = f"/v2/zones/{zone}/shares"
    page = owner.ask("GET", f"{path}?limit=2").json
    assert page["shared_zones"] == made[:2]
    assert set(page) == {"shared_zones", "links"}
    assert owner.ask("GET", page["links"]["next"].partition(HOST)[2]).json["shared_zones"] == made[2:]
    assert owner.ask("GET", f"{path}?target_project_id=q1").json["shared_zones"] == [made[1]]
    assert owner.ask("GET", f"{path}?sort_key=updated_at&sort_dir=desc").json["shared_zones"] == made[::-1]
    assert is_fault(owner.ask("GET", f"{path}?sort_key=id"), 400, "invalid_sort_key")
    assert is_fault(owner.ask("GET", f"{path}?status=x"), 400, "bad_request")


def test_a_sharees_recordset_is_its_own(owner: Client, sharee: Client, zone: str) -> None:
    given = shared(owner, zone)
    body = {"name": "app.example.org.", "type": "A", "records": ["192.0.2.1"]}
    made = sharee.ask("POST", f"/v2/zones/{zone}/recordsets", body)
    assert (made.status, made.json["project_id"]) == (202, "p2")
    assert [one["id"] for one in sharee.ask("GET", "/v2/recordsets").json["recordsets"]] == [made.json["id"]]
    share = f"/v2/zones/{zone}/shares/{given['id']}"
    assert is_fault(owner.ask("DELETE", share), 400, "shared_zone_has_recordsets")
    assert sharee.ask("DELETE", f"/v2/zones/{zone}/recordsets/{made.json['id']}").status == 202
    assert owner.ask("DELETE", share).status == 204


@pytest.mark.parametrize("value", ["true", "1"])
def test_a_shared_zone_is_deleted_with_the_header_alone(owner: Client, zone: str, value: str) -> None:
    shared(owner, zone)
    assert is_fault(owner.ask("DELETE", f"/v2/zones/{zone}"), 400, "zone_is_shared")
    off = owner.ask("DELETE", f"/v2/zones/{zone}", headers={"X-Designate-Delete-Shares": "false"})
    assert is_fault(off, 400, "zone_is_shared")
    answer = owner.ask("DELETE", f"/v2/zones/{zone}", headers={"X-Designate-Delete-Shares": value})
    assert (answer.status, answer.json["action"], answer.json["shared"]) == (202, "DELETE", False)
