# SPDX-License-Identifier: Apache-2.0
"""/v2/pools: pools without the servers behind them, which `redesignate manage pool update` writes."""

from __future__ import annotations

import falcon

from redesignate.api.answers import answers
from redesignate.api.paging import Listing, envelope, list_query
from redesignate.api.request import Request, Resource, parse_id, send
from redesignate.api.shapes.members import Body
from redesignate.api.shapes.pools import POOL, REACH
from redesignate.commands.access import CheckAccess
from redesignate.commands.pools import CreatePool, DeletePool, GetPool, GetPoolReach, ListPools, UpdatePool
from redesignate.model.errors import (
    DuplicateNSRecord,
    DuplicatePool,
    InvalidOperation,
    LastServerKept,
    PoolNotFound,
    Problem,
)

POOLS = Listing("pools", frozenset({"name"}), ("created_at", "id", "updated_at", "name"))


class Pools(Resource):
    """Sets of nameservers, as far as the API shows them."""

    @answers(200, shows=POOL, listing=POOLS)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """A page of the pools."""
        query = list_query(req, POOLS, self.settings)
        page = self.central.call(ListPools(caller=req.caller, query=query))
        send(resp, envelope(req, POOLS, query, POOL.listed(page.items, req.base), page))

    @answers(201, takes=POOL, shows=POOL, located=(201,), raises=(DuplicatePool, DuplicateNSRecord))
    def on_post(self, req: Request, resp: falcon.Response) -> None:
        """Make a pool, without servers."""
        try:
            new = POOL.created(req.json())
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=req.caller, rule="create_pool")) from None
        shown = POOL.shown(self.central.call(CreatePool(caller=req.caller, new=new)), req.base)
        send(resp, shown, 201, location=shown.links["self"])

    @answers(200, shows=POOL, raises=(PoolNotFound,))
    def on_get_one(self, req: Request, resp: falcon.Response, pool_id: str) -> None:
        """One pool."""
        pool = self.central.call(GetPool(caller=req.caller, pool_id=parse_id("pool_id", pool_id)))
        send(resp, POOL.shown(pool, req.base))

    @answers(202, takes=POOL, shows=POOL, raises=(PoolNotFound, DuplicatePool, DuplicateNSRecord, LastServerKept))
    def on_patch_one(self, req: Request, resp: falcon.Response, pool_id: str) -> None:
        """Change some members of a pool; changed NS records reach its zones one after another."""
        ident = parse_id("pool_id", pool_id)

        def present() -> Body:
            return POOL.compared(self.central.call(GetPool(caller=req.caller, pool_id=ident)), req.base)

        try:
            change = POOL.changed(req.json(), present)
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=req.caller, rule="update_pool", resource_id=ident)) from None
        changed = self.central.call(UpdatePool(caller=req.caller, pool_id=ident, change=change))
        send(resp, POOL.shown(changed, req.base), 202)

    @answers(204, raises=(PoolNotFound, InvalidOperation))
    def on_delete_one(self, req: Request, resp: falcon.Response, pool_id: str) -> None:
        """Remove a pool that holds no zones."""
        self.central.call(DeletePool(caller=req.caller, pool_id=parse_id("pool_id", pool_id)))
        resp.status = 204

    @answers(200, shows=REACH, raises=(PoolNotFound,))
    def on_get_progress(self, req: Request, resp: falcon.Response, pool_id: str) -> None:
        """How many zones the last changes of a pool have yet to reach."""
        reach = self.central.call(GetPoolReach(caller=req.caller, pool_id=parse_id("pool_id", pool_id)))
        send(resp, REACH.shown(reach))
