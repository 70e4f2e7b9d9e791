# SPDX-License-Identifier: Apache-2.0
"""What programs written for Designate read in an answer, to the letter: order of refusals, texts, shapes, links."""

from __future__ import annotations

from typing import Any

import pytest

from redesignate.auth.identity import Identity
from redesignate.auth.noauth import NoAuth
from redesignate.bus.port import R
from redesignate.commands.base import Command
from redesignate.model.errors import MissingProject
from tests.api.client import HOST, Answer, Client, api_client, is_fault
from tests.api.conftest import System

NOWHERE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
BAD_BODIES: dict[str, tuple[Any, dict[str, str]]] = {
    "no content type": (b'{"ttl": 5}', {"Content-Type": "text/plain"}),
    "broken JSON": (b"{", {}),
    "an array": ([1], {}),
    "an unknown member": ({"nonsense": 1}, {}),
    "another read-only member": ({"id": "x"}, {}),
}


@pytest.fixture
def zone(system: System) -> dict[str, Any]:
    body = {"name": "example.org.", "email": "a@example.org"}
    made: dict[str, Any] = system.client().ask("POST", "/v2/zones", body).json
    return made


@pytest.fixture
def recordset(system: System, zone: dict[str, Any]) -> dict[str, Any]:
    body = {"name": "www.example.org.", "type": "A", "records": ["192.0.2.1"]}
    made: dict[str, Any] = system.client().ask("POST", f"/v2/zones/{zone['id']}/recordsets", body).json
    return made


def writes(zone: str, recordset: str) -> tuple[tuple[str, str], ...]:
    """Every request with a body that names a zone."""
    return (
        ("PATCH", f"/v2/zones/{zone}"),
        ("POST", f"/v2/zones/{zone}/recordsets"),
        ("PUT", f"/v2/zones/{zone}/recordsets/{recordset}"),
    )


# -- rights and existence come before the body


@pytest.mark.parametrize(("body", "headers"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_stranger_with_a_bad_body_hears_the_same_of_a_foreign_zone_and_of_none(
    system: System, recordset: dict[str, Any], body: Any, headers: dict[str, str]
) -> None:
    stranger = system.client("p2")
    there = writes(recordset["zone_id"], recordset["id"])
    nowhere = writes(NOWHERE, recordset["id"])
    for (verb, here), (_, away) in zip(there, nowhere, strict=True):
        found, missing = (stranger.ask(verb, path, body, headers) for path in (here, away))
        assert is_fault(found, 404, "zone_not_found")
        assert is_fault(missing, 404, "zone_not_found")
        assert found.json["message"] == missing.json["message"]


@pytest.mark.parametrize(("body", "headers"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_reader_with_a_bad_body_is_refused_for_his_role(
    system: System, recordset: dict[str, Any], body: Any, headers: dict[str, str]
) -> None:
    reader = system.client(roles="reader")
    paths = (*writes(recordset["zone_id"], recordset["id"]), ("POST", "/v2/zones"), ("PATCH", "/v2/quotas/p1"))
    for noun in ("tlds", "blacklists"):
        paths += (("POST", f"/v2/{noun}"), ("PATCH", f"/v2/{noun}/{NOWHERE}"))
    for verb, path in paths:
        assert is_fault(reader.ask(verb, path, body, headers), 403, "forbidden"), path


@pytest.mark.parametrize(("body", "headers"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_forbidden_switch_is_refused_before_a_bad_body(
    system: System, recordset: dict[str, Any], body: Any, headers: dict[str, str]
) -> None:
    member = system.client()
    for verb, path in (*writes(recordset["zone_id"], recordset["id"]), ("POST", "/v2/zones")):
        answer = member.ask(verb, path, body, {"X-Auth-Sudo-Project-ID": "p2", **headers})
        assert is_fault(answer, 403, "forbidden"), path


def test_a_managed_recordset_is_refused_before_a_bad_body(system: System, zone: dict[str, Any]) -> None:
    client = system.client()
    found = client.ask("GET", f"/v2/zones/{zone['id']}/recordsets?type=NS").json["recordsets"][0]
    answer = client.ask("PUT", f"/v2/zones/{zone['id']}/recordsets/{found['id']}", [1])
    assert is_fault(answer, 400, "bad_request")
    assert answer.json["message"] == "Managed records may not be updated"


def test_the_owner_hears_what_is_wrong_with_the_body(system: System, recordset: dict[str, Any]) -> None:
    owner = system.client()
    for verb, path in writes(recordset["zone_id"], recordset["id"]):
        assert is_fault(owner.ask(verb, path, b"{"), 400, "invalid_json")
        assert is_fault(owner.ask(verb, path, {"nonsense": 1}), 400, "invalid_object")
        assert is_fault(owner.ask(verb, path, b"x", {"Content-Type": "text/plain"}), 415, "unsupported_content_type")


class Counting:
    """A central that counts what it is asked."""

    def __init__(self, system: System) -> None:
        self._central, self.asked = system.central, list[str]()

    def call(self, command: Command[R]) -> R:
        self.asked.append(type(command).__name__)
        return self._central.call(command)


def test_a_good_body_costs_one_question(system: System, recordset: dict[str, Any]) -> None:
    central = Counting(system)
    client = api_client(central)
    headers = {"X-Auth-Project-ID": "p1", "X-Roles": "member"}
    client.ask("PUT", recordset["links"]["self"].partition(HOST)[2], {"ttl": 7}, headers)
    client.ask("PATCH", f"/v2/zones/{recordset['zone_id']}", {"ttl": 7}, headers)
    body = {"name": "a.example.org.", "type": "A", "records": ["192.0.2.1"]}
    assert client.ask("POST", f"/v2/zones/{recordset['zone_id']}/recordsets", body, headers).status == 202
    assert central.asked == ["UpdateRRset", "UpdateZone", "CreateRRset"]


# -- texts and shapes


def test_what_is_not_there_is_named_without_its_id(system: System, zone: dict[str, Any]) -> None:
    client = system.client(roles="admin,member,reader")
    for path, text in {
        f"zones/{NOWHERE}": "Could not find Zone",
        f"zones/{zone['id']}/recordsets/{NOWHERE}": "Could not find RecordSet",
        f"recordsets/{NOWHERE}": "Could not find RecordSet",
        f"pools/{NOWHERE}": "Could not find Pool",
        f"service_statuses/{NOWHERE}": "Could not find ServiceStatus",
        f"tlds/{NOWHERE}": "Could not find Tld",
        f"blacklists/{NOWHERE}": "Could not find Blacklist",
    }.items():
        assert client.ask("GET", f"/v2/{path}").json["message"] == text


@pytest.mark.parametrize(
    ("body", "path", "validator", "value"),
    [
        ({"name": "a.example."}, ["type", "email"], "required", "email"),
        ({"name": "a.example.", "type": "SECONDARY"}, ["type", "masters"], "required", ["masters"]),
        ({"email": "a@b.example"}, ["records", 0, "name"], "required", ["name"]),
        (
            {"name": "a.example.", "type": "SECONDARY", "masters": ["192.0.2.1"], "ttl": 5},
            ["type"],
            "not_allowed",
            "ttl",
        ),
    ],
)
def test_a_zones_field_error_names_its_member(
    system: System, body: dict[str, Any], path: list[Any], validator: str, value: Any
) -> None:
    (fault,) = system.client().ask("POST", "/v2/zones", body).json["errors"]["errors"]
    assert (fault["path"], fault["validator"], fault["validator_value"]) == (path, validator, value)


def test_the_redirect_of_a_recordset_is_json_for_those_who_read_json(system: System, recordset: dict[str, Any]) -> None:
    path = f"/v2/recordsets/{recordset['id']}"
    answer = system.client().ask("GET", path, headers={"Accept": "application/json"})
    assert (answer.status, answer.headers["content-type"]) == (301, "application/json")
    assert answer.json == {"code": 301, "title": "Moved Permanently", "description": None}
    assert answer.headers["location"] == recordset["links"]["self"]
    plain = system.client().ask("GET", path)
    assert (plain.status, plain.headers["content-type"]) == (301, "text/plain")


class TokensOnly(NoAuth):
    """Authentication that lets a request with the right token through and answers no other."""

    def identity(self, environ: Any) -> Identity:
        if environ.get("HTTP_X_AUTH_TOKEN") != "t":
            raise MissingProject("no token")
        return super().identity(environ)


@pytest.mark.parametrize("path", ["/v2", "/v2/", "/v2/nothing"])
def test_under_v2_a_token_is_asked_for_before_the_path(path: str) -> None:
    guarded = api_client(auth=TokensOnly())
    assert guarded.ask("GET", path).status == 401
    assert is_fault(guarded.ask("GET", path, headers={"X-Auth-Token": "t"}), 404, "not_found")


def listed(client: Client, path: str) -> Answer:
    answer = client.ask("GET", path)
    assert answer.status == 200, answer.content
    return answer


def test_recordsets_are_found_by_their_zone(system: System, recordset: dict[str, Any]) -> None:
    client, zone = system.client(), recordset["zone_id"]
    for path in (f"/v2/zones/{zone}/recordsets", "/v2/recordsets"):
        assert len(listed(client, f"{path}?zone_id={zone}").json["recordsets"]) == 3
        assert listed(client, f"{path}?zone_id={NOWHERE}").json["recordsets"] == []


def test_links_self_leaves_the_switches_out_and_next_keeps_them(system: System, zone: dict[str, Any]) -> None:
    client = system.client(roles="admin,member,reader")
    links = listed(client, "/v2/zones?limit=1&all_projects=true").json["links"]
    assert links["self"] == f"http://{HOST}/v2/zones?limit=1"
    assert links["next"] == f"http://{HOST}/v2/zones?limit=1&all_projects=true&marker={zone['id']}"
    assert listed(client, "/v2/zones?all_tenants=1").json["links"]["self"] == f"http://{HOST}/v2/zones"


def test_the_versions_page_names_what_is_there() -> None:
    found = {version["id"]: version["status"] for version in api_client().ask("GET", "/").json["versions"]}
    assert found == {"v2": "SUPPORTED", "v2.0": "SUPPORTED", "v2.2": "SUPPORTED", "v2.3": "CURRENT"}
