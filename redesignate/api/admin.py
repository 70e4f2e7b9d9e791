# SPDX-License-Identifier: Apache-2.0
"""/admin: reports over all projects, quotas, and zone files; off unless the operator switches it on."""

from __future__ import annotations

from dataclasses import replace

import falcon

from redesignate.api.answers import Inside, Paged, Under, answers
from redesignate.api.exports import send_zone_file
from redesignate.api.request import ZONE_FILE, Request, Resource, parse_id, send, truth
from redesignate.api.shapes.members import FLAG, TEXT, Member, Whole
from redesignate.api.shapes.quotas import ADMIN_QUOTA, QUOTA, wrapped
from redesignate.api.shapes.reports import COUNTS, PROJECT, PROJECT_ZONES
from redesignate.commands.access import CheckAccess
from redesignate.commands.quotas import GetQuotas, ResetQuotas, SetQuotas
from redesignate.commands.reports import CountAll, GetProject, ListProjects
from redesignate.config.settings import ApiSettings
from redesignate.model.caller import Caller
from redesignate.model.errors import BadInput, Problem, ReportNotFound, ZoneNotFound
from redesignate.model.limits import MOST_LISTED

_COUNT = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}
_ONE_COUNT = {"type": "object", "properties": {"counts": {"type": "array", "items": _COUNT}}, "required": ["counts"]}
_PAGING = (
    Member("limit", Whole(1, 999_999_999), "How many a page holds, at most `max_limit_admin`."),
    Member("marker", TEXT, "The last project of the page before."),
    Member("detail", FLAG, "Show the names of their zones too."),
)
MOST_DETAILED = 50
"""Projects on a page with the names of their zones: each is a question of its own to central."""


def _over_all(caller: Caller) -> Caller:
    """The caller with the all-projects switch, which policy has to allow."""
    return replace(caller, all_projects=True)


class AdminReports(Resource):
    """Counts, and the projects that have zones."""

    @answers(200, shows=Under("counts", COUNTS))
    def on_get_counts(self, req: Request, resp: falcon.Response) -> None:
        """The counts that v2's own report has."""
        found = self.central.call(CountAll(caller=req.caller, what=("zones", "records", "tenants")))
        send(resp, {"counts": [found]})

    @answers(200, shows=_ONE_COUNT, raises=(ReportNotFound,))
    def on_get_count(self, req: Request, resp: falcon.Response, what: str) -> None:
        """One count."""
        send(resp, {"counts": [self.central.call(CountAll(caller=req.caller, what=(what,)))]})

    @answers(200, shows=Paged("tenants", (PROJECT, PROJECT_ZONES)), arguments=_PAGING)
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
            links["next"] = f"{base}?limit={limit}&marker={page[-1].quoted}" + ("&detail=yes" if detail else "")
        if detail:
            each = [GetProject(caller=req.caller, project_id=one.id, limit=MOST_LISTED) for one in page]
            shown = PROJECT_ZONES.listed([self.central.call(one) for one in each], req.base)
        else:
            shown = PROJECT.listed(page, req.base)
        send(resp, {"links": links, "metadata": {}, "tenants": shown})

    @answers(200, shows=PROJECT_ZONES)
    def on_get_project(self, req: Request, resp: falcon.Response, project_id: str) -> None:
        """One project and the names of its zones."""
        found = self.central.call(GetProject(caller=req.caller, project_id=project_id, limit=MOST_LISTED))
        send(resp, PROJECT_ZONES.shown(found, req.base))


class AdminQuotas(Resource):
    """Any project's quotas, wrapped in `quota`."""

    @answers(200, shows=Inside("quota", QUOTA))
    def on_get(self, req: Request, resp: falcon.Response, project_id: str) -> None:
        """A project's quotas."""
        send(resp, {"quota": self.central.call(GetQuotas(caller=_over_all(req.caller), project_id=project_id))})

    @answers(200, takes=Inside("quota", ADMIN_QUOTA), shows=Inside("quota", QUOTA))
    def on_patch(self, req: Request, resp: falcon.Response, project_id: str) -> None:
        """Set some of a project's quotas."""
        caller = _over_all(req.caller)
        try:
            wanted = wrapped(req.json())
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=caller, rule="set_quota", project_id=project_id)) from None
        send(resp, {"quota": self.central.call(SetQuotas(caller=caller, project_id=project_id, limits=wanted))})

    @answers(204)
    def on_delete(self, req: Request, resp: falcon.Response, project_id: str) -> None:
        """Give a project the defaults again."""
        self.central.call(ResetQuotas(caller=_over_all(req.caller), project_id=project_id))
        resp.status = 204


class AdminZones(Resource):
    """Zones of any project."""

    @answers(200, writes=(ZONE_FILE,), raises=(ZoneNotFound,))
    def on_get_export(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """A zone as a zone file, whatever its size."""
        caller = _over_all(req.caller)
        send_zone_file(self.central, caller, resp, parse_id("zone_id", zone_id), any_size=True)


def _page(asked: dict[str, str], settings: ApiSettings) -> int:
    text = asked.get("limit", str(settings.max_limit_admin))
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise BadInput(f"limit should be an integer between 1 and {settings.max_limit_admin}")
    return min(int(text), settings.max_limit_admin, MOST_LISTED)
