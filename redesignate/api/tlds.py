# SPDX-License-Identifier: Apache-2.0
"""/v2/tlds: the names below which zones may be created."""

from __future__ import annotations

import falcon

from redesignate.api.answers import answers
from redesignate.api.paging import Listing, envelope, list_query
from redesignate.api.request import Request, Resource, parse_id, send
from redesignate.api.shapes.members import Body
from redesignate.api.shapes.tlds import TLD
from redesignate.commands.access import CheckAccess
from redesignate.commands.tlds import CreateTLD, DeleteTLD, GetTLD, ListTLDs, UpdateTLD
from redesignate.model.errors import DuplicateTLD, Problem, TLDNotFound

TLDS = Listing("tlds", frozenset({"name"}), ("created_at", "id", "updated_at", "name"))


class TLDs(Resource):
    """The list of top-level domains."""

    @answers(200, shows=TLD, listing=TLDS)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """A page of the list."""
        query = list_query(req, TLDS, self.settings)
        page = self.central.call(ListTLDs(caller=req.caller, query=query))
        send(resp, envelope(req, TLDS, query, TLD.listed(page.items, req.base), page))

    @answers(201, takes=TLD, shows=TLD, located=(201,), raises=(DuplicateTLD,))
    def on_post(self, req: Request, resp: falcon.Response) -> None:
        """Add an entry."""
        try:
            new = TLD.created(req.json())
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=req.caller, rule="create_tld")) from None
        shown = TLD.shown(self.central.call(CreateTLD(caller=req.caller, new=new)), req.base)
        send(resp, shown, 201, location=shown.links["self"])

    @answers(200, shows=TLD, raises=(TLDNotFound,))
    def on_get_one(self, req: Request, resp: falcon.Response, tld_id: str) -> None:
        """One entry."""
        found = self.central.call(GetTLD(caller=req.caller, tld_id=parse_id("tld_id", tld_id)))
        send(resp, TLD.shown(found, req.base))

    @answers(200, takes=TLD, shows=TLD, raises=(TLDNotFound, DuplicateTLD))
    def on_patch_one(self, req: Request, resp: falcon.Response, tld_id: str) -> None:
        """Change some members of an entry."""
        ident = parse_id("tld_id", tld_id)

        def present() -> Body:
            return TLD.compared(self.central.call(GetTLD(caller=req.caller, tld_id=ident)), req.base)

        try:
            change = TLD.changed(req.json(), present)
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=req.caller, rule="update_tld", resource_id=ident)) from None
        changed = self.central.call(UpdateTLD(caller=req.caller, tld_id=ident, change=change))
        send(resp, TLD.shown(changed, req.base))

    @answers(204, raises=(TLDNotFound,))
    def on_delete_one(self, req: Request, resp: falcon.Response, tld_id: str) -> None:
        """Remove an entry."""
        self.central.call(DeleteTLD(caller=req.caller, tld_id=parse_id("tld_id", tld_id)))
        resp.status = 204
