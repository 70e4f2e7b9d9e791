# SPDX-License-Identifier: Apache-2.0
"""What the API has beyond Designate's, as clients see it."""

from __future__ import annotations

from typing import Any

from tests.api.client import Client, is_fault
from tests.api.conftest import System


def new_zone(client: Client, name: str = "example.org.") -> dict[str, Any]:
    made: dict[str, Any] = client.ask("POST", "/v2/zones", {"name": name, "email": "a@example.org"}).json
    return made


# -- owns


def test_the_zone_that_holds_a_name_is_listed_alone(system: System) -> None:
    client = system.client()
    new_zone(client)
    inner = new_zone(client, "a.example.org.")
    answer = client.ask("GET", "/v2/zones?owns=host.a.example.org.")
    assert answer.status == 200
    assert [zone["id"] for zone in answer.json["zones"]] == [inner["id"]]
    assert answer.json["metadata"] == {"total_count": 1}
    assert answer.json["links"] == {"self": "http://dns.example.net/v2/zones?owns=host.a.example.org."}
    empty = client.ask("GET", "/v2/zones?owns=host.example.net.").json
    assert (empty["zones"], empty["metadata"]) == ([], {"total_count": 0})


def test_owns_stands_alone_and_is_a_name(system: System) -> None:
    client = system.client()
    for query in ("owns=a.org.&name=a.org.", "owns=a.org.&limit=1", "owns=a.org.&owns=b.org.", "owns=a..org."):
        assert is_fault(client.ask("GET", f"/v2/zones?{query}"), 400, "bad_request"), query
