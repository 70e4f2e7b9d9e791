# SPDX-License-Identifier: Apache-2.0
"""/v2/tlds and /v2/blacklists by HTTP: shapes, statuses, errors, paging, and what they mean for POST /v2/zones."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.api.client import HOST, Client, is_fault
from tests.api.conftest import System

NOWHERE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


class Noun(NamedTuple):
    """One of the two: its collection, its member, its `type` in errors, and values for the member."""

    path: str
    member: str
    kind: str
    values: tuple[str, str, str]


TLDS = Noun("tlds", "name", "tld", ("com", "net", "org"))
BLACKLISTS = Noun("blacklists", "pattern", "blacklist", (r"^acme\.", "brand", "car"))
each = pytest.mark.parametrize("noun", [TLDS, BLACKLISTS], ids=lambda noun: noun.path)


@pytest.fixture
def admin(system: System) -> Client:
    return system.client(roles="admin,member,reader")


def made(admin: Client, noun: Noun, value: str, **more: Any) -> dict[str, Any]:
    answer = admin.ask("POST", f"/v2/{noun.path}", {noun.member: value, **more})
    assert answer.status == 201, answer.content
    found: dict[str, Any] = answer.json
    return found


@each
def test_an_entry_from_its_creation_to_its_end(admin: Client, noun: Noun) -> None:
    answer = admin.ask("POST", f"/v2/{noun.path}", {noun.member: noun.values[0], "description": "words"})
    body = answer.json
    here = f"/v2/{noun.path}/{body['id']}"
    assert answer.status == 201
    assert answer.headers["location"] == body["links"]["self"] == f"http://{HOST}{here}"
    assert list(body) == ["id", noun.member, "description", "created_at", "updated_at", "links"]
    assert (body[noun.member], body["description"], body["updated_at"]) == (noun.values[0], "words", None)
    assert admin.ask("GET", here).json == body

    changed = admin.ask("PATCH", here, {noun.member: noun.values[1], "description": None, "id": body["id"]})
    assert changed.status == 200
    assert (changed.json[noun.member], changed.json["description"]) == (noun.values[1], None)
    assert changed.json["updated_at"] is not None
    assert admin.ask("GET", here).json == changed.json

    gone = admin.ask("DELETE", here)
    assert (gone.status, gone.content) == (204, b"")
    for verb, sent in (("GET", None), ("PATCH", {"description": "x"}), ("PATCH", {"nonsense": 1}), ("DELETE", None)):
        assert is_fault(admin.ask(verb, here, sent), 404, f"{noun.kind}_not_found")


@each
def test_pages_filters_and_orders(admin: Client, noun: Noun) -> None:
    entries = [made(admin, noun, value) for value in noun.values]
    page = admin.ask("GET", f"/v2/{noun.path}?limit=2&sort_key={noun.member}&sort_dir=desc").json
    assert set(page) == {noun.path, "links"}
    assert [one[noun.member] for one in page[noun.path]] == sorted(noun.values, reverse=True)[:2]
    last = admin.ask("GET", page["links"]["next"].partition(HOST)[2]).json
    assert [one[noun.member] for one in last[noun.path]] == [min(noun.values)]
    assert "next" not in last["links"]
    for key in ("created_at", "id", "updated_at"):
        listed = admin.ask("GET", f"/v2/{noun.path}?sort_key={key}").json[noun.path]
        assert [one["id"] for one in listed] == [one["id"] for one in entries]
    found = admin.ask("GET", f"/v2/{noun.path}?{noun.member}={noun.values[1]}&limit=1").json
    assert found[noun.path] == [entries[1]]
    assert f"{noun.member}={noun.values[1]}" in found["links"]["next"]
    assert admin.ask("GET", found["links"]["next"].partition(HOST)[2]).json[noun.path] == []
    assert admin.ask("GET", f"/v2/{noun.path}?{noun.member}=*r*").json[noun.path]
    assert is_fault(admin.ask("GET", f"/v2/{noun.path}?description=x"), 400, "bad_request")
    assert is_fault(admin.ask("GET", f"/v2/{noun.path}?sort_key=description"), 400, "invalid_sort_key")
    assert is_fault(admin.ask("GET", f"/v2/{noun.path}?marker={NOWHERE}"), 400, "marker_not_found")


@each
def test_faults_of_the_body(admin: Client, noun: Noun) -> None:
    there, other = made(admin, noun, noun.values[0]), made(admin, noun, noun.values[1])
    path, here = f"/v2/{noun.path}", f"/v2/{noun.path}/{there['id']}"
    assert is_fault(admin.ask("POST", path, {noun.member: noun.values[0]}), 409, f"duplicate_{noun.kind}")
    assert is_fault(admin.ask("PATCH", here, {noun.member: other[noun.member]}), 409, f"duplicate_{noun.kind}")
    (fault,) = admin.ask("POST", path, {"description": "x"}).json["errors"]["errors"]
    assert (fault["path"], fault["validator"]) == (["records", 0, noun.member], "required")
    wrong: dict[str, Any]
    for wrong in ({noun.member: ""}, {noun.member: []}, {noun.member: "(."}, {"id": NOWHERE}, {"x": 1},
                  {noun.member: "fine", "description": "x" * 161}):  # fmt: skip
        assert is_fault(admin.ask("POST", path, {noun.member: "fine", **wrong}), 400, "invalid_object"), wrong
        assert is_fault(admin.ask("PATCH", here, wrong), 400, "invalid_object"), wrong
    assert is_fault(admin.ask("PATCH", here, {noun.member: None}), 400, "invalid_object")
    assert is_fault(admin.ask("GET", f"{path}/x"), 400, "invalid_uuid")
    assert admin.ask("GET", here).json == there


@each
@pytest.mark.parametrize("roles", ["member,reader", "reader", "nobody"])
def test_only_an_administrator_sees_or_changes_it(system: System, admin: Client, noun: Noun, roles: str) -> None:
    here = f"/v2/{noun.path}/{made(admin, noun, noun.values[0])['id']}"
    user = system.client(roles=roles)
    body = {noun.member: noun.values[2]}
    for verb, path, sent in (
        ("GET", f"/v2/{noun.path}", None),
        ("POST", f"/v2/{noun.path}", body),
        ("POST", f"/v2/{noun.path}", {"x": 1}),
        ("GET", here, None),
        ("PATCH", here, body),
        ("PATCH", here, {"x": 1}),
        ("DELETE", here, None),
    ):
        assert is_fault(user.ask(verb, path, sent), 403, "forbidden"), (verb, path)


def test_a_zone_must_be_below_a_tld_and_not_on_the_blacklist(system: System, admin: Client) -> None:
    made(admin, TLDS, "org")
    made(admin, BLACKLISTS, "(a+)+x")
    member = system.client()
    for client, name, why in (
        (member, "example.com.", "example.com. is not below any TLD that this cloud accepts; an administrator can add"),
        (admin, "a.example.com.", "a.example.com. is not below any TLD"),
        (member, "aaax.org.", "Blacklisted zone name"),
    ):
        answer = client.ask("POST", "/v2/zones", {"name": name, "email": "a@example.org"})
        assert is_fault(answer, 400, "invalid_zone_name")
        assert answer.json["message"].startswith(why)
    for client, name in ((member, "example.org."), (admin, "aaax.org.")):
        assert client.ask("POST", "/v2/zones", {"name": name, "email": "a@example.org"}).status == 202
