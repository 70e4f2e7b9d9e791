# SPDX-License-Identifier: Apache-2.0
"""Each route by each verb, asked by each kind of caller about things of one project: a route without its row is red.

The rows are the table of what callers may do; the callers are its columns. Every cell is asked of a system of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from redesignate.api.routes import ALL
from redesignate.commands.services import Heartbeat, ListServices
from redesignate.config.settings import DEFAULT_POOL_ID, CentralSettings
from redesignate.model.caller import operator
from redesignate.model.paging import ListQuery
from redesignate.model.service import ServiceState
from tests.api.client import Answer, is_fault
from tests.api.conftest import PLENTY, WHOLE, System

NOWHERE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
CALLERS = {
    "owner": ("p1", "member,reader"),
    "reader": ("p1", "reader"),
    "nobody": ("p1", "guest"),
    "sharee": ("p4", "member,reader"),
    "stranger": ("p2", "member,reader"),
    "strange admin": ("p2", "admin,member,reader"),
    "all projects": ("p2", "admin,member,reader"),
}
"""Project and roles. `sharee`: the zone is shared with it; the last sets the switch, which it may."""
STRANGERS = ("stranger", "strange admin")
SWITCHES: tuple[dict[str, str], ...] = (
    {"X-Auth-All-Projects": "true"},
    {"X-Auth-Sudo-Project-ID": "p4"},
    {"X-Auth-Sudo-Tenant-ID": "p4"},
    {"X-Designate-Edit-Managed-Records": "true"},
    {"X-Designate-Hard-Delete": "true"},
)
QUERIES = ("all_projects=true", "all_tenants=true", "edit_managed_records=true")
BODIES: dict[str, Any] = {
    "POST /v2/zones": {"name": "new.example.", "email": "a@new.example"},
    "PATCH /v2/zones/{zone_id}": {"ttl": 60},
    "POST /v2/zones/{zone_id}/tasks/pool_move": {},
    "POST /v2/zones/{zone_id}/recordsets": {"name": "n.example.org.", "type": "A", "records": ["192.0.2.1"]},
    "PUT /v2/zones/{zone_id}/recordsets": {"records": ["192.0.2.1"]},
    "PUT /v2/zones/{zone_id}/recordsets/{recordset_id}": {"ttl": 60},
    "POST /v2/zones/{zone_id}/shares": {"target_project_id": "p9"},
    "POST /v2/zones/tasks/imports": {"zonefile": "$ORIGIN example.net."},
    "POST /v2/zones/{zone_id}/tasks/transfer_requests": {},
    "PATCH /v2/zones/tasks/transfer_requests/{request_id}": {"description": "x"},
    "POST /v2/zones/tasks/transfer_accepts": {"key": "K", "zone_transfer_request_id": NOWHERE},
    "PATCH /v2/quotas/{project_id}": {"zones": 5},
    "PATCH /admin/quotas/{project_id}": {"quota": {"zones": 5}},
    "POST /v2/tlds": {"name": "net"},
    "PATCH /v2/tlds/{tld_id}": {"description": "x"},
    "POST /v2/blacklists": {"pattern": "other"},
    "PATCH /v2/blacklists/{blacklist_id}": {"description": "x"},
    "POST /v2/tsigkeys": {
        "name": "k",
        "algorithm": "hmac-sha256",
        "scope": "POOL",
        "resource_id": DEFAULT_POOL_ID,
    },
    "PATCH /v2/tsigkeys/{tsigkey_id}": {"name": "l"},
    "POST /v2/pools": {"name": "other"},
    "PATCH /v2/pools/{pool_id}": {"description": "x"},
}
QUERY = {"PUT /v2/zones/{zone_id}/recordsets": "?name=n.example.org.&type=A"}
ROWS = {
    # owner reader nobody sharee stranger, admin of another project, the same with all projects
    "GET /v2/zones": "200 200 403 200 200 200 200",
    "POST /v2/zones": "202 403 403 202 202 202 202",
    "GET /v2/zones/{zone_id}": "200 200 403 200 404 404 200",
    "PATCH /v2/zones/{zone_id}": "202 403 403 403 404 404 202",
    "DELETE /v2/zones/{zone_id}": "400 403 403 403 404 404 400",
    "GET /v2/zones/{zone_id}/nameservers": "200 200 403 403 404 404 200",
    "GET /v2/zones/{zone_id}/peers": "200 200 403 403 404 404 200",
    "POST /v2/zones/{zone_id}/tasks/xfr": "400 403 403 403 404 404 400",
    "POST /v2/zones/{zone_id}/tasks/export": "202 403 403 403 404 404 202",
    "POST /v2/zones/{zone_id}/tasks/transfer_requests": "409 403 403 403 404 404 409",
    "GET /v2/zones/tasks/transfer_requests": "200 200 200 200 200 200 200",
    "GET /v2/zones/tasks/transfer_requests/{request_id}": "200 403 403 200 403 200 200",
    "PATCH /v2/zones/tasks/transfer_requests/{request_id}": "200 403 403 403 403 200 200",
    "DELETE /v2/zones/tasks/transfer_requests/{request_id}": "204 403 403 403 403 204 204",
    "GET /v2/zones/tasks/transfer_accepts": "403 403 403 403 403 200 200",
    "POST /v2/zones/tasks/transfer_accepts": "404 404 404 404 404 404 404",
    "GET /v2/zones/tasks/transfer_accepts/{accept_id}": "200 200 403 404 404 404 200",
    "GET /v2/zones/tasks/imports": "200 200 403 200 200 200 200",
    "POST /v2/zones/tasks/imports": "202 403 403 202 202 202 202",
    "GET /v2/zones/tasks/imports/{import_id}": "200 200 403 404 404 404 200",
    "DELETE /v2/zones/tasks/imports/{import_id}": "204 403 403 404 404 404 204",
    "GET /v2/zones/tasks/exports": "200 200 403 200 200 200 200",
    "GET /v2/zones/tasks/exports/{export_id}": "200 200 403 404 404 404 200",
    "DELETE /v2/zones/tasks/exports/{export_id}": "204 403 403 404 404 404 204",
    "GET /v2/zones/tasks/exports/{export_id}/export": "200 403 403 404 404 404 200",
    "GET /v2/zones/tasks/export": "200 200 403 200 200 200 200",
    "GET /v2/zones/tasks/export/{export_id}": "200 200 403 404 404 404 200",
    "DELETE /v2/zones/tasks/export/{export_id}": "204 403 403 404 404 404 204",
    "GET /v2/zones/tasks/export/{export_id}/export": "200 403 403 404 404 404 200",
    "POST /v2/zones/{zone_id}/tasks/abandon": "403 403 403 403 404 404 400",
    "POST /v2/zones/{zone_id}/tasks/pool_move": "403 403 403 403 404 404 400",
    "GET /v2/zones/{zone_id}/moves": "403 403 403 403 404 404 200",
    "GET /v2/zones/{zone_id}/recordsets": "200 200 403 200 404 404 200",
    "POST /v2/zones/{zone_id}/recordsets": "202 403 403 202 404 404 202",
    "PUT /v2/zones/{zone_id}/recordsets": "201 403 403 201 404 404 201",
    "GET /v2/zones/{zone_id}/recordsets/{recordset_id}": "200 200 403 200 404 404 200",
    "PUT /v2/zones/{zone_id}/recordsets/{recordset_id}": "202 403 403 403 404 404 202",
    "DELETE /v2/zones/{zone_id}/recordsets/{recordset_id}": "202 403 403 403 404 404 202",
    "GET /v2/zones/{zone_id}/shares": "200 403 403 200 404 404 200",
    "POST /v2/zones/{zone_id}/shares": "201 403 403 403 404 404 201",
    "GET /v2/zones/{zone_id}/shares/{share_id}": "200 403 403 403 404 404 200",
    "DELETE /v2/zones/{zone_id}/shares/{share_id}": "204 403 403 403 404 404 204",
    "GET /v2/recordsets": "200 200 403 200 200 200 200",
    "GET /v2/recordsets/{recordset_id}": "301 301 403 301 404 404 301",
    "GET /v2/quotas": "200 200 403 200 200 200 200",
    "GET /v2/quotas/{project_id}": "200 200 403 403 403 403 200",
    "PATCH /v2/quotas/{project_id}": "403 403 403 403 403 403 200",
    "DELETE /v2/quotas/{project_id}": "403 403 403 403 403 204 204",
    "GET /v2/limits": "200 200 200 200 200 200 200",
    "GET /v2/tlds": "403 403 403 403 403 200 200",
    "POST /v2/tlds": "403 403 403 403 403 201 201",
    "GET /v2/tlds/{tld_id}": "403 403 403 403 403 200 200",
    "PATCH /v2/tlds/{tld_id}": "403 403 403 403 403 200 200",
    "DELETE /v2/tlds/{tld_id}": "403 403 403 403 403 204 204",
    "GET /v2/blacklists": "403 403 403 403 403 200 200",
    "POST /v2/blacklists": "403 403 403 403 403 201 201",
    "GET /v2/blacklists/{blacklist_id}": "403 403 403 403 403 200 200",
    "PATCH /v2/blacklists/{blacklist_id}": "403 403 403 403 403 200 200",
    "DELETE /v2/blacklists/{blacklist_id}": "403 403 403 403 403 204 204",
    "GET /v2/tsigkeys": "403 403 403 403 403 200 200",
    "POST /v2/tsigkeys": "403 403 403 403 403 201 201",
    "GET /v2/tsigkeys/{tsigkey_id}": "403 403 403 403 403 200 200",
    "PATCH /v2/tsigkeys/{tsigkey_id}": "403 403 403 403 403 200 200",
    "DELETE /v2/tsigkeys/{tsigkey_id}": "403 403 403 403 403 204 204",
    "GET /v2/pools": "403 403 403 403 403 200 200",
    "POST /v2/pools": "403 403 403 403 403 201 201",
    "GET /v2/pools/{pool_id}": "403 403 403 403 403 200 200",
    "PATCH /v2/pools/{pool_id}": "403 403 403 403 403 202 202",
    "DELETE /v2/pools/{pool_id}": "403 403 403 403 403 204 204",
    "GET /v2/pools/{pool_id}/progress": "403 403 403 403 403 200 200",
    "GET /v2/service_statuses": "403 403 403 403 403 200 200",
    "GET /v2/service_statuses/{service_id}": "403 403 403 403 403 200 200",
    "GET /v2/service_status": "403 403 403 403 403 200 200",
    "GET /v2/service_status/{service_id}": "403 403 403 403 403 200 200",
    "GET /admin/reports/counts": "403 403 403 403 403 200 200",
    "GET /admin/reports/counts/{what}": "403 403 403 403 403 200 200",
    "GET /admin/reports/tenants": "403 403 403 403 403 200 200",
    "GET /admin/reports/tenants/{project_id}": "403 403 403 403 403 200 200",
    "GET /admin/quotas/{project_id}": "403 403 403 403 403 200 200",
    "PATCH /admin/quotas/{project_id}": "403 403 403 403 403 200 200",
    "DELETE /admin/quotas/{project_id}": "403 403 403 403 403 204 204",
    "GET /admin/zones/export/{zone_id}": "403 403 403 403 403 200 200",
}
"""The status of each answer. The zone is shared, so that DELETE is 400. 404: the caller may not know what is there."""
OWNED = ("zone_id", "recordset_id", "export_id", "import_id", "share_id", "request_id", "accept_id")


_REQUEST = "/v2/zones/tasks/transfer_requests/{request_id}"
SEEN = {(f"{verb} {_REQUEST}", "strange admin") for verb in ("GET", "PATCH")}
"""Where policy alone decides, which lets an admin of any project."""


class Template(NamedTuple):
    """A database with one of everything of p1's, and a zone of p2's; ids by the routes' names for them."""

    database: Path
    ids: Mapping[str, str]
    theirs: str


@pytest.fixture(scope="module")
def template(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Template:
    database = tmp_path_factory.mktemp("isolation") / "one.sqlite"
    shutil.copy(empty_database, database)
    system = _system(database)
    owner = system.client(roles="admin,member,reader")

    def made(path: str, body: Any = None) -> str:
        found: str = owner.ask("POST", f"/v2/{path}", body).json["id"]
        return found

    def accepted() -> str:
        """A zone that another project gave us."""
        giver = system.client("p5")
        given = giver.ask("POST", "/v2/zones", {"name": "given.example.", "email": "a@example.org"}).json["id"]
        request = giver.ask("POST", f"/v2/zones/{given}/tasks/transfer_requests", {}).json
        return made("zones/tasks/transfer_accepts", {"key": request["key"], "zone_transfer_request_id": request["id"]})

    zone = made("zones", {"name": "example.org.", "email": "a@example.org"})
    ids = {
        "zone_id": zone,
        "recordset_id": made(
            f"zones/{zone}/recordsets", {"name": "w.example.org.", "type": "A", "records": ["192.0.2.1"]}
        ),
        "export_id": made(f"zones/{zone}/tasks/export"),
        "import_id": made("zones/tasks/imports", {"zonefile": "$ORIGIN example.com."}),
        "request_id": made(f"zones/{zone}/tasks/transfer_requests", {"target_project_id": "p4"}),
        "accept_id": accepted(),
        "share_id": made(f"zones/{zone}/shares", {"target_project_id": "p4"}),
        "tld_id": made("tlds", {"name": "example"}),
        "blacklist_id": made("blacklists", {"pattern": "acme"}),
        "tsigkey_id": made("tsigkeys", BODIES["POST /v2/tsigkeys"] | {"name": "first"}),
        "pool_id": made("pools", {"name": "free"}),
        "project_id": "p1",
        "what": "zones",
    }
    owner.ask("DELETE", f"/v2/tlds/{made('tlds', {'name': 'org'})}")
    their = (
        system.client("p2").ask("POST", "/v2/zones", {"name": "their.example.", "email": "a@example.org"}).json["id"]
    )
    system.central.call(Heartbeat(service_name="worker", hostname="h1", status=ServiceState.UP))
    found = system.central.call(ListServices(caller=operator("req-x"), query=ListQuery()))
    system.store.close()
    return Template(database, {**ids, "service_id": found.items[0].id}, their)


def _system(database: Path) -> System:
    return System(database, WHOLE, CentralSettings(quotas=PLENTY))


class Callers:
    """Ask questions of copies of the template."""

    def __init__(self, template: Template, folder: Path) -> None:
        self._template, self._folder = template, folder
        self._systems: list[System] = []

    def fresh(self) -> Callers:
        """From now on, a copy that nobody has changed."""
        copy = self._folder / f"{len(self._systems)}.sqlite"
        shutil.copy(self._template.database, copy)
        self._systems.append(_system(copy))
        return self

    def ask(self, row: str, caller: str, *, query: str = "", headers: Any = None, **ids: str) -> Answer:
        """One row's question. `ids`: others than the template's."""
        verb, path = row.split(" ", 1)
        project, roles = CALLERS[caller]
        address = path.format(**{**self._template.ids, **ids}) + QUERY.get(row, "")
        address += ("&" if "?" in address else "?") + query if query else ""
        on = {"X-Auth-All-Projects": "true"} if caller == "all projects" else {}
        client = self._systems[-1].client(project, roles, **on)
        return client.ask(verb, address, BODIES.get(row), headers=headers)

    def close(self) -> None:
        for system in self._systems:
            system.store.close()


@pytest.fixture
def callers(template: Template, tmp_path: Path) -> Iterator[Callers]:
    made = Callers(template, tmp_path)
    yield made.fresh()
    made.close()


def said(answer: Answer) -> Any:
    """What a caller learns from a failure."""
    return answer.status, {name: value for name, value in answer.json.items() if name != "request_id"}


each_row = pytest.mark.parametrize("row", ROWS)


def test_every_verb_of_every_route_has_its_row() -> None:
    assert set(ROWS) == {f"{verb} {route.path}" for route in ALL for verb in route.verbs}


@each_row
def test_each_caller_gets_what_its_column_says_and_no_stranger_an_id(
    callers: Callers, template: Template, row: str
) -> None:
    found = {}
    for caller in CALLERS:
        answer = callers.fresh().ask(row, caller)
        found[caller] = answer.status
        if caller in STRANGERS and (row, caller) not in SEEN:
            content = answer.content.decode()
            assert not [name for name in OWNED if template.ids[name] in content], caller
    assert found == dict(zip(CALLERS, map(int, ROWS[row].split()), strict=True))


@pytest.mark.parametrize("row", [row for row, cells in ROWS.items() if "404" in cells])
def test_what_a_caller_may_not_know_of_is_as_if_it_were_nowhere(callers: Callers, row: str) -> None:
    nowhere = dict.fromkeys(OWNED, NOWHERE)
    for caller, status in zip(CALLERS, ROWS[row].split(), strict=True):
        if status == "404":
            assert said(callers.ask(row, caller)) == said(callers.ask(row, caller, **nowhere)), caller


@pytest.mark.parametrize("row", [row for row in ROWS if row.count("{") > 1])
def test_a_zone_of_ones_own_leads_to_no_other_projects_things(callers: Callers, template: Template, row: str) -> None:
    for caller in (*STRANGERS, "all projects"):
        assert callers.ask(row, caller, zone_id=template.theirs).status == 404, caller


@each_row
def test_a_switch_without_its_right_is_refused_whatever_is_asked(callers: Callers, row: str) -> None:
    for caller in ("owner", "stranger"):
        for headers in SWITCHES:
            assert is_fault(callers.ask(row, caller, headers=headers), 403, "forbidden"), headers
        for query in QUERIES:
            assert is_fault(callers.ask(row, caller, query=query), 403, "forbidden"), query


def test_to_act_as_ones_own_project_takes_no_right_and_gives_none(callers: Callers) -> None:
    for caller, own, status in (("owner", "p1", 200), ("reader", "p1", 200), ("stranger", "p2", 404)):
        for header in ("X-Auth-Sudo-Project-ID", "X-Auth-Sudo-Tenant-ID"):
            assert callers.ask("GET /v2/zones/{zone_id}", caller, headers={header: own}).status == status
    assert callers.ask("PATCH /v2/zones/{zone_id}", "reader", headers={"X-Auth-Sudo-Project-ID": "p1"}).status == 403


@pytest.mark.parametrize("row", [row for row in ROWS if row.startswith("GET /v2/") and "{zone_id}" in row])
def test_whoever_may_act_as_a_project_sees_what_it_sees(callers: Callers, row: str) -> None:
    for headers in (
        {"X-Auth-Sudo-Project-ID": "p1"},
        {"X-Auth-Sudo-Tenant-ID": "p1"},
        {"X-Auth-Sudo-Project-ID": "p1", "X-Auth-Sudo-Tenant-ID": "p2"},
    ):
        assert callers.ask(row, "strange admin", headers=headers).status == 200, headers
    headers = {"X-Auth-Sudo-Project-ID": "p2", "X-Auth-Sudo-Tenant-ID": "p1"}
    assert callers.ask(row, "strange admin", headers=headers).status == 404


def test_lists_hold_what_is_the_callers(callers: Callers, template: Template) -> None:
    """A zone is in the lists of its project, of those that it is shared with, and of whoever asks for all projects."""
    seen = {
        caller: template.ids["zone_id"] in callers.ask("GET /v2/zones", caller).content.decode()
        for caller in CALLERS
        if caller != "nobody"
    }
    assert [caller for caller, sees in seen.items() if sees] == ["owner", "reader", "sharee", "all projects"]
