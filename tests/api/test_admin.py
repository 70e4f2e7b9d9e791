# SPDX-License-Identifier: Apache-2.0
"""The admin API behind its switch: reports, quotas and zone files of all projects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from redesignate.api.routes import ADMIN
from redesignate.config.settings import ApiSettings, CentralSettings
from tests.api.client import is_fault
from tests.api.conftest import WHOLE, System, _system

NOWHERE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
PATHS = [route.path.format(what="zones", project_id="p1", zone_id=NOWHERE) for part in ADMIN.values() for route in part]


@pytest.fixture
def admin(empty_database: Path, tmp_path: Path) -> Iterator[System]:
    """A system with the whole admin API, and two projects with zones."""
    made = _system(empty_database, tmp_path, CentralSettings(), WHOLE)
    for project, count in (("p1", 3), ("p2", 1)):
        for n in range(count):
            body = {"name": f"z{n}.{project}.example.", "email": "a@example.org"}
            zone = made.client(project).ask("POST", "/v2/zones", body).json["id"]
    made.client("p2").ask(
        "POST", f"/v2/zones/{zone}/recordsets", {"name": "www.z0.p2.example.", "type": "A", "records": ["192.0.2.1"]}
    )
    yield made
    made.store.close()


@pytest.mark.parametrize("path", PATHS)
def test_without_its_switch_nothing_of_it_is_there(system: System, path: str) -> None:
    answer = system.client(roles="admin").ask("GET", path)
    assert (answer.status, answer.content) == (404, b"")


def test_a_part_that_is_not_enabled_is_not_there(empty_database: Path, tmp_path: Path) -> None:
    settings = ApiSettings(healthcheck_disable_file=None, enable_api_admin=True, enabled_extensions_admin=("quotas",))
    made = _system(empty_database, tmp_path, CentralSettings(), settings)
    assert made.client(roles="admin").ask("GET", "/admin/quotas/p1").status == 200
    assert is_fault(made.client(roles="admin").ask("GET", "/admin/reports/counts"), 404, "not_found")
    made.store.close()


@pytest.mark.parametrize("path", PATHS)
def test_it_is_for_administrators(admin: System, path: str) -> None:
    assert is_fault(admin.client().ask("GET", path), 403, "forbidden")


def test_counts_are_of_the_callers_project_or_of_all(admin: System) -> None:
    own = admin.client("p2", roles="admin")
    assert own.ask("GET", "/admin/reports/counts").json == {"counts": [{"zones": 1, "records": 1, "tenants": 1}]}
    every = admin.client("p2", roles="admin", **{"X-Auth-All-Projects": "1"})
    assert every.ask("GET", "/admin/reports/counts").json == {"counts": [{"zones": 4, "records": 1, "tenants": 2}]}
    for what, count in (("zones", 4), ("records", 1), ("tenants", 2), ("zones_delayed_notify", 4)):
        assert every.ask("GET", f"/admin/reports/counts/{what}").json == {"counts": [{what: count}]}
    assert own.ask("GET", "/admin/reports/counts/zones_delayed_notify").json["counts"][0]["zones_delayed_notify"] == 1
    admin.serve()
    assert every.ask("GET", "/admin/reports/counts/zones_delayed_notify").json["counts"][0] == {
        "zones_delayed_notify": 0
    }
    assert is_fault(own.ask("GET", "/admin/reports/counts/nothing"), 404, "report_not_found")


def test_projects_are_listed_page_by_page(admin: System) -> None:
    client = admin.client("p9", roles="admin")
    first = client.ask("GET", "/admin/reports/tenants?limit=1").json
    assert [(one["id"], one["zone_count"]) for one in first["tenants"]] == [("p1", 3)]
    second = client.ask("GET", first["links"]["next"].removeprefix("http://dns.example.net")).json
    assert [one["id"] for one in second["tenants"]] == ["p2"]
    detailed = client.ask("GET", "/admin/reports/tenants?detail=yes").json["tenants"]
    assert detailed[0]["zones"] == [f"z{n}.p1.example." for n in range(3)]
    alone = client.ask("GET", "/admin/reports/tenants/p2").json
    assert alone == detailed[1]
    assert alone["zones_count"] == 1
    assert client.ask("GET", "/admin/reports/tenants?marker=%00").status == 400
    for limit in ("0", "-1", "x", "1" * 30):
        assert client.ask("GET", f"/admin/reports/tenants?limit={limit}").status == 400
    assert is_fault(client.ask("GET", "/admin/reports/tenants/" + "x" * 37), 400, "invalid_project")


def test_quotas_of_any_project_are_wrapped(admin: System) -> None:
    client = admin.client("p9", roles="admin")
    assert client.ask("GET", "/admin/quotas/p1").json["quota"]["zones"] == 10
    assert client.ask("PATCH", "/admin/quotas/p1", {"quota": {"zones": 12}}).json["quota"]["zones"] == 12
    for body in (
        {"quota": {"zones": -1}},
        {"quota": {"nothing": 1}},
        {"zones": 1},
        {"quota": 1},
        {"quota": {}, "x": 1},
    ):
        assert is_fault(client.ask("PATCH", "/admin/quotas/p1", body), 400, "invalid_object")
    answer = client.ask(
        "PATCH", "/admin/quotas/p1", {"quota": {"zones": -1, "nothing": 1, "zone_records": "9"}, "x": 1}
    )
    assert [(one["path"], one["validator"]) for one in answer.json["errors"]["errors"]] == [
        ([], "additionalProperties"),
        (["quota"], "additionalProperties"),
        (["quota", "zones"], "type"),
    ]
    assert client.ask("DELETE", "/admin/quotas/p1").status == 204
    assert client.ask("GET", "/admin/quotas/p1").json["quota"]["zones"] == 10


def test_a_zone_file_of_any_project_is_read_whatever_its_size(admin: System) -> None:
    owner, client = admin.client("p2"), admin.client("p9", roles="admin")
    zone = owner.ask("GET", "/v2/zones").json["zones"][0]["id"]
    assert client.ask("PATCH", "/admin/quotas/p2", {"quota": {"api_export_size": 1}}).status == 200
    assert is_fault(owner.ask("GET", f"/v2/zones/{zone}", headers={"Accept": "text/dns"}), 413, "over_quota")
    answer = client.ask("GET", f"/admin/zones/export/{zone}", headers={"Accept": "text/dns"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/dns; charset=UTF-8"
    assert b"192.0.2.1" in answer.content
    assert is_fault(client.ask("GET", f"/admin/zones/export/{NOWHERE}"), 404, "zone_not_found")
