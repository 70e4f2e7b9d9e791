# SPDX-License-Identifier: Apache-2.0
"""Horizon's dashboard for DNS: what its page asks of the API through Horizon, with a slash at the end of each path.

Horizon decodes every answer as JSON, a DELETE's too, sends `{}` where the page sends nothing, and turns any other
status than a success into the page's message.
"""

from __future__ import annotations

import pytest

from tests.api.conftest import System
from tests.api.habits.tool import REQUESTS, Tool

MADE, CHANGED = (200, 201, 202), (200, 202)


@pytest.fixture
def page(system: System) -> Tool:
    return Tool(system, REQUESTS)


def test_the_tables_of_zones_and_record_sets(page: Tool) -> None:
    body = {"description": None, "email": "a@example.org", "name": "example.org.", "ttl": 3600, "type": "PRIMARY"}
    zone = page.said("POST", "/v2/zones/", body, ok=MADE)
    path = f"/v2/zones/{zone['id']}/"
    assert [one["id"] for one in page.said("GET", "/v2/zones/")["zones"]] == [zone["id"]]
    assert page.said("GET", path)["name"] == "example.org."
    changed = page.said("PATCH", path, {"email": "b@example.org", "ttl": 600, "description": "new"}, ok=CHANGED)
    assert (changed["email"], changed["ttl"]) == ("b@example.org", 600)

    rrset = {"description": None, "name": "www.example.org.", "records": ["192.0.2.1"], "ttl": 3600, "type": "A"}
    made = page.said("POST", f"{path}recordsets/", rrset, ok=MADE)
    own = f"{path}recordsets/{made['id']}/"
    assert len(page.said("GET", f"{path}recordsets/")["recordsets"]) == 3
    assert page.said("GET", own)["records"] == ["192.0.2.1"]
    again = {"description": "", "records": ["192.0.2.2"], "ttl": 60}
    assert page.said("PUT", own, again, ok=CHANGED)["records"] == ["192.0.2.2"]
    assert page.said("DELETE", own, ok=(202,))["id"] == made["id"]
    assert page.said("DELETE", path, ok=(202,))["id"] == zone["id"]


def test_a_secondary_zone_is_made_with_its_masters(page: Tool) -> None:
    body = {"name": "example.net.", "type": "SECONDARY", "masters": ["192.0.2.53:5354"]}
    assert page.said("POST", "/v2/zones/", body, ok=MADE)["masters"] == ["192.0.2.53:5354"]


def test_an_empty_form_is_told_what_it_lacks(page: Tool) -> None:
    assert "name" in str(page.refused(400, "POST", "/v2/zones/", {})["errors"])
