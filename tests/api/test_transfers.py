# SPDX-License-Identifier: Apache-2.0
"""Transfer requests and acceptances by HTTP: shapes, statuses, errors, and who sees what."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.client import HOST, Client, is_fault
from tests.api.conftest import System

NOWHERE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
REQUESTS = "/v2/zones/tasks/transfer_requests"
ACCEPTS = "/v2/zones/tasks/transfer_accepts"
BRIEF = ["id", "zone_id", "description", "status", "zone_name", "links"]
FULL = [
    "id", "zone_id", "zone_name", "project_id", "target_project_id", "description", "key", "status", "created_at",
    "updated_at", "links",
]  # fmt: skip


@pytest.fixture
def owner(system: System) -> Client:
    return system.client(project="p1")


@pytest.fixture
def taker(system: System) -> Client:
    return system.client(project="p2")


@pytest.fixture
def zone(owner: Client) -> str:
    found: str = owner.ask("POST", "/v2/zones", {"name": "Example.org.", "email": "a@example.org"}).json["id"]
    return found


def offered(owner: Client, zone: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = owner.ask("POST", f"/v2/zones/{zone}/tasks/transfer_requests", {} if body is None else body)
    assert answer.status == 201, answer.content
    found: dict[str, Any] = answer.json
    assert answer.headers["location"] == found["links"]["self"] == f"http://{HOST}{REQUESTS}/{found['id']}"
    return found


def test_a_zone_changes_hands(owner: Client, taker: Client, zone: str) -> None:
    request = offered(owner, zone, {"target_project_id": "p2", "description": "words"})
    assert list(request) == FULL
    assert (request["zone_name"], request["status"], request["updated_at"]) == ("Example.org.", "ACTIVE", None)
    here = f"{REQUESTS}/{request['id']}"
    assert owner.ask("GET", here).json == request
    brief = taker.ask("GET", here).json
    assert list(brief) == BRIEF
    assert taker.ask("GET", REQUESTS).json["transfer_requests"] == [brief]
    changed = owner.ask("PATCH", here, {"description": "other", "target_project_id": "p2", "key": request["key"]})
    assert (changed.status, changed.json["description"]) == (200, "other")

    body = {"key": request["key"], "zone_transfer_request_id": request["id"]}
    answer = taker.ask("POST", ACCEPTS, body)
    assert answer.status == 201
    made = answer.json
    assert list(made) == [
        "id", "zone_transfer_request_id", "project_id", "key", "status", "zone_id", "created_at", "updated_at", "links",
    ]  # fmt: skip
    assert (made["key"], made["status"], made["zone_id"], made["project_id"]) == (
        request["key"],
        "COMPLETE",
        zone,
        "p2",
    )
    self = f"http://{HOST}{ACCEPTS}/{made['id']}"
    assert answer.headers["location"] == self
    assert made["links"] == {"self": self, "zone": f"http://{HOST}/v2/zones/{zone}"}
    assert taker.ask("GET", f"{ACCEPTS}/{made['id']}").json == {**made, "key": None}
    assert taker.ask("GET", f"/v2/zones/{zone}").json["project_id"] == "p2"
    assert is_fault(owner.ask("GET", f"/v2/zones/{zone}"), 404, "zone_not_found")
    assert owner.ask("GET", here).json["status"] == "COMPLETE"
    assert is_fault(taker.ask("POST", ACCEPTS, body), 400, "invalid_zone_transfer_request")


def test_another_project_is_offered_the_zone_by_a_patch(
    owner: Client, taker: Client, zone: str, system: System
) -> None:
    request = offered(owner, zone, {"target_project_id": "p3", "description": "words"})
    here, right = f"{REQUESTS}/{request['id']}", {"key": request["key"], "zone_transfer_request_id": request["id"]}
    changed = owner.ask("PATCH", here, {"target_project_id": "p2"})
    assert (changed.status, changed.json["target_project_id"], changed.json["description"]) == (200, "p2", "words")
    assert is_fault(system.client(project="p3").ask("POST", ACCEPTS, right), 403, "forbidden")
    assert owner.ask("PATCH", here, {"target_project_id": None}).json["target_project_id"] is None
    assert owner.ask("GET", here).json["target_project_id"] is None
    assert taker.ask("POST", ACCEPTS, right).status == 201


def test_null_and_nothing_offer_a_zone_to_anybody(owner: Client, taker: Client, zone: str) -> None:
    request = offered(owner, zone, {"target_project_id": None, "description": None})
    assert request["target_project_id"] is None
    again = owner.ask("POST", f"/v2/zones/{zone}/tasks/transfer_requests", {})
    assert is_fault(again, 409, "duplicate_zone_transfer_request")
    assert taker.ask("GET", REQUESTS).json["transfer_requests"] == []
    assert list(taker.ask("GET", f"{REQUESTS}/{request['id']}").json) == BRIEF
    gone = owner.ask("DELETE", f"{REQUESTS}/{request['id']}")
    assert (gone.status, gone.content) == (204, b"")
    assert is_fault(owner.ask("GET", f"{REQUESTS}/{request['id']}"), 404, "zone_transfer_request_not_found")
    offered(owner, zone)


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}])
def test_a_zone_is_offered_without_a_body(owner: Client, zone: str, headers: dict[str, str]) -> None:
    answer = owner.ask("POST", f"/v2/zones/{zone}/tasks/transfer_requests", b"", headers=headers)
    assert (answer.status, answer.json["target_project_id"]) == (201, None)


def test_refusals(owner: Client, taker: Client, zone: str, system: System) -> None:
    request = offered(owner, zone, {"target_project_id": "p2"})
    here = f"{REQUESTS}/{request['id']}"
    right = {"key": request["key"], "zone_transfer_request_id": request["id"]}
    other = system.client(project="p3")
    assert is_fault(other.ask("GET", here), 403, "forbidden")
    assert is_fault(other.ask("POST", ACCEPTS, right), 403, "forbidden")
    for client in (taker, other):
        assert is_fault(client.ask("PATCH", here, {"nonsense": 1}), 403, "forbidden")
        assert is_fault(client.ask("DELETE", here), 403, "forbidden")
    for target in ("x" * 37, ""):
        assert is_fault(owner.ask("PATCH", here, {"target_project_id": target}), 400, "invalid_project")
    assert is_fault(owner.ask("PATCH", here, {"key": "OTHERKEY"}), 400, "invalid_object")
    assert is_fault(taker.ask("POST", ACCEPTS, {**right, "key": "wrong"}), 403, "invalid_key")
    for body in ({}, {"key": "x"}, {**right, "status": "ACTIVE"}, {**right, "key": ["x"]}):
        assert is_fault(taker.ask("POST", ACCEPTS, body), 400, "invalid_object")
    assert is_fault(taker.ask("POST", ACCEPTS, {**right, "zone_transfer_request_id": "x"}), 400, "invalid_uuid")
    lost = {**right, "zone_transfer_request_id": NOWHERE}
    assert is_fault(taker.ask("POST", ACCEPTS, lost), 404, "zone_transfer_request_not_found")
    for body in ({"target_project_id": "x" * 37}, {"target_project_id": ""}):
        answer = owner.ask("POST", f"/v2/zones/{zone}/tasks/transfer_requests", body)
        assert is_fault(answer, 400, "invalid_project")
    path = f"/v2/zones/{NOWHERE}/tasks/transfer_requests"
    assert is_fault(owner.ask("POST", path, {"nonsense": 1}), 404, "zone_not_found")
    assert is_fault(taker.ask("GET", ACCEPTS), 403, "forbidden")


def test_both_sides_are_one_list(owner: Client, taker: Client, zone: str) -> None:
    mine = offered(owner, zone, {"target_project_id": "p2"})
    other = taker.ask("POST", "/v2/zones", {"name": "other.org.", "email": "a@example.org"}).json["id"]
    theirs = offered(taker, other, {"target_project_id": "p1"})
    for client in (owner, taker):
        page = client.ask("GET", f"{REQUESTS}?limit=1").json
        assert set(page) == {"transfer_requests", "links"}
        assert [one["id"] for one in page["transfer_requests"]] == [mine["id"]]
        last = client.ask("GET", page["links"]["next"].partition(HOST)[2]).json
        assert [one["id"] for one in last["transfer_requests"]] == [theirs["id"]]
        newest = client.ask("GET", f"{REQUESTS}?sort_key=created_at&sort_dir=desc&status=ACTIVE").json
        assert [one["id"] for one in newest["transfer_requests"]] == [theirs["id"], mine["id"]]
    assert is_fault(owner.ask("GET", f"{REQUESTS}?zone_id=x"), 400, "bad_request")
