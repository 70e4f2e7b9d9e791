# SPDX-License-Identifier: Apache-2.0
"""/v2/quotas and /v2/limits; with `?usage=true`, how much of each limit is used."""

from __future__ import annotations

import falcon

from redesignate.api.answers import Also, answers
from redesignate.api.request import Request, Resource, parse_id, send, truth
from redesignate.api.shapes.members import FLAG, ID, Member
from redesignate.api.shapes.quotas import LIMITS, QUOTA, limits
from redesignate.commands.access import CheckAccess
from redesignate.commands.quotas import GetLimits, GetQuotas, GetUsage, ResetQuotas, SetQuotas
from redesignate.model.errors import IdentityUnavailable, InvalidUUID, Problem, ZoneNotFound

_USAGE = (
    Member("usage", FLAG, "Show as well how much of each limit is used."),
    Member("zone_id", ID, "The zone whose content is counted for `usage`."),
)
_COUNT = {"type": "integer", "minimum": 0}
_WITH_USAGE = Also(QUOTA, {"usage": {"type": "object", "additionalProperties": _COUNT}})


class Quotas(Resource):
    """What a project may hold: a bare map, without links."""

    @answers(200, shows=_WITH_USAGE, arguments=_USAGE, raises=(ZoneNotFound, InvalidUUID))
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """The caller's own quotas."""
        self._show(req, resp, None)

    @answers(200, shows=_WITH_USAGE, arguments=_USAGE, raises=(ZoneNotFound, InvalidUUID))
    def on_get_one(self, req: Request, resp: falcon.Response, project_id: str) -> None:
        """A project's quotas."""
        self._show(req, resp, project_id)

    def _show(self, req: Request, resp: falcon.Response, project_id: str | None) -> None:
        limits = self.central.call(GetQuotas(caller=req.caller, project_id=project_id))
        found: dict[str, object] = dict(limits)
        asked = req.arguments()
        if truth(asked.get("usage", "")):
            zone_id = parse_id("zone_id", asked["zone_id"]) if "zone_id" in asked else None
            found["usage"] = self.central.call(GetUsage(caller=req.caller, project_id=project_id, zone_id=zone_id))
        send(resp, found)

    @answers(200, takes=QUOTA, shows=QUOTA, raises=(IdentityUnavailable,))
    def on_patch_one(self, req: Request, resp: falcon.Response, project_id: str) -> None:
        """Set some of a project's quotas, of a project that exists where the operator wants that checked."""
        asked = CheckAccess(caller=req.caller, rule="set_quota", project_id=project_id)
        try:
            wanted = QUOTA.changed(req.json(), dict)
        except Problem as fault:
            raise self.bad_body(fault, asked) from None
        if self.settings.quotas_verify_project_id:
            self.central.call(asked)  # so that keystone is asked for those alone who may set quotas
            self.authenticate.check_project(req.env, project_id)
        send(resp, self.central.call(SetQuotas(caller=req.caller, project_id=project_id, limits=wanted)))

    @answers(204)
    def on_delete_one(self, req: Request, resp: falcon.Response, project_id: str) -> None:
        """Give a project the defaults again."""
        self.central.call(ResetQuotas(caller=req.caller, project_id=project_id))
        resp.status = 204


class Limits(Resource):
    """What the caller runs into: quotas, name lengths, the size of a page."""

    @answers(200, shows=LIMITS)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """The limits of the caller's project."""
        found = self.central.call(GetLimits(caller=req.caller))
        send(resp, limits(found, self.settings.max_limit_v2))
