# SPDX-License-Identifier: Apache-2.0
"""RRsets, quotas, limits and pools as clients see them, over the real central."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from tests.api.client import Answer, is_fault
from tests.api.conftest import System

MEMBERS = [
    "id",
    "zone_id",
    "zone_name",
    "project_id",
    "name",
    "type",
    "records",
    "ttl",
    "description",
    "status",
    "action",
    "version",
    "created_at",
    "updated_at",
    "links",
]


class Zone:
    """A zone example.org. of p1."""

    def __init__(self, system: System) -> None:
        self.system, self.client = system, system.client()
        zone = self.client.ask("POST", "/v2/zones", {"name": "example.org.", "email": "a@example.org"}).json
        self.id = zone["id"]
        self.path = f"/v2/zones/{self.id}/recordsets"

    def add(self, name: str = "www.example.org.", rrtype: str = "A", *records: str, **more: Any) -> Answer:
        body = {"name": name, "type": rrtype, "records": list(records or ["192.0.2.1"]), **more}
        return self.client.ask("POST", self.path, body)

    def has(self, rrtype: str) -> dict[str, Any]:
        """The zone's first RRset of a type."""
        found: dict[str, Any] = self.client.ask("GET", f"{self.path}?type={rrtype}").json["recordsets"][0]
        return found


@pytest.fixture
def zone(system: System) -> Zone:
    return Zone(system)


def test_a_new_recordset_is_shown_whole_and_says_where_it_is(zone: Zone) -> None:
    answer = zone.add(ttl="300", description="d")
    made = answer.json
    assert answer.status == 202
    assert list(made) == MEMBERS
    assert answer.headers["location"] == made["links"]["self"] == f"http://dns.example.net{zone.path}/{made['id']}"
    assert (made["ttl"], made["description"], made["records"]) == (300, "d", ["192.0.2.1"])
    assert (made["status"], made["action"], made["version"], made["updated_at"]) == ("PENDING", "CREATE", 1, None)


def test_records_stay_in_the_order_given(zone: Zone) -> None:
    given = ["192.0.2.9", "192.0.2.1", "192.0.2.5"]
    made = zone.add("www.example.org.", "A", *given).json
    assert zone.client.ask("GET", f"{zone.path}/{made['id']}").json["records"] == given


def test_a_recordset_turns_active_with_its_zone(zone: Zone) -> None:
    made = zone.add().json
    zone.system.serve()
    shown = zone.client.ask("GET", f"{zone.path}/{made['id']}").json
    assert (shown["status"], shown["action"]) == ("ACTIVE", "NONE")


def test_a_recordset_without_records_is_made_at_once(zone: Zone) -> None:
    answer = zone.client.ask("POST", zone.path, {"name": "www.example.org.", "type": "A"})
    assert (answer.status, answer.json["status"], answer.json["action"]) == (201, "ACTIVE", "NONE")


def test_a_put_changes_only_what_it_holds(zone: Zone) -> None:
    made = zone.add(ttl=300, description="d").json
    path = f"{zone.path}/{made['id']}"
    first = zone.client.ask("PUT", path, {"records": ["192.0.2.7"]})
    assert first.status == 202
    assert (first.json["records"], first.json["ttl"], first.json["description"]) == (["192.0.2.7"], 300, "d")
    assert (first.json["version"], first.json["status"]) == (2, "PENDING")
    second = zone.client.ask("PUT", path, {"ttl": None, "description": None}).json
    assert (second["records"], second["ttl"], second["description"]) == (["192.0.2.7"], None, None)


def test_a_recordset_sent_back_as_it_was_read_is_no_fault(zone: Zone) -> None:
    made = zone.add().json
    answer = zone.client.ask("PUT", f"{zone.path}/{made['id']}", {**made, "records": ["192.0.2.7"]})
    assert (answer.status, answer.json["records"]) == (202, ["192.0.2.7"])


def test_the_name_may_be_sent_back_as_it_was_typed(zone: Zone) -> None:
    made = zone.add("WWW.example.org.").json
    answer = zone.client.ask("PUT", f"{zone.path}/{made['id']}", {"name": "WWW.example.org.", "ttl": 60})
    assert (answer.status, answer.json["name"]) == (202, "WWW.example.org.")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", "x.example.org."),
        ("type", "AAAA"),
        ("zone_id", "x"),
        ("zone_name", "x."),
        ("project_id", None),
        ("status", "ACTIVE"),
        ("action", "NONE"),
        ("version", 9),
        ("nonsense", 1),
    ],
)
def test_what_cannot_change_is_refused_by_name(zone: Zone, member: str, value: Any) -> None:
    made = zone.add().json
    answer = zone.client.ask("PUT", f"{zone.path}/{made['id']}", {member: value})
    assert is_fault(answer, 400, "invalid_object")
    assert f"Keys ['{member}'] are not valid for recordset" in answer.json["message"]


def test_a_deleted_recordset_is_shown_once_more_and_gone(zone: Zone) -> None:
    made = zone.add().json
    path = f"{zone.path}/{made['id']}"
    gone = zone.client.ask("DELETE", path)
    assert (gone.status, gone.json["action"], gone.json["status"]) == (202, "DELETE", "PENDING")
    assert is_fault(zone.client.ask("GET", path), 404, "recordset_not_found")


def test_each_bad_record_is_pointed_at(zone: Zone) -> None:
    answer = zone.add("www.example.org.", "A", "192.0.2.1", "nonsense", "192.0.2.256")
    assert is_fault(answer, 400, "invalid_object")
    faults = answer.json["errors"]["errors"]
    assert [fault["path"] for fault in faults] == [["records", 1], ["records", 2]]
    assert faults[0]["message"].startswith("'nonsense' is not a 'A' Record")
    assert (faults[0]["validator"], faults[0]["validator_value"]) == ("format", ["A"])


@pytest.mark.parametrize(
    ("name", "rrtype", "records", "status", "kind"),
    [
        ("www.example.net.", "A", ["192.0.2.1"], 400, "invalid_recordset_location"),
        ("example.org.", "CNAME", ["a.example."], 400, "invalid_recordset_location"),
        ("taken.example.org.", "CNAME", ["a.example."], 400, "invalid_recordset_location"),
        ("taken.example.org.", "A", ["192.0.2.1"], 409, "duplicate_recordset"),
        ("www.example.org.", "SOA", ["a. b. 1 1 1 1 1"], 400, "bad_request"),
        ("www.example.org.", "a", ["192.0.2.1"], 400, "invalid_object"),
        ("www.example.org.", "NONSENSE", ["x"], 400, "invalid_object"),
        ("www.example.org", "A", ["192.0.2.1"], 400, "invalid_object"),
        ("www.example.org.", "A", "192.0.2.1", 400, "invalid_object"),
        ("www.example.org.", "A", None, 400, "invalid_object"),
        ("www.example.org.", "A", [None], 400, "invalid_object"),
        ("www.example.org.", "A", [["192.0.2.1"]], 400, "invalid_object"),
        ("www.example.org.", "TXT", ['"a\nb"'], 400, "invalid_object"),
        ("www.example.org.", "CNAME", ["a.example.", "b.example."], 400, "bad_request"),
    ],
)
def test_a_wrong_recordset_is_refused(zone: Zone, name: str, rrtype: str, records: Any, status: int, kind: str) -> None:
    assert zone.add("taken.example.org.").status == 202
    body = {"name": name, "type": rrtype, "records": records}
    assert is_fault(zone.client.ask("POST", zone.path, body), status, kind)


def test_managed_records_are_not_users_to_change(zone: Zone) -> None:
    for rrtype in ("SOA", "NS"):
        path = f"{zone.path}/{zone.has(rrtype)['id']}"
        assert is_fault(zone.client.ask("PUT", path, {"ttl": 1}), 400, "bad_request")
        assert is_fault(zone.client.ask("DELETE", path), 400, "bad_request")


def test_the_total_is_left_out_where_nobody_wants_it(zone: Zone) -> None:
    for path in (zone.path, "/v2/recordsets"):
        assert zone.client.ask("GET", path).json["metadata"] == {"total_count": 2}
        assert zone.client.ask("GET", path, headers={"OpenStack-DNS-Hide-Counts": "True"}).json["metadata"] == {}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=a.example.org.", {"a"}),
        ("name=*.example.org.", {"a", "b"}),
        ("name=A.Example.ORG.", {"a"}),
        ("name=B.*", {"b"}),
        ("type=TXT", {"b"}),
        ("type=!TXT&name=*.example.org.", {"a"}),
        ("ttl=60", {"a"}),
        ("ttl=%3E60", set()),
        ("data=192.0.2.1", {"a"}),
        ("data=192.0.2.*", {"a"}),
        ("data=*v=spf1*", {"b"}),
        ("status=PENDING&name=*.example.org.", {"a", "b"}),
        ("status=ACTIVE&name=*.example.org.", set()),
        ("status=NONSENSE", set()),
        ("description=x*", {"b"}),
    ],
)
def test_filters_select(zone: Zone, query: str, found: set[str]) -> None:
    zone.add("a.example.org.", "A", "192.0.2.1", "192.0.2.2", ttl=60)
    zone.add("b.example.org.", "TXT", '"v=spf1 -all"', description="xyz")
    for path in (zone.path, "/v2/recordsets"):
        page = zone.client.ask("GET", f"{path}?{query}").json
        assert {item["name"].partition(".")[0] for item in page["recordsets"]} == found, path
        assert page["metadata"]["total_count"] == len(found)


def test_a_page_of_very_large_recordsets_is_cut_and_says_that_more_follow(zone: Zone) -> None:
    large = " ".join([f'"{"x" * 255}"'] * 90)
    made = {zone.add(f"n{n}.example.org.", "TXT", large).json["id"] for n in range(110)}
    for path in (zone.path, "/v2/recordsets"):
        first = zone.client.ask("GET", f"{path}?type=TXT&limit=max").json
        assert (len(first["recordsets"]), first["metadata"]) == (100, {"total_count": 110})
        rest = zone.client.ask("GET", first["links"]["next"].removeprefix("http://dns.example.net")).json
        assert "next" not in rest["links"]
        assert {item["id"] for item in first["recordsets"] + rest["recordsets"]} == made
    assert len(zone.client.ask("GET", f"{zone.path}?limit=100").json["recordsets"]) == 100


def test_all_recordsets_are_ones_own_projects(zone: Zone) -> None:
    assert zone.system.client("p2").ask("GET", "/v2/recordsets").json["recordsets"] == []
    assert len(zone.client.ask("GET", "/v2/recordsets").json["recordsets"]) == 2
    assert is_fault(zone.system.client("p2").ask("GET", zone.path), 404, "zone_not_found")
    foreign = f"/v2/recordsets/{zone.has('NS')['id']}"
    assert is_fault(zone.system.client("p2").ask("GET", foreign), 404, "recordset_not_found")


def test_of_very_many_wrong_records_the_first_hundred_are_named(zone: Zone) -> None:
    answer = zone.add("www.example.org.", "A", "192.0.2.1", *[""] * 5000)
    assert [fault["path"] for fault in answer.json["errors"]["errors"]] == [["records", n] for n in range(1, 101)]


def test_too_many_records_are_over_quota_by_name(strict: System) -> None:
    many = Zone(strict).add("www.example.org.", "A", *[f"192.0.2.{n}" for n in range(21)])
    assert is_fault(many, 413, "over_quota")
    assert many.json["message"].startswith("Quota exceeded for recordset_records. Limits: recordset_records 20;")


def test_quotas_are_read_set_and_reset(strict: System) -> None:
    admin = strict.client(roles="admin")
    defaults = strict.client().ask("GET", "/v2/quotas").json
    assert defaults == {
        "zones": 10,
        "zone_recordsets": 500,
        "zone_records": 500,
        "recordset_records": 20,
        "api_export_size": 1000,
    }
    assert admin.ask("PATCH", "/v2/quotas/p1", {"zones": "-1", "zone_records": 7}).json == {
        **defaults,
        "zones": -1,
        "zone_records": 7,
    }
    assert strict.client().ask("GET", "/v2/quotas/p1").json["zone_records"] == 7
    assert admin.ask("DELETE", "/v2/quotas/p1").status == 204
    assert strict.client().ask("GET", "/v2/quotas").json == defaults


def test_quotas_show_what_is_used_beside_them_when_asked(strict: System) -> None:
    zone = Zone(strict)
    zone.add("www.example.org.", "A", "192.0.2.1", "192.0.2.2")
    client = strict.client()
    plain = client.ask("GET", "/v2/quotas").json
    assert "usage" not in plain
    assert client.ask("GET", "/v2/quotas?usage=true").json == plain | {"usage": {"zones": 1}}
    held = {"zones": 1, "zone_recordsets": 3, "zone_records": 2, "api_export_size": 3}
    assert client.ask("GET", f"/v2/quotas/p1?usage=true&zone_id={zone.id}").json == plain | {"usage": held}
    seer = strict.client("p2", roles="admin", **{"X-Auth-All-Projects": "1"})
    assert seer.ask("GET", f"/v2/quotas/p1?usage=true&zone_id={zone.id}").json["usage"] == held
    other = strict.client("p2").ask("GET", f"/v2/quotas?usage=true&zone_id={zone.id}")
    assert is_fault(other, 404, "zone_not_found")
    assert is_fault(seer.ask("GET", f"/v2/quotas/p2?usage=true&zone_id={zone.id}"), 404, "zone_not_found")
    assert is_fault(client.ask("GET", "/v2/quotas?usage=true&zone_id=x"), 400, "invalid_uuid")


@pytest.mark.parametrize("verb", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("project", ["x" * 37, "a%00b", "a%0Ab"])
def test_what_cannot_be_a_project_has_no_quotas(strict: System, verb: str, project: str) -> None:
    admin = strict.client(roles="admin", **{"X-Auth-All-Projects": "1"})
    body = {"zones": 1} if verb == "PATCH" else None
    assert is_fault(admin.ask(verb, f"/v2/quotas/{unquote(project)}", body), 400, "invalid_project")


def test_anothers_quotas_need_the_switch_even_for_an_admin(strict: System) -> None:
    admin = strict.client(roles="admin")
    assert is_fault(admin.ask("GET", "/v2/quotas/p2"), 403, "forbidden")
    assert is_fault(admin.ask("PATCH", "/v2/quotas/p2", {"zones": 1}), 403, "forbidden")
    assert admin.ask("PATCH", "/v2/quotas/p2?all_projects=1", {"zones": 1}).json["zones"] == 1
    assert is_fault(strict.client().ask("PATCH", "/v2/quotas/p1", {"zones": 99}), 403, "forbidden")


@pytest.mark.parametrize("body", [{"zones": -2}, {"zones": 2**31}, {"zones": None}, {"zones": "x"}, {"nonsense": 1}])
def test_a_wrong_quota_is_refused(strict: System, body: dict[str, Any]) -> None:
    assert is_fault(strict.client(roles="admin").ask("PATCH", "/v2/quotas/p1", body), 400, "invalid_object")


def test_limits_are_open_to_every_caller(strict: System) -> None:
    assert strict.client(roles="nobody").ask("GET", "/v2/limits").json == {
        "max_zones": 10,
        "max_zone_recordsets": 500,
        "max_zone_records": 500,
        "max_recordset_records": 20,
        "min_ttl": 60,
        "max_zone_name_length": 255,
        "max_recordset_name_length": 255,
        "max_page_limit": 1000,
    }


def test_a_pool_is_shown_without_its_servers(system: System) -> None:
    shown = system.client(roles="admin").ask("GET", f"/v2/pools/{system.pool.id}").json
    assert list(shown) == [
        "id",
        "project_id",
        "name",
        "description",
        "attributes",
        "ns_records",
        "created_at",
        "updated_at",
        "links",
    ]
    assert shown["ns_records"] == [
        {"hostname": "ns1.example.net.", "priority": 1},
        {"hostname": "ns2.example.net.", "priority": 2},
    ]
