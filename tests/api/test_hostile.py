# SPDX-License-Identifier: Apache-2.0
"""Whatever is sent, the answer is the contract's: never a 500, never a shape of another kind (Hypothesis)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redesignate.api.shapes.rrsets import RECORDSET
from redesignate.api.shapes.zones import ZONE
from redesignate.model.errors import KINDS
from tests.api.client import Answer, Client
from tests.api.conftest import System

MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY_TEXT = st.text(max_size=12) | st.sampled_from(
    [
        "example.org.",
        "*.example.org.",
        "www.example.org",
        ".",
        "",
        "a" * 300,
        "192.0.2.1",
        "a@b.example",
        "\0",
        '"',
        "�",
        "-1",
    ]
)
ANY_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | ANY_TEXT
    | st.sampled_from([2**31, 2**63, 2**64, -(2**63) - 1]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=10,
)
ZONE_BODY = st.dictionaries(st.sampled_from(sorted(ZONE.names)) | ANY_TEXT, ANY_VALUE, max_size=5)
NEARLY_A_ZONE = st.builds(
    lambda base, more: {**base, **more},
    st.fixed_dictionaries({"name": ANY_TEXT, "email": st.just("a@b.example") | ANY_VALUE}),
    st.fixed_dictionaries(
        {},
        optional={
            "ttl": ANY_VALUE,
            "type": st.sampled_from(["PRIMARY", "SECONDARY", "CATALOG"]) | ANY_VALUE,
            "masters": st.lists(ANY_TEXT, max_size=3) | ANY_VALUE,
            "attributes": st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=3) | ANY_VALUE,
            "description": ANY_VALUE,
        },
    ),
)
RRSET_BODY = st.dictionaries(st.sampled_from(sorted(RECORDSET.names)) | ANY_TEXT, ANY_VALUE, max_size=5)
NEARLY_AN_RRSET = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["www.example.org.", "example.org.", "*.example.org.", "_25._tcp.example.org."])
        | ANY_TEXT,
        "type": st.sampled_from(
            [
                "A",
                "AAAA",
                "CNAME",
                "MX",
                "TXT",
                "SRV",
                "NS",
                "CAA",
                "SVCB",
                "HTTPS",
                "NAPTR",
                "SSHFP",
                "TLSA",
                "CERT",
                "PTR",
            ]
        )
        | ANY_TEXT,
        "records": st.lists(ANY_TEXT, max_size=3) | ANY_VALUE,
    },
    optional={"ttl": ANY_VALUE, "description": ANY_VALUE},
)
TOKENS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, blacklist_characters="\x7f"), max_size=20)


@pytest.fixture(scope="module", autouse=True)  # before a property makes a zone of this name
def place(shared_system: System) -> dict[str, str]:
    """A zone and an RRset to ask about."""
    client = shared_system.client()
    zone = client.ask("POST", "/v2/zones", {"name": "example.org.", "email": "a@example.org"}).json["id"]
    body = {"name": "there.example.org.", "type": "A", "records": ["192.0.2.1"]}
    rrset = client.ask("POST", f"/v2/zones/{zone}/recordsets", body).json["id"]
    return {"zone": zone, "rrset": rrset}


def _sound(answer: Answer) -> None:
    """The answer is one that v2 publishes."""
    assert answer.status < 500, answer
    assert answer.headers["x-openstack-request-id"].startswith("req-")
    if answer.status < 400 or answer.headers["content-type"] == "text/plain":
        return
    body = answer.json
    assert set(body) <= {"code", "type", "message", "errors", "request_id"}
    assert {"code", "type", "request_id"} <= set(body)
    assert body["code"] == answer.status == KINDS[body["type"]].status
    if "errors" in body:
        for fault in body["errors"]["errors"]:
            assert {"path", "message", "validator", "validator_value"} == set(fault)


def _asker(system: System) -> Client:
    return system.client(roles="admin,member,reader")


@MANY
@given(body=ZONE_BODY | NEARLY_A_ZONE)
def test_no_body_breaks_the_making_of_a_zone(shared_system: System, body: dict[str, Any]) -> None:
    _sound(_asker(shared_system).ask("POST", "/v2/zones", body))


@MANY
@given(body=ZONE_BODY)
def test_no_body_breaks_the_changing_of_a_zone(
    shared_system: System, place: dict[str, str], body: dict[str, Any]
) -> None:
    _sound(_asker(shared_system).ask("PATCH", f"/v2/zones/{place['zone']}", body))


@MANY
@given(body=RRSET_BODY | NEARLY_AN_RRSET)
def test_no_body_breaks_the_making_of_a_recordset(
    shared_system: System, place: dict[str, str], body: dict[str, Any]
) -> None:
    _sound(_asker(shared_system).ask("POST", f"/v2/zones/{place['zone']}/recordsets", body))


@MANY
@given(body=RRSET_BODY | st.fixed_dictionaries({"records": st.lists(ANY_TEXT, max_size=3)}))
def test_no_body_breaks_the_changing_of_a_recordset(
    shared_system: System, place: dict[str, str], body: dict[str, Any]
) -> None:
    _sound(_asker(shared_system).ask("PUT", f"/v2/zones/{place['zone']}/recordsets/{place['rrset']}", body))


@MANY
@given(body=st.dictionaries(st.sampled_from(["zones", "zone_records", "x"]), ANY_VALUE, max_size=3), project=ANY_TEXT)
def test_no_body_breaks_quotas(shared_system: System, body: dict[str, Any], project: str) -> None:
    address = "/v2/quotas/" + project.replace("/", "").replace("?", "").encode().decode("latin-1")
    _sound(_asker(shared_system).ask("PATCH", address, body, headers={"X-Auth-All-Projects": "1"}))


@MANY
@given(raw=st.binary(max_size=60) | st.builds(lambda value: json.dumps(value).encode(), ANY_VALUE))
def test_no_bytes_break_anything(shared_system: System, place: dict[str, str], raw: bytes) -> None:
    client = _asker(shared_system)
    for verb, path in (("POST", "/v2/zones"), ("PATCH", f"/v2/zones/{place['zone']}"), ("PATCH", "/v2/quotas/p1")):
        _sound(client.ask(verb, path, raw))


FILTERS = ["name", "type", "email", "status", "description", "ttl", "data", "limit", "marker", "sort_key", "sort_dir"]


@MANY
@given(
    query=st.dictionaries(
        st.sampled_from([*FILTERS, "all_projects", "hostname", "zone_id"]) | ANY_TEXT,
        ANY_TEXT
        | st.sampled_from(
            ["created_at", "tenant_id", "records", "max", "desc", "BETWEEN 1,2", "<5", ">=x", "!", "**", "%"]
        ),
        max_size=4,
    )
)
def test_no_query_breaks_a_list(shared_system: System, place: dict[str, str], query: dict[str, str]) -> None:
    client = _asker(shared_system)
    text = urlencode(query, quote_via=quote)
    for path in ("zones", "recordsets", f"zones/{place['zone']}/recordsets", "pools", "service_statuses"):
        _sound(client.ask("GET", f"/v2/{path}?{text}"))


@MANY
@given(query=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40))
def test_no_bytes_in_a_query_break_a_list(shared_system: System, query: str) -> None:
    _sound(_asker(shared_system).ask("GET", "/v2/zones", QUERY_STRING=query))


HEADERS = [
    "X-Auth-Project-ID",
    "X-Auth-User-ID",
    "X-Roles",
    "X-Auth-All-Projects",
    "X-Auth-Sudo-Project-ID",
    "X-Designate-Edit-Managed-Records",
    "OpenStack-DNS-Hide-Counts",
    "X-Openstack-Request-Id",
    "Accept",
    "Host",
    "Origin",
    "Forwarded",
    "X-Forwarded-Host",
]


@MANY
@given(headers=st.dictionaries(st.sampled_from(HEADERS), TOKENS, max_size=4))
def test_no_header_breaks_anything(shared_system: System, place: dict[str, str], headers: dict[str, str]) -> None:
    client = _asker(shared_system)
    for path in ("/v2/zones", f"/v2/zones/{place['zone']}", "/v2/quotas", "/", "/v2/limits"):
        _sound(client.ask("GET", path, headers=headers))


@MANY
@given(
    segments=st.lists(
        st.sampled_from(["v2", "zones", "recordsets", "quotas", "tasks", "peers", "limits", ""])
        | st.uuids().map(str)
        | ANY_TEXT,
        max_size=5,
    ),
    verb=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
)
def test_no_path_breaks_anything(shared_system: System, segments: list[str], verb: str) -> None:
    path = ("/" + "/".join(segments)).replace("?", "").encode().decode("latin-1")
    answer = _asker(shared_system).ask(verb, path, checked=False)
    if verb == "HEAD":
        assert answer.status < 500
    else:
        _sound(answer)
