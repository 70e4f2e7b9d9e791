# SPDX-License-Identifier: Apache-2.0
"""/v2/service_statuses, and its older name /v2/service_status: which services run, as each last reported."""

from __future__ import annotations

import falcon

from redesignate.api.answers import answers
from redesignate.api.paging import Listing, envelope, list_query
from redesignate.api.request import Request, Resource, parse_id, send
from redesignate.api.shapes.services import SERVICE
from redesignate.commands.services import GetService, ListServices
from redesignate.model.errors import ServiceNotFound

SERVICES = Listing(
    "service_statuses",
    frozenset({"hostname", "service_name", "status"}),
    ("created_at", "id", "updated_at", "hostname", "service_name", "status"),
)


class Services(Resource):
    """Heartbeats of the services."""

    @answers(200, shows=SERVICE, listing=SERVICES)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """A page of the services."""
        query = list_query(req, SERVICES, self.settings)
        page = self.central.call(ListServices(caller=req.caller, query=query))
        send(resp, envelope(req, SERVICES, query, SERVICE.listed(page.items, req.base), page))

    @answers(200, shows=SERVICE, raises=(ServiceNotFound,))
    def on_get_one(self, req: Request, resp: falcon.Response, service_id: str) -> None:
        """One service."""
        ident = parse_id("service_id", service_id)
        found = self.central.call(GetService(caller=req.caller, service_id=ident))
        send(resp, SERVICE.shown(found, req.base))
