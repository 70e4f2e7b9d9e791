# SPDX-License-Identifier: Apache-2.0
"""/v2/blacklists: patterns of names that no zone may have."""

from __future__ import annotations

import falcon

from redesignate.api.answers import answers
from redesignate.api.paging import Listing, envelope, list_query
from redesignate.api.request import Request, Resource, parse_id, send
from redesignate.api.shapes.blacklists import BLACKLIST
from redesignate.api.shapes.members import Body
from redesignate.commands.access import CheckAccess
from redesignate.commands.blacklists import (
    CreateBlacklist,
    DeleteBlacklist,
    GetBlacklist,
    ListBlacklists,
    UpdateBlacklist,
)
from redesignate.model.errors import BlacklistNotFound, DuplicateBlacklist, InvalidOperation, Problem

BLACKLISTS = Listing("blacklists", frozenset({"pattern"}), ("created_at", "id", "updated_at", "pattern"))


class Blacklists(Resource):
    """The blacklist."""

    @answers(200, shows=BLACKLIST, listing=BLACKLISTS)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """A page of the blacklist."""
        query = list_query(req, BLACKLISTS, self.settings)
        page = self.central.call(ListBlacklists(caller=req.caller, query=query))
        send(resp, envelope(req, BLACKLISTS, query, BLACKLIST.listed(page.items, req.base), page))

    @answers(201, takes=BLACKLIST, shows=BLACKLIST, located=(201,), raises=(DuplicateBlacklist, InvalidOperation))
    def on_post(self, req: Request, resp: falcon.Response) -> None:
        """Add a pattern."""
        try:
            new = BLACKLIST.created(req.json())
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=req.caller, rule="create_blacklist")) from None
        shown = BLACKLIST.shown(self.central.call(CreateBlacklist(caller=req.caller, new=new)), req.base)
        send(resp, shown, 201, location=shown.links["self"])

    @answers(200, shows=BLACKLIST, raises=(BlacklistNotFound,))
    def on_get_one(self, req: Request, resp: falcon.Response, blacklist_id: str) -> None:
        """One pattern."""
        found = self.central.call(GetBlacklist(caller=req.caller, blacklist_id=parse_id("blacklist_id", blacklist_id)))
        send(resp, BLACKLIST.shown(found, req.base))

    @answers(200, takes=BLACKLIST, shows=BLACKLIST, raises=(BlacklistNotFound, DuplicateBlacklist, InvalidOperation))
    def on_patch_one(self, req: Request, resp: falcon.Response, blacklist_id: str) -> None:
        """Change some members of a pattern."""
        ident = parse_id("blacklist_id", blacklist_id)

        def present() -> Body:
            return BLACKLIST.compared(self.central.call(GetBlacklist(caller=req.caller, blacklist_id=ident)), req.base)

        try:
            change = BLACKLIST.changed(req.json(), present)
        except Problem as fault:
            raise self.bad_body(
                fault, CheckAccess(caller=req.caller, rule="update_blacklist", resource_id=ident)
            ) from None
        changed = self.central.call(UpdateBlacklist(caller=req.caller, blacklist_id=ident, change=change))
        send(resp, BLACKLIST.shown(changed, req.base))

    @answers(204, raises=(BlacklistNotFound,))
    def on_delete_one(self, req: Request, resp: falcon.Response, blacklist_id: str) -> None:
        """Remove a pattern."""
        self.central.call(DeleteBlacklist(caller=req.caller, blacklist_id=parse_id("blacklist_id", blacklist_id)))
        resp.status = 204
