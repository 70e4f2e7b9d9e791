# SPDX-License-Identifier: Apache-2.0
"""/v2/tsigkeys: the keys that sign transfers and NOTIFYs. Answers hold the secrets."""

from __future__ import annotations

import falcon

from redesignate.api.answers import answers
from redesignate.api.paging import Listing, envelope, list_query
from redesignate.api.request import Request, Resource, parse_id, send
from redesignate.api.shapes.members import Body, refuse
from redesignate.api.shapes.tsigkeys import TSIGKEY
from redesignate.commands.access import CheckAccess
from redesignate.commands.tsigkeys import CreateTSIGKey, DeleteTSIGKey, GetTSIGKey, ListTSIGKeys, UpdateTSIGKey
from redesignate.model.errors import DuplicateTSIGKey, InvalidTSIGKey, Problem, TSIGKeyNotFound

TSIGKEYS = Listing("tsigkeys", frozenset({"name", "algorithm", "scope"}), ("created_at", "id", "updated_at", "name"))


class TSIGKeys(Resource):
    """The TSIG keys."""

    @answers(200, shows=TSIGKEY, listing=TSIGKEYS)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """A page of the keys."""
        query = list_query(req, TSIGKEYS, self.settings)
        page = self.central.call(ListTSIGKeys(caller=req.caller, query=query))
        send(resp, envelope(req, TSIGKEYS, query, TSIGKEY.listed(page.items, req.base), page))

    @answers(201, takes=TSIGKEY, shows=TSIGKEY, located=(201,), raises=(DuplicateTSIGKey, InvalidTSIGKey))
    def on_post(self, req: Request, resp: falcon.Response) -> None:
        """Add a key."""
        try:
            new = TSIGKEY.created(self._body(req))
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=req.caller, rule="create_tsigkey")) from None
        shown = TSIGKEY.shown(self.central.call(CreateTSIGKey(caller=req.caller, new=new)), req.base)
        send(resp, shown, 201, location=shown.links["self"])

    @answers(200, shows=TSIGKEY, raises=(TSIGKeyNotFound,))
    def on_get_one(self, req: Request, resp: falcon.Response, tsigkey_id: str) -> None:
        """One key."""
        found = self.central.call(GetTSIGKey(caller=req.caller, key_id=parse_id("tsigkey_id", tsigkey_id)))
        send(resp, TSIGKEY.shown(found, req.base))

    @answers(200, takes=TSIGKEY, shows=TSIGKEY, raises=(TSIGKeyNotFound, DuplicateTSIGKey, InvalidTSIGKey))
    def on_patch_one(self, req: Request, resp: falcon.Response, tsigkey_id: str) -> None:
        """Change some members of a key."""
        ident = parse_id("tsigkey_id", tsigkey_id)

        def present() -> Body:
            return TSIGKEY.compared(self.central.call(GetTSIGKey(caller=req.caller, key_id=ident)), req.base)

        try:
            change = TSIGKEY.changed(self._body(req), present)
        except Problem as fault:
            asked = CheckAccess(caller=req.caller, rule="update_tsigkey", resource_id=ident)
            raise self.bad_body(fault, asked) from None
        changed = self.central.call(UpdateTSIGKey(caller=req.caller, key_id=ident, change=change))
        send(resp, TSIGKEY.shown(changed, req.base))

    @answers(204, raises=(TSIGKeyNotFound,))
    def on_delete_one(self, req: Request, resp: falcon.Response, tsigkey_id: str) -> None:
        """Remove a key."""
        self.central.call(DeleteTSIGKey(caller=req.caller, key_id=parse_id("tsigkey_id", tsigkey_id)))
        resp.status = 204

    def _body(self, req: Request) -> Body:
        body = req.json()
        if body.get("secret") == "" and not self.settings.allow_empty_secrets_for_tsig:
            raise refuse("secret must not be empty; leave it out to have one generated")
        return body
