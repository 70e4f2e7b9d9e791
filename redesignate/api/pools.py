# SPDX-License-Identifier: Apache-2.0
"""/v2/pools, to be read; a pool is written by `redesignate manage pool update`."""

from __future__ import annotations

import falcon

from redesignate.api.paging import Listing, envelope, list_query
from redesignate.api.request import Request, Resource, parse_id, send
from redesignate.api.shapes.pools import POOL
from redesignate.commands.pools import GetPool, ListPools

POOLS = Listing("pools", frozenset({"name"}), ("created_at", "id", "updated_at", "name"))


class Pools(Resource):
    """Sets of nameservers, as far as the API shows them."""

    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """A page of the pools."""
        query = list_query(req, POOLS, self.settings)
        page = self.central.call(ListPools(caller=req.caller, query=query))
        send(resp, envelope(req, POOLS, query, POOL.listed(page.items, req.base), page))

    def on_get_one(self, req: Request, resp: falcon.Response, pool_id: str) -> None:
        """One pool."""
        pool = self.central.call(GetPool(caller=req.caller, pool_id=parse_id("pool_id", pool_id)))
        send(resp, POOL.shown(pool, req.base))
