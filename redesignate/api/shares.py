# SPDX-License-Identifier: Apache-2.0
"""/v2/zones/{id}/shares: with which projects a zone is shared."""

from __future__ import annotations

import falcon

from redesignate.api.answers import answers
from redesignate.api.paging import Listing, envelope, list_query
from redesignate.api.request import Request, Resource, parse_id, send
from redesignate.api.shapes.shares import SHARE
from redesignate.commands.access import CheckAccess
from redesignate.commands.shares import CreateShare, DeleteShare, GetShare, ListShares
from redesignate.model.errors import (
    DuplicateSharedZone,
    IdentityUnavailable,
    OverQuota,
    Problem,
    SharedZoneHasRRsets,
    SharedZoneHasSubZone,
    SharedZoneNotFound,
    ZoneNotFound,
)

SHARES = Listing("shared_zones", frozenset({"target_project_id"}), ("created_at", "updated_at"))
_CREATE = (ZoneNotFound, IdentityUnavailable, OverQuota, DuplicateSharedZone)


class Shares(Resource):
    """The shares of one zone."""

    @answers(200, shows=SHARE, listing=SHARES, raises=(ZoneNotFound,))
    def on_get(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """A page of the zone's shares."""
        query = list_query(req, SHARES, self.settings)
        page = self.central.call(ListShares(caller=req.caller, zone_id=parse_id("zone_id", zone_id), query=query))
        send(resp, envelope(req, SHARES, query, SHARE.listed(page.items, req.base), page))

    @answers(201, takes=SHARE, shows=SHARE, raises=_CREATE)
    def on_post(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """Share the zone with a project, which exists as far as the sender's token can show."""
        ident = parse_id("zone_id", zone_id)
        access = CheckAccess(caller=req.caller, rule="share_zone", zone_id=ident)
        try:
            new = SHARE.created(req.json())
        except Problem as fault:
            raise self.bad_body(fault, access) from None
        self.central.call(access)  # so that keystone is asked for those alone who may share the zone
        self.authenticate.check_project(req.env, new.target_project_id)
        send(
            resp, SHARE.shown(self.central.call(CreateShare(caller=req.caller, zone_id=ident, new=new)), req.base), 201
        )

    @answers(200, shows=SHARE, raises=(ZoneNotFound, SharedZoneNotFound))
    def on_get_one(self, req: Request, resp: falcon.Response, zone_id: str, share_id: str) -> None:
        """One share."""
        zone, share = parse_id("zone_id", zone_id), parse_id("zone_share_id", share_id)
        send(resp, SHARE.shown(self.central.call(GetShare(caller=req.caller, zone_id=zone, share_id=share)), req.base))

    @answers(204, raises=(ZoneNotFound, SharedZoneNotFound, SharedZoneHasSubZone, SharedZoneHasRRsets))
    def on_delete_one(self, req: Request, resp: falcon.Response, zone_id: str, share_id: str) -> None:
        """End a share."""
        zone, share = parse_id("zone_id", zone_id), parse_id("zone_share_id", share_id)
        self.central.call(DeleteShare(caller=req.caller, zone_id=zone, share_id=share))
        resp.status = 204
