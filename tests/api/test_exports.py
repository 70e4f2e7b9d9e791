# SPDX-License-Identifier: Apache-2.0
"""Zones as zone files, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from redesignate.bus.port import R
from redesignate.commands.base import Command
from redesignate.commands.exports import ReadZoneFile
from redesignate.model.errors import Unavailable
from tests.api.client import Client, api_client, is_fault
from tests.api.conftest import System

ZONE = {"name": "example.org.", "email": "a@example.org"}


def furnished(system: System, **headers: str) -> tuple[Client, str]:
    client = system.client(**headers)
    return client, client.ask("POST", "/v2/zones", ZONE).json["id"]


def test_an_export_is_shown_as_v2_publishes_it(system: System) -> None:
    client, zone = furnished(system)
    answer = client.ask("POST", f"/v2/zones/{zone}/tasks/export")
    made = answer.json
    here = f"http://dns.example.net/v2/zones/tasks/exports/{made['id']}"
    assert (answer.status, answer.headers["location"]) == (202, here)
    assert (made["status"], made["location"], made["links"]) == ("PENDING", None, {"self": here})
    shown = client.ask("GET", f"/v2/zones/tasks/exports/{made['id']}").json
    assert shown == made | {
        "status": "COMPLETE",
        "location": f"designate://v2/zones/tasks/exports/{made['id']}/export",
        "links": {"self": here, "export": f"{here}/export"},
    }
    assert set(shown) == {
        "id", "status", "message", "zone_id", "project_id", "location", "version", "created_at", "updated_at", "links",
    }  # fmt: skip
    listed = client.ask("GET", f"/v2/zones/tasks/exports?zone_id={zone}&status=COMPLETE").json
    assert (listed["exports"], listed["metadata"]) == ([shown], {"total_count": 1})


def test_openstacksdk_finds_exports_where_it_looks(system: System) -> None:
    """Its path is the one that makes them, without the zone."""
    client, zone = furnished(system)
    made = client.ask("POST", f"/v2/zones/{zone}/tasks/export").json["id"]
    listed = client.ask("GET", f"/v2/zones/tasks/export?zone_id={zone}").json
    assert [one["id"] for one in listed["exports"]] == [made]
    assert client.ask("GET", f"/v2/zones/tasks/export/{made}").json["links"]["self"].endswith(f"exports/{made}")
    for accept in ("*/*", "text/dns"):
        file = client.ask("GET", f"/v2/zones/tasks/export/{made}/export", headers={"Accept": accept})
        assert file.content.startswith(b"$ORIGIN example.org.")
    assert client.ask("DELETE", f"/v2/zones/tasks/export/{made}").status == 204
    assert client.ask("GET", f"/v2/zones/tasks/export/{made}").status == 404


@pytest.mark.parametrize("accept", ["text/dns", "*/*", "application/json"])
def test_the_file_is_sent_whatever_the_client_accepts(system: System, accept: str) -> None:
    client, zone = furnished(system)
    made = client.ask("POST", f"/v2/zones/{zone}/tasks/export").json
    answer = client.ask("GET", f"/v2/zones/tasks/exports/{made['id']}/export", headers={"Accept": accept})
    assert answer.headers["content-type"] == "text/dns; charset=UTF-8"
    assert answer.content.startswith(b"$ORIGIN example.org.\n$TTL 3600\n\nexample.org. 3600 IN SOA ")


def test_a_zone_is_a_zone_file_for_whoever_accepts_that_alone(system: System) -> None:
    client, zone = furnished(system)
    assert client.ask("GET", f"/v2/zones/{zone}", headers={"Accept": "text/dns"}).content.startswith(b"$ORIGIN")
    for accept in ("application/json", "text/dns, application/json;q=0.5", "*/*"):
        assert client.ask("GET", f"/v2/zones/{zone}", headers={"Accept": accept}).json["id"] == zone
    for path in ("/v2/zones", f"/v2/zones/{zone}/nameservers", "/v2/zones/tasks/exports"):
        assert client.ask("GET", path, headers={"Accept": "text/dns"}).status == 406
    assert is_fault(
        system.client("p2").ask("GET", f"/v2/zones/{zone}", headers={"Accept": "text/dns"}), 404, "zone_not_found"
    )


def test_a_large_zone_comes_in_parts_and_a_failure_breaks_it_off(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redesignate.store.exports.AT_ONCE", 1)
    monkeypatch.setattr("redesignate.central.exports.AT_ONCE", 1)
    monkeypatch.setattr("redesignate.central.exports.PART", 1)
    client, zone = furnished(system)
    for name in "abc":
        body = {"name": f"{name}.example.org.", "type": "A", "records": ["192.0.2.1"]}
        client.ask("POST", f"/v2/zones/{zone}/recordsets", body)
    text = client.ask("GET", f"/v2/zones/{zone}", headers={"Accept": "text/dns"}).content.decode()
    assert text.count(" IN A ") == 3
    assert text.count(" IN NS ") == 2
    assert text.count(" IN SOA ") == 1

    class Breaking:
        """Central, until the second part of a file is asked for."""

        def call(self, command: Command[R]) -> R:
            if isinstance(command, ReadZoneFile) and command.at is not None:
                raise Unavailable("The database is unavailable; retry.")
            return system.central.call(command)

    broken: Any = api_client(Breaking())
    with pytest.raises(BrokenPipeError):
        broken.ask(
            "GET",
            f"/v2/zones/{zone}",
            headers={"Accept": "text/dns", "X-Auth-Project-ID": "p1", "X-Roles": "member,reader"},
        )
