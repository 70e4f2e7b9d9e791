# SPDX-License-Identifier: Apache-2.0
"""/v2/zones: the zones, the names they are delegated to, and on which servers they are."""

from __future__ import annotations

import falcon

from redesignate.api.answers import JSON, Under, answers
from redesignate.api.exports import send_zone_file
from redesignate.api.paging import Listing, envelope, list_query
from redesignate.api.request import ZONE_FILE, Request, Resource, parse_id, refuse_filters, send
from redesignate.api.shapes.members import TEXT, Body, Member
from redesignate.api.shapes.zones import NAMESERVER, PEER, ZONE, nameservers, peers
from redesignate.api.waiting import WANTED, wait_for
from redesignate.commands.access import CheckAccess
from redesignate.commands.inbound import TransferZone
from redesignate.commands.zones import (
    CreateZone,
    DeleteZone,
    FindZone,
    GetZone,
    ListZones,
    UpdateZone,
    ZoneNameservers,
    ZonePeers,
)
from redesignate.model.errors import (
    BadInput,
    DuplicateZone,
    IllegalChild,
    IllegalParent,
    InvalidTTL,
    InvalidZoneName,
    MultiplePoolsFound,
    NoServersConfigured,
    NoValidPool,
    OverQuota,
    Problem,
    ZoneHasSubZone,
    ZoneIsShared,
    ZoneNotFound,
)
from redesignate.model.paging import ListQuery
from redesignate.model.zone import Action

ZONES = Listing(
    "zones",
    frozenset({"name", "type", "email", "status", "description", "ttl"}),
    ("created_at", "id", "updated_at", "name", "tenant_id", "serial", "ttl", "status"),
    counted=True,
)
_OWNS = Member("owns", TEXT, "Instead of all else: the one zone that holds this name, or none.")
_CREATE = (
    *(DuplicateZone, IllegalChild, IllegalParent, InvalidTTL, InvalidZoneName),
    *(MultiplePoolsFound, NoServersConfigured, NoValidPool, OverQuota),
)
"""What else may come of a zone's creation."""


class Zones(Resource):
    """Zones and what is asked about one of them."""

    @answers(200, shows=ZONE, listing=ZONES, arguments=(_OWNS,), raises=(ZoneNotFound,))
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """A page of the zones that the caller may see; with `owns`, the one that holds a name."""
        if "owns" in req.params:
            self._find(req, resp)
            return
        query = list_query(req, ZONES, self.settings)
        page = self.central.call(ListZones(caller=req.caller, query=query))
        send(resp, envelope(req, ZONES, query, ZONE.listed(page.items, req.base), page))

    def _find(self, req: Request, resp: falcon.Response) -> None:
        arguments = req.arguments()
        name = arguments.pop("owns")
        refuse_filters(arguments)
        page = self.central.call(FindZone(caller=req.caller, name=name))
        send(resp, envelope(req, ZONES, ListQuery(), ZONE.listed(page.items, req.base), page))

    @answers(202, 201, takes=ZONE, shows=ZONE, located=(201, 202), tagged=True, waits=True, raises=_CREATE)
    def on_post(self, req: Request, resp: falcon.Response) -> None:
        """Make a zone."""
        try:
            new = ZONE.created(req.json())
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=req.caller, rule="create_zone")) from None
        made = self.central.call(CreateZone(caller=req.caller, new=new))
        shown = ZONE.shown(made, req.base)
        send(resp, shown, 201, of=made.status, location=shown.links["self"], tagged=made)
        if WANTED in req.env:
            wait_for(req, resp, shown, zone_id=made.id, revision=made.revision, done=201)

    @answers(200, shows=ZONE, tagged=True, waits=True, writes=(JSON, ZONE_FILE), raises=(ZoneNotFound, OverQuota))
    def on_get_one(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """One zone, as JSON, or as a zone file for whoever accepts that and no JSON."""
        accept = req.env.get("HTTP_ACCEPT", "").lower()
        if ZONE_FILE in accept and "json" not in accept:
            if WANTED in req.env:
                raise BadInput("wait= is for answers in JSON")
            send_zone_file(self.central, req.caller, resp, parse_id("zone_id", zone_id))
            return
        zone = self.central.call(GetZone(caller=req.caller, zone_id=parse_id("zone_id", zone_id)))
        shown = ZONE.shown(zone, req.base)
        send(resp, shown, tagged=zone)
        if WANTED in req.env:
            leaves = zone.action is Action.DELETE
            wait_for(req, resp, shown, zone_id=zone.id, revision=zone.revision, gone=leaves)

    @answers(
        202, 200, takes=ZONE, shows=ZONE, tagged=True, conditional=True, waits=True, raises=(ZoneNotFound, InvalidTTL)
    )
    def on_patch_one(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """Change some members of a zone."""
        ident = parse_id("zone_id", zone_id)

        def present() -> Body:
            return ZONE.compared(self.central.call(GetZone(caller=req.caller, zone_id=ident)), req.base)

        try:
            change = ZONE.changed(req.json(), present)
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=req.caller, rule="update_zone", zone_id=ident)) from None
        question = UpdateZone(caller=req.caller, zone_id=ident, change=change, if_match=req.matching())
        changed = self.central.call(question)
        shown = ZONE.shown(changed, req.base)
        send(resp, shown, of=changed.status, tagged=changed)
        if WANTED in req.env:
            wait_for(req, resp, shown, zone_id=ident, revision=changed.revision)

    @answers(202, shows=ZONE, conditional=True, waits=True, raises=(ZoneNotFound, ZoneHasSubZone, ZoneIsShared))
    def on_delete_one(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """Let a zone go; it is shown until the nameservers have dropped it."""
        ident = parse_id("zone_id", zone_id)
        zone = self.central.call(DeleteZone(caller=req.caller, zone_id=ident, if_match=req.matching()))
        shown = ZONE.shown(zone, req.base)
        send(resp, shown, 202)
        if WANTED in req.env:
            wait_for(req, resp, shown, zone_id=ident, revision=zone.revision, done=202, gone=True)

    @answers(200, shows=Under("nameservers", NAMESERVER), raises=(ZoneNotFound,))
    def on_get_nameservers(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """The names to put into the parent zone's delegation."""
        records = self.central.call(ZoneNameservers(caller=req.caller, zone_id=parse_id("zone_id", zone_id)))
        send(resp, nameservers(records))

    @answers(200, shows=Under("peers", PEER), raises=(ZoneNotFound,))
    def on_get_peers(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """Which server has the zone, and why the others have not."""
        views = self.central.call(ZonePeers(caller=req.caller, zone_id=parse_id("zone_id", zone_id)))
        send(resp, peers(views))

    @answers(202, shows={"const": ""}, raises=(ZoneNotFound,))
    def on_post_xfr(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """Fetch a SECONDARY zone from one of its masters."""
        self.central.call(TransferZone(caller=req.caller, zone_id=parse_id("zone_id", zone_id)))
        send(resp, "", 202)
