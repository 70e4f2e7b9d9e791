# SPDX-License-Identifier: Apache-2.0
"""/admin: reports over all projects, quotas, and zone files; off unless the operator switches it on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

import falcon

from redesignate.api.exports import send_zone_file
from redesignate.api.request import Request, Resource, parse_id, send, truth
from redesignate.api.shapes.members import Whole, json_type, refuse
from redesignate.commands.access import CheckAccess
from redesignate.commands.quotas import GetQuotas, ResetQuotas, SetQuotas
from redesignate.commands.reports import CountAll, GetProject, ListProjects, ProjectReport
from redesignate.config.settings import ApiSettings
from redesignate.model.caller import Caller
from redesignate.model.errors import BadInput, Problem
from redesignate.model.limits import INT32_MAX, MOST_LISTED

_LIMIT = Whole(0, INT32_MAX)
MOST_DETAILED = 50
"""Projects on a page with the names of their zones: each is a question of its own to central."""


def _over_all(caller: Caller) -> Caller:
    """The caller with the all-projects switch, which policy has to allow."""
    return replace(caller, all_projects=True)


class AdminReports(Resource):
    """Counts, and the projects that have zones."""

    def on_get_counts(self, req: Request, resp: falcon.Response) -> None:
        """The counts that v2's own report has."""
        found = self.central.call(CountAll(caller=req.caller, what=("zones", "records", "tenants")))
        send(resp, {"counts": [found]})

    def on_get_count(self, req: Request, resp: falcon.Response, what: str) -> None:
        """One count."""
        send(resp, {"counts": [self.central.call(CountAll(caller=req.caller, what=(what,)))]})

    def on_get_projects(self, req: Request, resp: falcon.Response) -> None:
        """A page of the projects that have zones, in the order of ids; with `detail`, the names of their zones too."""
        asked = req.arguments()
        detail = truth(asked.get("detail", ""))
        limit, after = (
            min(_page(asked, self.settings), MOST_DETAILED if detail else MOST_LISTED),
            asked.get("marker", ""),
        )
        page = self.central.call(ListProjects(caller=req.caller, limit=limit, after=after))
        base = f"{req.base}/admin/reports/tenants"
        links = {"self": base}
        if len(page) == limit:
            links["next"] = f"{base}?limit={limit}&marker={quote(page[-1].id, safe='')}" + (
                "&detail=yes" if detail else ""
            )
        if detail:
            each = [GetProject(caller=req.caller, project_id=one.id, limit=MOST_LISTED) for one in page]
            shown = [_shown(self.central.call(one), base) for one in each]
        else:
            shown = [{"id": one.id, "zone_count": one.zone_count, "links": _self(base, one)} for one in page]
        send(resp, {"links": links, "metadata": {}, "tenants": shown})

    def on_get_project(self, req: Request, resp: falcon.Response, project_id: str) -> None:
        """One project and the names of its zones."""
        found = self.central.call(GetProject(caller=req.caller, project_id=project_id, limit=MOST_LISTED))
        send(resp, _shown(found, f"{req.base}/admin/reports/tenants"))


class AdminQuotas(Resource):
    """Any project's quotas, wrapped in `quota`."""

    def on_get(self, req: Request, resp: falcon.Response, project_id: str) -> None:
        """A project's quotas."""
        send(resp, {"quota": self.central.call(GetQuotas(caller=_over_all(req.caller), project_id=project_id))})

    def on_patch(self, req: Request, resp: falcon.Response, project_id: str) -> None:
        """Set some of a project's quotas."""
        caller = _over_all(req.caller)
        try:
            wanted = _quota(req.json())
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=caller, rule="set_quota", project_id=project_id)) from None
        send(resp, {"quota": self.central.call(SetQuotas(caller=caller, project_id=project_id, limits=wanted))})

    def on_delete(self, req: Request, resp: falcon.Response, project_id: str) -> None:
        """Give a project the defaults again."""
        self.central.call(ResetQuotas(caller=_over_all(req.caller), project_id=project_id))
        resp.status = 204


class AdminZones(Resource):
    """Zones of any project."""

    def on_get_export(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """A zone as a zone file, whatever its size."""
        caller = _over_all(req.caller)
        send_zone_file(self.central, caller, resp, parse_id("zone_id", zone_id), any_size=True)


ADMIN: dict[str, tuple[tuple[str, type[Resource], str | None], ...]] = {
    "reports": (
        ("/admin/reports/counts", AdminReports, "counts"),
        ("/admin/reports/counts/{what}", AdminReports, "count"),
        ("/admin/reports/tenants", AdminReports, "projects"),
        ("/admin/reports/tenants/{project_id}", AdminReports, "project"),
    ),
    "quotas": (("/admin/quotas/{project_id}", AdminQuotas, None),),
    "zones": (("/admin/zones/export/{zone_id}", AdminZones, "export"),),
}
"""The paths of each name in `enabled_extensions_admin`."""


def _page(asked: dict[str, str], settings: ApiSettings) -> int:
    text = asked.get("limit", str(settings.max_limit_admin))
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise BadInput(f"limit should be an integer between 1 and {settings.max_limit_admin}")
    return min(int(text), settings.max_limit_admin, MOST_LISTED)


def _quota(body: dict[str, Any]) -> dict[str, int]:
    given = body.get("quota")
    if not isinstance(given, dict) or body.keys() != {"quota"}:
        raise refuse(f"the body must have the member quota, an object, and no other, not {json_type(given)}")
    return {name: _LIMIT.read(f"quota.{name[:40]}", value) for name, value in given.items()}


def _shown(one: ProjectReport, base: str) -> dict[str, object]:
    return {"id": one.id, "zones_count": one.zone_count, "zones": one.zones, "links": _self(base, one)}


def _self(base: str, one: ProjectReport) -> dict[str, str]:
    return {"self": f"{base}/{one.id}"}
