# SPDX-License-Identifier: Apache-2.0
"""Every path with every verb, and what each answers to an admin who has one of each thing."""

from __future__ import annotations

from typing import Any

import pytest

from redesignate.commands.services import Heartbeat, ListServices
from redesignate.config.settings import DEFAULT_POOL_ID
from redesignate.model.caller import operator
from redesignate.model.paging import ListQuery
from redesignate.model.service import ServiceState
from tests.api.client import Client, is_fault
from tests.api.conftest import System

ODD = ("PROPFIND", "FROBNICATE")
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", *ODD)
NOWHERE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
ZONE = {"name": "new.example.", "email": "a@new.example"}
RRSET = {"name": "new.example.org.", "type": "A", "records": ["192.0.2.1"]}
KEY = {"name": "k", "algorithm": "hmac-sha256", "scope": "POOL", "resource_id": DEFAULT_POOL_ID}

TRANSFER: dict[str, str] = {}
"""The body that accepts the transfer request of the furnished system."""

Row = tuple[str, dict[str, tuple[int, Any]]]

ROUTES: list[Row] = [
    ("/v2/zones", {"GET": (200, None), "POST": (202, ZONE)}),
    ("/v2/zones/{zone}", {"GET": (200, None), "PATCH": (202, {"ttl": 60}), "DELETE": (202, None)}),
    ("/v2/zones/{zone}/nameservers", {"GET": (200, None)}),
    ("/v2/zones/{zone}/peers", {"GET": (200, None)}),
    ("/v2/zones/{secondary}/tasks/xfr", {"POST": (202, None)}),
    ("/v2/zones/{zone}/tasks/export", {"POST": (202, None)}),
    ("/v2/zones/tasks/imports", {"GET": (200, None), "POST": (202, {"zonefile": "$ORIGIN example.net."})}),
    ("/v2/zones/tasks/imports/{import}", {"GET": (200, None), "DELETE": (204, None)}),
    ("/v2/zones/tasks/exports", {"GET": (200, None)}),
    ("/v2/zones/tasks/exports/{export}", {"GET": (200, None), "DELETE": (204, None)}),
    ("/v2/zones/tasks/exports/{export}/export", {"GET": (200, None)}),
    ("/v2/zones/tasks/export", {"GET": (200, None)}),
    ("/v2/zones/tasks/export/{export}", {"GET": (200, None), "DELETE": (204, None)}),
    ("/v2/zones/tasks/export/{export}/export", {"GET": (200, None)}),
    ("/v2/zones/{zone}/tasks/abandon", {"POST": (204, None)}),
    ("/v2/zones/{zone}/tasks/pool_move", {"POST": (400, {})}),
    ("/v2/zones/{zone}/moves", {"GET": (200, None)}),
    ("/v2/zones/{zone}/recordsets", {"GET": (200, None), "POST": (202, RRSET), "PUT": (400, {"ttl": 60})}),
    (
        "/v2/zones/{zone}/recordsets/{rrset}",
        {"GET": (200, None), "PUT": (202, {"ttl": 60}), "DELETE": (202, None)},
    ),
    ("/v2/zones/{zone}/shares", {"GET": (200, None), "POST": (201, {"target_project_id": "p9"})}),
    ("/v2/zones/{spare}/shares/{share}", {"GET": (200, None), "DELETE": (204, None)}),
    ("/v2/zones/{zone}/tasks/transfer_requests", {"POST": (201, {})}),
    ("/v2/zones/tasks/transfer_requests", {"GET": (200, None)}),
    (
        "/v2/zones/tasks/transfer_requests/{request}",
        {"GET": (200, None), "PATCH": (200, {"description": "x"}), "DELETE": (204, None)},
    ),
    ("/v2/zones/tasks/transfer_accepts", {"GET": (200, None), "POST": (201, TRANSFER)}),
    ("/v2/zones/tasks/transfer_accepts/{accept}", {"GET": (200, None)}),
    ("/v2/recordsets", {"GET": (200, None)}),
    ("/v2/recordsets/{rrset}", {"GET": (301, None)}),
    ("/v2/quotas", {"GET": (200, None)}),
    ("/v2/quotas/p1", {"GET": (200, None), "PATCH": (200, {"zones": 5}), "DELETE": (204, None)}),
    ("/v2/limits", {"GET": (200, None)}),
    ("/v2/tlds", {"GET": (200, None), "POST": (201, {"name": "net"})}),
    ("/v2/tlds/{tld}", {"GET": (200, None), "PATCH": (200, {"description": "x"}), "DELETE": (204, None)}),
    ("/v2/blacklists", {"GET": (200, None), "POST": (201, {"pattern": "other"})}),
    ("/v2/blacklists/{blacklist}", {"GET": (200, None), "PATCH": (200, {"description": "x"}), "DELETE": (204, None)}),
    ("/v2/tsigkeys", {"GET": (200, None), "POST": (201, KEY)}),
    ("/v2/tsigkeys/{tsigkey}", {"GET": (200, None), "PATCH": (200, {"name": "l"}), "DELETE": (204, None)}),
    ("/v2/pools", {"GET": (200, None), "POST": (201, {"name": "other"})}),
    ("/v2/pools/{free}", {"GET": (200, None), "PATCH": (202, {"description": "x"}), "DELETE": (204, None)}),
    ("/v2/pools/{pool}/progress", {"GET": (200, None)}),
    ("/v2/service_statuses", {"GET": (200, None)}),
    ("/v2/service_statuses/{service}", {"GET": (200, None)}),
    ("/v2/service_status", {"GET": (200, None)}),
    ("/v2/service_status/{service}", {"GET": (200, None)}),
    ("/admin/reports/counts", {"GET": (200, None)}),
    ("/admin/reports/counts/zones", {"GET": (200, None)}),
    ("/admin/reports/tenants", {"GET": (200, None)}),
    ("/admin/reports/tenants/p1", {"GET": (200, None)}),
    (
        "/admin/quotas/p1",
        {"GET": (200, None), "PATCH": (200, {"quota": {"zones": 5}}), "DELETE": (204, None)},
    ),
    ("/admin/zones/export/{zone}", {"GET": (200, None)}),
]


FILES = ("/{export}/export", "/admin/zones/export/{zone}")


def accepting(request: dict[str, str]) -> dict[str, str]:
    """The body that accepts a transfer request."""
    return {"key": request["key"], "zone_transfer_request_id": request["id"]}


def furnished(system: System) -> tuple[Client, dict[str, str]]:
    """An admin of p1, and the ids of one of each: `free` is a pool without zones, `spare` the zone of the share."""
    admin = system.client(roles="admin,member,reader")
    zone = admin.ask("POST", "/v2/zones", {"name": "example.org.", "email": "a@example.org"}).json["id"]
    fetched = {"name": "example.com.", "type": "SECONDARY", "masters": ["192.0.2.53"]}
    secondary = admin.ask("POST", "/v2/zones", fetched).json["id"]
    rrset = admin.ask("POST", f"/v2/zones/{zone}/recordsets", {**RRSET, "name": "www.example.org."}).json["id"]
    export = admin.ask("POST", f"/v2/zones/{zone}/tasks/export").json["id"]
    imported = admin.ask("POST", "/v2/zones/tasks/imports", {"zonefile": "$ORIGIN example.com."}).json["id"]
    tld = admin.ask("POST", "/v2/tlds", {"name": "example"}).json["id"]
    blacklist = admin.ask("POST", "/v2/blacklists", {"pattern": "acme"}).json["id"]
    key = admin.ask("POST", "/v2/tsigkeys", {**KEY, "name": "first"}).json["id"]
    free = admin.ask("POST", "/v2/pools", {"name": "free"}).json["id"]
    system.central.call(Heartbeat(service_name="worker", hostname="h1", status=ServiceState.UP))
    found = system.central.call(ListServices(caller=operator("req-x"), query=ListQuery()))
    spare = admin.ask("POST", "/v2/zones", {"name": "shared.example.", "email": "a@example.org"}).json["id"]
    share = admin.ask("POST", f"/v2/zones/{spare}/shares", {"target_project_id": "p2"}).json["id"]
    offer = admin.ask("POST", f"/v2/zones/{spare}/tasks/transfer_requests", {}).json
    done = admin.ask("POST", "/v2/zones/tasks/transfer_accepts", accepting(offer)).json
    offer = admin.ask("POST", f"/v2/zones/{spare}/tasks/transfer_requests", {}).json
    TRANSFER.update(accepting(offer))
    more = {
        "import": imported,
        "secondary": secondary,
        "spare": spare,
        "share": share,
        "tsigkey": key,
        "request": offer["id"],
        "accept": done["id"],
    }
    ids = {"zone": zone, "rrset": rrset, "export": export, "tld": tld, "blacklist": blacklist, "free": free}
    return admin, {**ids, **more, "pool": system.pool.id, "service": found.items[0].id}


@pytest.mark.parametrize(("path", "answers"), ROUTES, ids=[path for path, _ in ROUTES])
def test_each_path_answers_its_verbs_and_no_other(whole: System, path: str, answers: dict[str, Any]) -> None:
    admin, ids = furnished(whole)
    address = path.format(**ids)
    for verb in VERBS:
        for slash in ("", "/") if verb in ("GET", "PUT") else ("",):
            status, body = answers.get(verb, (405, None))
            answer = admin.ask(verb, address + slash, body, checked=verb not in ODD)
            assert answer.status == status, (verb, address, answer)
            if status == 405 and verb != "HEAD":
                assert is_fault(answer, 405, "method_not_allowed")
                assert set(answer.headers["allow"].split(", ")) == {*answers, "OPTIONS"}
            if status == 204:
                assert answer.content == b""
            if status in (200, 202):
                kind = "text/dns; charset=UTF-8" if path.endswith(FILES) else "application/json"
                assert answer.headers["content-type"] == kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"/v2/zones/{NOWHERE}", "zone_not_found"),
        (f"/v2/zones/{NOWHERE}/nameservers", "zone_not_found"),
        (f"/v2/zones/{NOWHERE}/peers", "zone_not_found"),
        (f"/v2/zones/{NOWHERE}/moves", "zone_not_found"),
        (f"/v2/zones/{NOWHERE}/recordsets", "zone_not_found"),
        (f"/v2/zones/{NOWHERE}/recordsets/{NOWHERE}", "zone_not_found"),
        (f"/v2/zones/{{zone}}/recordsets/{NOWHERE}", "recordset_not_found"),
        (f"/v2/zones/{NOWHERE}/shares", "zone_not_found"),
        (f"/v2/zones/{{zone}}/shares/{NOWHERE}", "shared_zone_not_found"),
        (f"/v2/zones/tasks/transfer_requests/{NOWHERE}", "zone_transfer_request_not_found"),
        (f"/v2/zones/tasks/transfer_accepts/{NOWHERE}", "zone_transfer_accept_not_found"),
        (f"/v2/recordsets/{NOWHERE}", "recordset_not_found"),
        (f"/v2/pools/{NOWHERE}", "pool_not_found"),
        (f"/v2/pools/{NOWHERE}/progress", "pool_not_found"),
        (f"/v2/service_statuses/{NOWHERE}", "service_status_not_found"),
        ("/v2/zones/{zone}/nothing", "not_found"),
        ("/v2/zones/{zone}/recordsets/{rrset}/more", "not_found"),
        ("/v2/quotas/p1/more", "not_found"),
    ],
)
def test_what_is_not_there_is_404_by_its_name(system: System, path: str, kind: str) -> None:
    admin, ids = furnished(system)
    assert is_fault(admin.ask("GET", path.format(**ids)), 404, kind)


def test_an_id_without_dashes_or_in_capitals_is_the_same(system: System) -> None:
    admin, ids = furnished(system)
    for ident in (ids["zone"].replace("-", ""), ids["zone"].upper()):
        assert admin.ask("GET", f"/v2/zones/{ident}").json["id"] == ids["zone"]


def test_the_redirect_leads_to_the_recordset_in_its_zone(system: System) -> None:
    admin, ids = furnished(system)
    answer = admin.ask("GET", f"/v2/recordsets/{ids['rrset']}")
    assert answer.headers["content-type"] == "text/plain"
    place = answer.headers["location"]
    assert place == f"http://dns.example.net/v2/zones/{ids['zone']}/recordsets/{ids['rrset']}"
    assert admin.ask("GET", place.removeprefix("http://dns.example.net")).json["id"] == ids["rrset"]


@pytest.mark.parametrize(
    ("path", "collection", "counted"),
    [
        ("/v2/zones", "zones", True),
        ("/v2/zones/{zone}/recordsets", "recordsets", True),
        ("/v2/zones/{spare}/shares", "shared_zones", False),
        ("/v2/zones/tasks/transfer_requests", "transfer_requests", False),
        ("/v2/zones/tasks/transfer_accepts", "transfer_accepts", True),
        ("/v2/recordsets", "recordsets", True),
        ("/v2/pools", "pools", False),
        ("/v2/service_statuses", "service_statuses", False),
        ("/v2/service_status", "service_statuses", False),
    ],
)
def test_a_list_has_its_envelope(system: System, path: str, collection: str, counted: bool) -> None:
    admin, ids = furnished(system)
    address = path.format(**ids)
    page = admin.ask("GET", address).json
    assert set(page) == {collection, "links"} | ({"metadata"} if counted else set())
    assert page["links"] == {"self": f"http://dns.example.net{address}"}
    if counted:
        assert page["metadata"] == {"total_count": len(page[collection])}
    for item in page[collection]:
        place = item["links"]["self"].removeprefix("http://dns.example.net")
        assert admin.ask("GET", place).json == item


@pytest.mark.parametrize("path", ["/v2/pools", "/v2/pools/{pool}", "/v2/service_statuses"])
def test_what_belongs_to_the_operator_is_forbidden_to_members(system: System, path: str) -> None:
    _, ids = furnished(system)
    answer = system.client().ask("GET", path.format(**ids))
    assert is_fault(answer, 403, "forbidden")


@pytest.mark.parametrize(
    "header",
    ["X-Auth-All-Projects", "X-Designate-Edit-Managed-Records", "X-Designate-Hard-Delete", "X-Auth-Sudo-Project-ID"],
)
def test_a_switch_without_the_right_is_a_json_403(system: System, header: str) -> None:
    assert is_fault(system.client().ask("GET", "/v2/zones", headers={header: "true"}), 403, "forbidden")
