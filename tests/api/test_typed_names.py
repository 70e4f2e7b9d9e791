# SPDX-License-Identifier: Apache-2.0
"""Names are shown as they were typed, and are the same name in whatever case (RFC 4343).

Terraform makes a resource anew whose name comes back otherwise, and lego gives up."""

from __future__ import annotations

from typing import Any

import pytest

from redesignate.commands.work import BeginWork
from redesignate.model.names import canonical
from redesignate.store.serving import Serving
from tests.api.client import HOST, is_fault
from tests.api.conftest import System

TYPED = "Example.ORG."
WWW = "WWW.Example.Org."


@pytest.fixture
def zone(system: System) -> dict[str, Any]:
    answer = system.client().ask("POST", "/v2/zones", {"name": TYPED, "email": "a@example.org"})
    assert answer.status == 202
    made: dict[str, Any] = answer.json
    return made


@pytest.fixture
def recordset(system: System, zone: dict[str, Any]) -> dict[str, Any]:
    body = {"name": WWW, "type": "CNAME", "records": ["Target.Example.Net."]}
    answer = system.client().ask("POST", f"/v2/zones/{zone['id']}/recordsets", body)
    assert answer.status == 202
    made: dict[str, Any] = answer.json
    return made


def place(shown: dict[str, Any]) -> str:
    return str(shown["links"]["self"]).partition(HOST)[2]


def test_a_zone_is_shown_as_typed_wherever_it_is_shown(system: System, zone: dict[str, Any]) -> None:
    client = system.client()
    assert zone["name"] == TYPED
    assert client.ask("GET", place(zone)).json["name"] == TYPED
    assert client.ask("PATCH", place(zone), {"ttl": 60}).json["name"] == TYPED
    assert [shown["name"] for shown in client.ask("GET", "/v2/zones").json["zones"]] == [TYPED]
    assert client.ask("DELETE", place(zone)).json["name"] == TYPED


def test_a_recordset_is_shown_as_typed_with_its_zone_as_typed(system: System, recordset: dict[str, Any]) -> None:
    client = system.client()
    lists = (f"/v2/zones/{recordset['zone_id']}/recordsets?type=CNAME", "/v2/recordsets?type=CNAME")
    shown = [
        recordset,
        client.ask("GET", place(recordset)).json,
        *(found for path in lists for found in client.ask("GET", path).json["recordsets"]),
        client.ask("PUT", place(recordset), {"ttl": 60}).json,
        client.ask("DELETE", place(recordset)).json,
    ]
    assert [(one["name"], one["zone_name"]) for one in shown] == [(WWW, TYPED)] * 6
    assert recordset["records"] == ["Target.Example.Net."]


def test_the_zones_own_recordsets_have_its_name_as_typed(system: System, zone: dict[str, Any]) -> None:
    found = system.client().ask("GET", f"{place(zone)}/recordsets").json["recordsets"]
    assert {(one["type"], one["name"]) for one in found} == {("SOA", TYPED), ("NS", TYPED)}


def test_a_secondary_zone_is_shown_as_typed(system: System) -> None:
    body = {"name": "Sec.Example.", "type": "SECONDARY", "masters": ["192.0.2.1"]}
    made = system.client().ask("POST", "/v2/zones", body).json
    assert (made["name"], system.client().ask("GET", place(made)).json["name"]) == ("Sec.Example.", "Sec.Example.")


@pytest.mark.parametrize("name", ["example.org.", "EXAMPLE.org.", TYPED])
def test_a_zone_of_the_name_in_another_case_is_a_duplicate(system: System, zone: dict[str, Any], name: str) -> None:
    answer = system.client().ask("POST", "/v2/zones", {"name": name, "email": "a@example.org"})
    assert is_fault(answer, 409, "duplicate_zone")
    foreign = system.client("p2").ask("POST", "/v2/zones", {"name": f"sub.{name}", "email": "a@example.org"})
    assert is_fault(foreign, 403, "illegal_child")


@pytest.mark.parametrize("name", ["www.example.org.", WWW.swapcase()])
def test_a_recordset_of_the_name_in_another_case_is_a_duplicate(
    system: System, recordset: dict[str, Any], name: str
) -> None:
    path = f"/v2/zones/{recordset['zone_id']}/recordsets"
    same = {"name": name, "type": "CNAME", "records": ["a.example.net."]}
    beside = {"name": name, "type": "A", "records": ["192.0.2.1"]}
    assert system.client().ask("POST", path, same).status in (400, 409)
    assert is_fault(system.client().ask("POST", path, beside), 400, "invalid_recordset_location")


@pytest.mark.parametrize("wanted", ["www.example.org.", WWW, "wWw.*", "*.EXAMPLE.org."])
def test_names_are_found_in_any_case(system: System, recordset: dict[str, Any], wanted: str) -> None:
    found = system.client().ask("GET", f"/v2/recordsets?name={wanted}").json["recordsets"]
    assert WWW in [one["name"] for one in found]


def test_names_sort_without_case(system: System, zone: dict[str, Any]) -> None:
    client, path = system.client(), f"{place(zone)}/recordsets"
    for name in ("b.example.org.", "A.example.org.", "C.example.org."):
        client.ask("POST", path, {"name": name, "type": "A", "records": ["192.0.2.1"]})
    shown = [one["name"] for one in client.ask("GET", f"{path}?type=A&sort_key=name").json["recordsets"]]
    assert shown == ["A.example.org.", "b.example.org.", "C.example.org."]


@pytest.mark.parametrize("sent", [WWW, "www.example.org.", "WWW.EXAMPLE.ORG."])
def test_the_name_in_another_case_may_be_sent_back(system: System, recordset: dict[str, Any], sent: str) -> None:
    answer = system.client().ask("PUT", place(recordset), {**recordset, "name": sent, "ttl": 60})
    assert (answer.status, answer.json["name"]) == (202, WWW)


def test_a_whole_resource_may_be_sent_back_as_it_is_shown(
    system: System, zone: dict[str, Any], recordset: dict[str, Any]
) -> None:
    client = system.client()
    for verb, shown in (("PUT", recordset), ("PATCH", zone)):
        now = client.ask("GET", place(shown)).json
        assert client.ask(verb, place(shown), now).status == 202


def test_a_name_in_another_script_is_shown_in_a_labels(system: System) -> None:
    made = system.client().ask("POST", "/v2/zones", {"name": "Bücher.Example.", "email": "a@example.org"}).json
    assert canonical(made["name"]) == "xn--bcher-kva.example."
    assert made["name"].isascii()


def test_the_name_that_was_typed_is_not_seen_in_dns(system: System, recordset: dict[str, Any]) -> None:
    with Serving(system.store).read() as snapshot:
        served = snapshot.zone(recordset["zone_id"])
        assert served is not None
        assert served.name == "example.org."
        assert [name for name, _, _ in snapshot.at_names(served, ["www.example.org.", WWW])] == ["www.example.org."]
    tasks = system.central.call(BeginWork(worker="w", zone_ids=(recordset["zone_id"],)))
    assert [task.name for task in tasks] == ["example.org."]
