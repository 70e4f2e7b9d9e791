# SPDX-License-Identifier: Apache-2.0
"""Zones as clients see them, over the real central."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.api.client import is_fault
from tests.api.conftest import System

MEMBERS = [
    "id",
    "pool_id",
    "project_id",
    "name",
    "email",
    "description",
    "ttl",
    "serial",
    "status",
    "action",
    "version",
    "attributes",
    "type",
    "masters",
    "shared",
    "created_at",
    "updated_at",
    "transferred_at",
    "links",
]
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\Z")


def _make(system: System, name: str = "example.org.", **more: Any) -> dict[str, Any]:
    answer = system.client().ask("POST", "/v2/zones", {"name": name, "email": "a@example.org", **more})
    assert answer.status == 202, answer
    made: dict[str, Any] = answer.json
    return made


def test_a_new_zone_is_shown_whole_and_says_where_it_is(system: System) -> None:
    body = {"name": "example.org.", "email": "a@example.org", "description": "d", "attributes": {"tier": "gold"}}
    answer = system.client().ask("POST", "/v2/zones", body)
    zone = answer.json
    assert answer.status == 202
    assert list(zone) == MEMBERS
    assert answer.headers["location"] == zone["links"]["self"] == f"http://dns.example.net/v2/zones/{zone['id']}"
    assert (zone["status"], zone["action"], zone["version"], zone["ttl"]) == ("PENDING", "CREATE", 1, 3600)
    assert (zone["project_id"], zone["type"], zone["masters"], zone["shared"]) == ("p1", "PRIMARY", [], False)
    assert (zone["description"], zone["attributes"]) == ("d", {"tier": "gold"})
    assert STAMP.match(zone["created_at"])
    assert zone["updated_at"] is None
    assert zone["transferred_at"] is None


def test_a_zone_turns_active_and_then_a_delete_makes_it_vanish(system: System) -> None:
    path = f"/v2/zones/{_make(system)['id']}"
    client = system.client()
    system.serve()
    assert (client.ask("GET", path).json["status"], client.ask("GET", path).json["action"]) == ("ACTIVE", "NONE")
    gone = client.ask("DELETE", path)
    assert (gone.status, gone.json["action"], gone.json["status"]) == (202, "DELETE", "PENDING")
    assert client.ask("DELETE", path).status == 202
    assert client.ask("GET", path).status == 200
    system.serve()
    assert is_fault(client.ask("GET", path), 404, "zone_not_found")


def test_every_change_raises_serial_and_version(system: System) -> None:
    before = _make(system)
    answer = system.client().ask("PATCH", f"/v2/zones/{before['id']}", {})
    after = answer.json
    assert answer.status == 202
    assert (after["version"], after["action"], after["status"]) == (2, "UPDATE", "PENDING")
    assert after["serial"] > before["serial"]
    assert STAMP.match(after["updated_at"])


def test_a_zone_sent_back_as_it_was_read_is_no_fault(system: System) -> None:
    zone = _make(system)
    answer = system.client().ask("PATCH", f"/v2/zones/{zone['id']}", {**zone, "description": "new"})
    assert (answer.status, answer.json["description"]) == (202, "new")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("id", "x"),
        ("pool_id", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("project_id", "p2"),
        ("name", "other.example."),
        ("type", "SECONDARY"),
        ("serial", 1),
        ("status", "ACTIVE"),
        ("version", 2),
        ("shared", True),
        ("created_at", None),
        ("links", {}),
        ("nonsense", 1),
        ("tenant_id", "p1"),
    ],
)
def test_what_cannot_change_is_refused_by_name(system: System, member: str, value: Any) -> None:
    zone = _make(system)
    answer = system.client().ask("PATCH", f"/v2/zones/{zone['id']}", {member: value})
    assert is_fault(answer, 400, "invalid_object")
    assert answer.json["message"] == f"Provided object does not match schema. Keys ['{member}'] are not valid for zone"
    assert system.client().ask("GET", f"/v2/zones/{zone['id']}").json == zone


@pytest.mark.parametrize(
    "change",
    [
        {"ttl": None},
        {"ttl": -1},
        {"ttl": "x"},
        {"email": None},
        {"email": "x"},
        {"masters": None},
        {"masters": ["192.0.2.1"]},
    ],
)
def test_a_wrong_change_is_refused(system: System, change: dict[str, Any]) -> None:
    assert is_fault(system.client().ask("PATCH", f"/v2/zones/{_make(system)['id']}", change), 400, "invalid_object")


@pytest.mark.parametrize(
    "body",
    [
        {"email": "a@b.example"},
        {"name": "example.org.", "email": "a@b@c.example"},
        {"name": "example.org."},
        {"name": "example.org", "email": "a@b.example"},
        {"name": ["example.org."], "email": "a@b.example"},
        {"name": "x" * 64 + ".org.", "email": "a@b.example"},
        {"name": "example.org.", "email": "a@b.example", "ttl": 2**31},
        {"name": "example.org.", "email": "a@b.example", "ttl": 10**30},
        {"name": "example.org.", "email": "a@b.example", "description": "x" * 161},
        {"name": "example.org.", "email": "a@b.example", "attributes": {"k" * 51: "v"}},
        {"name": "example.org.", "email": "a@b.example", "attributes": {"k": None}},
        {"name": "example.org.", "email": "a@b.example", "type": "primary"},
        {"name": "example.org.", "email": "a@b.example", "masters": ["192.0.2.1"]},
        {"name": "example.org.", "type": "SECONDARY"},
        {"name": "example.org.", "type": "SECONDARY", "masters": ["192.0.2.1"], "email": "a@b.example"},
    ],
)
def test_a_wrong_zone_is_refused(system: System, body: dict[str, Any]) -> None:
    assert is_fault(system.client().ask("POST", "/v2/zones", body), 400, "invalid_object")


def test_a_taken_name_is_409(system: System) -> None:
    _make(system)
    for project in ("p1", "p2"):
        again = system.client(project).ask("POST", "/v2/zones", {"name": "example.org.", "email": "a@example.org"})
        assert is_fault(again, 409, "duplicate_zone")


def test_a_zone_below_or_above_another_projects_is_403(system: System) -> None:
    _make(system, "b.example.org.")
    other = system.client("p2")
    for name, kind in (("a.b.example.org.", "illegal_child"), ("example.org.", "illegal_parent")):
        answer = other.ask("POST", "/v2/zones", {"name": name, "email": "a@example.org"})
        assert is_fault(answer, 403, kind)


def test_another_projects_zone_is_not_there_even_for_an_admin(system: System) -> None:
    path = f"/v2/zones/{_make(system)['id']}"
    admin = system.client("p2", "admin")
    for verb, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        assert is_fault(admin.ask(verb, path, body), 404, "zone_not_found")
    assert admin.ask("GET", path + "?all_projects=true").status == 200
    assert admin.ask("GET", path, headers={"X-Auth-Sudo-Project-ID": "p1"}).status == 200


def test_a_list_shows_ones_own_and_with_the_switch_everybodys(system: System) -> None:
    _make(system, "a.example.")
    system.client("p2").ask("POST", "/v2/zones", {"name": "b.example.", "email": "a@example.org"})
    admin = system.client("p2", "admin,reader,member")

    def names(query: str) -> list[str]:
        return [zone["name"] for zone in admin.ask("GET", f"/v2/zones?sort_key=name{query}").json["zones"]]

    assert names("") == ["b.example."]
    assert names("&all_projects=1") == ["a.example.", "b.example."]
    assert names("&all_projects=1&sort_dir=desc") == ["b.example.", "a.example."]


def test_a_readers_zone_is_not_a_readers_to_change(system: System) -> None:
    path = f"/v2/zones/{_make(system)['id']}"
    reader = system.client("p1", "reader")
    assert reader.ask("GET", path).status == 200
    for verb, body in (("PATCH", {}), ("DELETE", None)):
        assert is_fault(reader.ask(verb, path, body), 403, "forbidden")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=a.example.", ["a"]),
        ("name=*.example.", ["a", "b", "c"]),
        ("name=%25b%25", ["b"]),
        ("name=!a.example.", ["b", "c"]),
        ("ttl=60", ["a"]),
        ("ttl=>60", ["b", "c"]),
        ("ttl=>=60", ["a", "b", "c"]),
        ("ttl=<300", ["a"]),
        ("ttl=BETWEEN+60,300", ["a", "b"]),
        ("ttl=none", []),
        ("ttl=99999999999999999999999", []),
        ("ttl=<99999999999999999999999", ["a", "b", "c"]),
        ("status=PENDING", ["a", "b", "c"]),
        ("status=ACTIVE", []),
        ("type=PRIMARY", ["a", "b", "c"]),
        ("type=SECONDARY", []),
        ("email=a@example.org", ["a", "b", "c"]),
        ("description=second", ["b"]),
        ("description=", []),
        ("name=a.example.&ttl=300", []),
        ("name=A.Example.", ["a"]),
        ("name=!A.EXAMPLE.", ["b", "c"]),
        ("name=*.EXAMPLE.", ["a", "b", "c"]),
        ("name=%EF%BD%82.example.", ["b"]),  # a full-width b
        ("name=a.example", []),
        ("name=%F0%9F%A6%86", []),
        ("name=%ff", []),
    ],
)
def test_filters_select(system: System, query: str, found: list[str]) -> None:
    for name, ttl, more in (("a", 60, {}), ("b", 300, {"description": "second"}), ("c", 3600, {})):
        _make(system, f"{name}.example.", ttl=ttl, **more)
    page = system.client().ask("GET", f"/v2/zones?sort_key=name&{query}").json
    assert [zone["name"] for zone in page["zones"]] == [f"{name}.example." for name in found]
    assert page["metadata"]["total_count"] == len(found)


def test_a_name_is_found_and_sent_back_as_it_was_typed(system: System) -> None:
    typed = "Bücher.EXAMPLE."
    zone = _make(system, typed)
    query = urlencode({"name": typed})
    assert [found["id"] for found in system.client().ask("GET", f"/v2/zones?{query}").json["zones"]] == [zone["id"]]
    answer = system.client().ask("PATCH", f"/v2/zones/{zone['id']}", {"name": typed, "ttl": 60})
    assert (answer.status, answer.json["name"]) == (202, "xn--bcher-kva.EXAMPLE.")


def test_nobody_pages_from_anothers_zone(system: System) -> None:
    zone = _make(system)["id"]
    assert system.client().ask("GET", f"/v2/zones?marker={zone}").status == 200
    assert is_fault(system.client("p2").ask("GET", f"/v2/zones?marker={zone}"), 400, "marker_not_found")
    unknown = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    assert is_fault(system.client().ask("GET", f"/v2/zones?marker={unknown}"), 400, "marker_not_found")


def test_the_eleventh_zone_is_over_quota(strict: System) -> None:
    for number in range(10):
        _make(strict, f"z{number}.example.")
    over = strict.client().ask("POST", "/v2/zones", {"name": "z.example.", "email": "a@example.org"})
    assert is_fault(over, 413, "over_quota")
    assert over.json["message"] == (
        "Quota exceeded for zones. Limits: zones 10; delete what is not needed, or ask an administrator to raise them"
        " (openstack dns quota set)."
    )


def test_a_low_ttl_is_refused_to_members(strict: System) -> None:
    low = {"name": "example.org.", "email": "a@example.org", "ttl": 59}
    assert is_fault(strict.client().ask("POST", "/v2/zones", low), 400, "invalid_ttl")
    assert strict.client(roles="admin").ask("POST", "/v2/zones", low).status == 202


def test_the_nameservers_are_the_pools_best_first(system: System) -> None:
    answer = system.client().ask("GET", f"/v2/zones/{_make(system)['id']}/nameservers")
    assert answer.json == {
        "nameservers": [
            {"hostname": "ns1.example.net.", "priority": 1},
            {"hostname": "ns2.example.net.", "priority": 2},
        ]
    }


def test_the_peers_say_where_the_zone_is(system: System) -> None:
    path = f"/v2/zones/{_make(system)['id']}/peers"
    before = system.client().ask("GET", path).json["peers"]
    assert {peer["role"] for peer in before} == {"target", "nameserver"}
    assert {peer["state"] for peer in before} == {"unknown"}
    system.serve()
    after = system.client().ask("GET", path).json["peers"]
    assert {peer["state"] for peer in after} == {"current"}
    assert list(after[0]) == ["address", "role", "state", "serial", "since", "attempts", "error", "next_try"]
    assert all(STAMP.match(peer["since"]) for peer in after)
    assert is_fault(system.client("p2").ask("GET", path), 404, "zone_not_found")


def test_a_secondary_zone_has_masters_and_the_operators_address(system: System) -> None:
    body = {"name": "example.org.", "type": "SECONDARY", "masters": ["192.0.2.5", "192.0.2.6:5300"], "email": None}
    zone = system.client().ask("POST", "/v2/zones", body).json
    assert (zone["type"], zone["masters"], zone["email"]) == (
        "SECONDARY",
        ["192.0.2.5", "192.0.2.6:5300"],
        "hostmaster@example.com",
    )


def test_a_transfer_is_asked_for_of_secondary_zones_alone(system: System) -> None:
    body = {"name": "example.org.", "type": "SECONDARY", "masters": ["192.0.2.5"]}
    secondary = system.client().ask("POST", "/v2/zones", body).json
    primary = system.client().ask("POST", "/v2/zones", {"name": "example.net.", "email": "a@example.net"}).json
    answer = system.client().ask("POST", f"/v2/zones/{secondary['id']}/tasks/xfr")
    assert (answer.status, answer.json) == (202, "")
    refused = system.client().ask("POST", f"/v2/zones/{primary['id']}/tasks/xfr")
    assert is_fault(refused, 400, "bad_request")
    assert is_fault(system.client("p2").ask("POST", f"/v2/zones/{secondary['id']}/tasks/xfr"), 404, "zone_not_found")


def test_a_secondary_zones_peers_begin_with_its_primary(system: System) -> None:
    body = {"name": "example.org.", "type": "SECONDARY", "masters": ["192.0.2.5", "192.0.2.6:5300"]}
    zone = system.client().ask("POST", "/v2/zones", body).json
    first, *_ = system.client().ask("GET", f"/v2/zones/{zone['id']}/peers").json["peers"]
    assert (first["role"], first["state"], first["serial"]) == ("primary", "absent", None)
    assert first["address"] == "192.0.2.5, 192.0.2.6:5300"


@pytest.mark.parametrize("ident", ["x" * 65, "a\x01b", "tab\tbed", "\x7f", "\x85"])
@pytest.mark.parametrize("header", ["X-Auth-User-ID", "X-Auth-Project-ID", "X-Auth-Sudo-Project-ID"])
def test_an_id_that_no_database_holds_is_400(system: System, header: str, ident: str) -> None:
    client = system.client()
    for method, body in (("GET", None), ("POST", {"name": "example.org.", "email": "a@example.org"})):
        answer = client.ask(method, "/v2/zones", body, headers={header: ident}, checked=False)
        assert is_fault(answer, 400, "bad_request")


def test_ids_as_long_as_keystones_are_taken(system: System) -> None:
    client = system.client("p" * 36, **{"X-Auth-User-ID": "u" * 64})
    assert client.ask("POST", "/v2/zones", {"name": "example.org.", "email": "a@example.org"}).status == 202


def test_catalog_zones_are_not_users_to_make(system: System) -> None:
    answer = system.client().ask("POST", "/v2/zones", {"name": "c.", "type": "CATALOG", "email": "a@example.org"})
    assert answer.status in (400, 403)
    named = {"name": "c.example.", "type": "CATALOG", "email": "a@example.org"}
    assert is_fault(system.client().ask("POST", "/v2/zones", named), 403, "forbidden")
