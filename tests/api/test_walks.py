# SPDX-License-Identifier: Apache-2.0
"""Walking a list page by page meets every item exactly once, whatever the order and the size of the page."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redesignate.api.paging import Listing
from redesignate.api.pools import POOLS
from redesignate.api.rrsets import OF_ALL, OF_ZONE
from redesignate.api.services import SERVICES
from redesignate.api.zones import ZONES
from redesignate.commands.pools import ApplyPool
from redesignate.commands.services import Heartbeat
from redesignate.model.caller import operator
from redesignate.model.pool import NSRecord, PoolSpec
from redesignate.model.service import ServiceState
from tests.api.client import HOST, Client
from tests.api.conftest import System

COUNT = 13


@pytest.fixture(scope="module")
def lists(shared_system: System) -> dict[str, tuple[Listing, str]]:
    """Some of everything, with equal and missing values to sort by, half of it changed since."""
    chance = random.Random(7)
    client = shared_system.client()
    for number in range(COUNT):
        body = {"name": f"z{chance.randrange(10**6)}.example.", "email": "a@example.org", "ttl": 60 + number % 3}
        zone = client.ask("POST", "/v2/zones", body).json["id"]
        if number % 2:
            shared_system.serve()
            client.ask("PATCH", f"/v2/zones/{zone}", {"description": "x"})
    for number in range(COUNT):
        body = {"name": f"r{number % 5}.{body['name']}", "type": ("A", "TXT", "AAAA")[number // 5], "records": []}
        if number % 2:
            body["ttl"] = number % 4
        rrset = client.ask("POST", f"/v2/zones/{zone}/recordsets", body).json
        body["name"] = rrset["zone_name"]
        if number % 3 == 0:
            client.ask("PUT", f"/v2/zones/{zone}/recordsets/{rrset['id']}", {"description": "x"})
        shared_system.central.call(
            Heartbeat(service_name=("worker", "mdns")[number % 2], hostname=f"h{number}", status=ServiceState.UP)
        )
        spec = PoolSpec(name=f"pool{number}", ns_records=(NSRecord("ns.example.", 1),))
        shared_system.central.call(ApplyPool(caller=operator("req-x"), spec=spec))
    return {
        "zones": (ZONES, "/v2/zones"),
        "of a zone": (OF_ZONE, f"/v2/zones/{zone}/recordsets"),
        "of all": (OF_ALL, "/v2/recordsets"),
        "pools": (POOLS, "/v2/pools"),
        "services": (SERVICES, "/v2/service_statuses"),
    }


_SWITCH = re.compile(r"(?<=[?&])all_projects=\w+&|&all_projects=\w+")


def _walk(client: Client, listing: Listing, address: str) -> Iterator[list[dict[str, Any]]]:
    """Each page, following `links.next` as clients do."""
    for _ in range(200):
        page = client.ask("GET", address).json
        assert page["links"]["self"] == f"http://{HOST}{_SWITCH.sub('', address)}"
        yield page[listing.name]
        if "next" not in page["links"]:
            return
        address = page["links"]["next"].removeprefix(f"http://{HOST}")
    raise AssertionError("the walk does not end")


@pytest.mark.parametrize("name", ["zones", "of a zone", "of all", "pools", "services"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_walk_meets_every_item_once_and_in_order(
    shared_system: System, lists: dict[str, tuple[Listing, str]], name: str, data: st.DataObject
) -> None:
    listing, path = lists[name]
    client = shared_system.client(roles="admin,member,reader")
    key = data.draw(st.sampled_from(listing.sort_keys))
    query = {
        "limit": data.draw(st.integers(1, COUNT + 2)),
        "sort_key": key,
        "sort_dir": data.draw(st.sampled_from(["asc", "desc"])),
        "all_projects": data.draw(st.booleans()),
    }
    pages = list(_walk(client, listing, f"{path}?{urlencode(query)}"))
    whole = client.ask("GET", f"{path}?limit=max").json
    ids = [item["id"] for page in pages for item in page]
    assert len(ids) == len(set(ids))
    assert set(ids) == {item["id"] for item in whole[listing.name]}
    assert all(len(page) == query["limit"] for page in pages[:-1])
    if key != "tenant_id" or not query["all_projects"]:
        _check_order([item for page in pages for item in page], key, descending=query["sort_dir"] == "desc")


def _check_order(items: list[dict[str, Any]], key: str, *, descending: bool) -> None:
    shown = {"tenant_id": "created_at"}.get(key, key)  # all are of one project: v2 then leaves that key out
    values = [item[shown] for item in items if item[shown] is not None]
    assert values == sorted(values, reverse=descending)


def test_a_full_last_page_promises_one_more_that_is_empty(shared_system: System, lists: dict[str, Any]) -> None:
    pages = list(_walk(shared_system.client(), ZONES, f"/v2/zones?limit={COUNT}"))
    assert [len(page) for page in pages] == [COUNT, 0]


def test_next_repeats_the_filters_and_the_switches(shared_system: System, lists: dict[str, Any]) -> None:
    client = shared_system.client(roles="admin,member,reader")
    page = client.ask("GET", "/v2/zones?limit=2&name=*.example.&all_projects=1").json
    assert page["links"]["next"] == (
        f"http://{HOST}/v2/zones?limit=2&name=%2A.example.&all_projects=1&marker={page['zones'][-1]['id']}"
    )


def test_no_limit_is_above_the_operators(shared_system: System, lists: dict[str, Any]) -> None:
    assert len(shared_system.client().ask("GET", "/v2/zones?limit=1001").json["zones"]) == COUNT
