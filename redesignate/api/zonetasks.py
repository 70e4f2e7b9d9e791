# SPDX-License-Identifier: Apache-2.0
"""/v2/zones/{id}/tasks/abandon and …/pool_move, and …/moves: what operators do with a zone's servers."""

from __future__ import annotations

import falcon

from redesignate.api.answers import answers
from redesignate.api.request import BODY, Request, Resource, parse_id, send
from redesignate.api.shapes.zonetasks import MOVE, MOVED
from redesignate.commands.access import CheckAccess
from redesignate.commands.zonetasks import AbandonZone, GetZoneMove, MoveZone
from redesignate.model.errors import (
    DuplicateZone,
    MultiplePoolsFound,
    NoServersConfigured,
    NoValidPool,
    Problem,
    ZoneHasSubZone,
    ZoneIsShared,
    ZoneNotFound,
)

_MOVE = (ZoneNotFound, NoValidPool, MultiplePoolsFound, NoServersConfigured, DuplicateZone)


class ZoneTasks(Resource):
    """Tasks on one zone; a move can be asked how far it is."""

    @answers(204, raises=(ZoneNotFound, ZoneIsShared, ZoneHasSubZone))
    def on_post_abandon(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """Forget a zone and leave it on its servers."""
        self.central.call(AbandonZone(caller=req.caller, zone_id=parse_id("zone_id", zone_id)))
        resp.status = 204

    @answers(202, takes=MOVE, optional=True, shows={"const": ""}, raises=_MOVE)
    def on_post_move(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """Move a zone to another pool: the one that the body names, or that the scheduler chooses."""
        ident = parse_id("zone_id", zone_id)
        try:
            wanted = MOVE.created(req.json() if req.env[BODY] else {})
            pool_id = parse_id("pool_id", wanted["pool_id"]) if wanted.get("pool_id") is not None else None
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=req.caller, rule="pool_move_zone", zone_id=ident)) from None
        self.central.call(MoveZone(caller=req.caller, zone_id=ident, pool_id=pool_id))
        send(resp, "", 202)

    @answers(200, shows=MOVED, raises=(ZoneNotFound,))
    def on_get_moves(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """How far the moves of a zone have come."""
        found = self.central.call(GetZoneMove(caller=req.caller, zone_id=parse_id("zone_id", zone_id)))
        send(resp, MOVED.shown(found))
