# SPDX-License-Identifier: Apache-2.0
"""/v2/zones/{id}/recordsets and /v2/recordsets."""

from __future__ import annotations

import falcon

from redesignate.api.answers import JSON, answers
from redesignate.api.paging import Listing, envelope, list_query
from redesignate.api.request import Request, Resource, link_base, parse_id, refuse_filters, send
from redesignate.api.shapes.members import TEXT, Body, Member, Text
from redesignate.api.shapes.rrsets import RECORDSET
from redesignate.api.waiting import WANTED, wait_for
from redesignate.commands.access import CheckAccess
from redesignate.commands.rrsets import CreateRRset, DeleteRRset, GetRRset, ListRRsets, UpdateRRset, UpsertRRset
from redesignate.model.errors import (
    BadInput,
    DuplicateRRset,
    InvalidRRsetLocation,
    InvalidRRsetName,
    InvalidTTL,
    OverQuota,
    Problem,
    RRsetNotFound,
    ZoneNotFound,
)
from redesignate.model.etag import ANY
from redesignate.model.limits import NAME_LENGTH

_FILTERS = frozenset({"name", "type", "ttl", "data", "status", "description", "zone_id"})
OF_ZONE = Listing(
    "recordsets",
    _FILTERS,
    ("created_at", "id", "updated_at", "zone_id", "tenant_id", "name", "type", "ttl"),
    counted=True,
)
OF_ALL = Listing(
    "recordsets",
    _FILTERS,
    ("created_at", "updated_at", "zone_id", "tenant_id", "name", "type", "ttl"),
    counted=True,
)
_HIDE_COUNTS = "HTTP_OPENSTACK_DNS_HIDE_COUNTS"
_HEADERS = {"OpenStack-DNS-Hide-Counts": "Leave the total out, which saves counting."}
_MOVED = {
    "type": "object",
    "properties": {"code": {"const": 301}, "title": {"type": "string"}, "description": {"type": "null"}},
    "required": ["code", "title", "description"],
}
_ABSENT = {"If-None-Match": "`*`: only where the zone has no such record set, else 412."}
_PLACE = (
    Member("name", Text(NAME_LENGTH), "The owner name.", required=True),
    Member("type", TEXT, "The type, by its mnemonic.", required=True),
)
_MISSING = (ZoneNotFound, RRsetNotFound)
_CREATE = (ZoneNotFound, DuplicateRRset, InvalidRRsetName, InvalidRRsetLocation, InvalidTTL, OverQuota)


class Recordsets(Resource):
    """RRsets of one zone."""

    @answers(200, shows=RECORDSET, listing=OF_ZONE, headers=_HEADERS, raises=(ZoneNotFound,))
    def on_get(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """A page of a zone's RRsets."""
        self.list(req, resp, OF_ZONE, parse_id("zone_id", zone_id))

    @answers(202, 201, takes=RECORDSET, shows=RECORDSET, located=(201, 202), tagged=True, waits=True, raises=_CREATE)
    def on_post(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """Add an RRset."""
        ident = parse_id("zone_id", zone_id)
        try:
            new = RECORDSET.created(req.json())
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=req.caller, rule="create_recordset", zone_id=ident)) from None
        made = self.central.call(CreateRRset(caller=req.caller, zone_id=ident, new=new))
        shown = RECORDSET.shown(made, req.base)
        send(resp, shown, 201, of=made.status, location=shown.links["self"], tagged=made)
        if WANTED in req.env:
            wait_for(req, resp, shown, zone_id=ident, revision=made.revision, done=201)

    @answers(
        200,
        201,
        202,
        takes=RECORDSET,
        shows=RECORDSET,
        located=(201,),
        tagged=True,
        conditional=True,
        waits=True,
        arguments=_PLACE,
        headers=_ABSENT,
        raises=_CREATE,
    )
    def on_put(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """Change the RRset of the name and type that the query has, or add it where the zone has none."""
        ident = parse_id("zone_id", zone_id)
        arguments = req.arguments()
        name, rrtype = (arguments.pop(member, None) for member in ("name", "type"))
        refuse_filters(arguments)
        if not name or not rrtype:
            raise BadInput("PUT changes or adds one recordset: the query must have its name= and its type=")
        unless = req.env.get("HTTP_IF_NONE_MATCH")
        if unless is not None and unless.strip() != ANY:
            raise BadInput("If-None-Match must be * here")
        if_match = req.matching()
        try:
            change = RECORDSET.changed(req.json(), dict)
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=req.caller, rule="create_recordset", zone_id=ident)) from None
        question = UpsertRRset(
            caller=req.caller,
            zone_id=ident,
            name=name,
            type=rrtype,
            change=change,
            if_match=if_match,
            if_absent=unless is not None,
        )
        found = self.central.call(question)
        shown = RECORDSET.shown(found, req.base)
        if found.version == 1:
            send(resp, shown, 201, location=shown.links["self"], tagged=found)
        else:
            send(resp, shown, of=found.status, tagged=found)
        if WANTED in req.env:
            done = 201 if found.version == 1 else 200
            wait_for(req, resp, shown, zone_id=ident, revision=found.revision, done=done)

    @answers(200, shows=RECORDSET, tagged=True, waits=True, raises=_MISSING)
    def on_get_one(self, req: Request, resp: falcon.Response, zone_id: str, recordset_id: str) -> None:
        """One RRset."""
        zone, rrset = _ids(zone_id, recordset_id)
        found = self.central.call(GetRRset(caller=req.caller, zone_id=zone, rrset_id=rrset))
        shown = RECORDSET.shown(found, req.base)
        send(resp, shown, tagged=found)
        if WANTED in req.env:
            wait_for(req, resp, shown, zone_id=zone, revision=found.revision)

    @answers(
        202,
        200,
        takes=RECORDSET,
        shows=RECORDSET,
        tagged=True,
        conditional=True,
        waits=True,
        raises=(*_MISSING, InvalidTTL, OverQuota),
    )
    def on_put_one(self, req: Request, resp: falcon.Response, zone_id: str, recordset_id: str) -> None:
        """Change the members that the body holds; `records` replaces the list."""
        zone, rrset = _ids(zone_id, recordset_id)

        def present() -> Body:
            found = self.central.call(GetRRset(caller=req.caller, zone_id=zone, rrset_id=rrset))
            return RECORDSET.compared(found, req.base)

        try:
            change = RECORDSET.changed(req.json(), present)
        except Problem as fault:
            aim = CheckAccess(caller=req.caller, rule="update_recordset", zone_id=zone, rrset_id=rrset)
            raise self.bad_body(fault, aim) from None
        question = UpdateRRset(caller=req.caller, zone_id=zone, rrset_id=rrset, change=change, if_match=req.matching())
        changed = self.central.call(question)
        shown = RECORDSET.shown(changed, req.base)
        send(resp, shown, of=changed.status, tagged=changed)
        if WANTED in req.env:
            wait_for(req, resp, shown, zone_id=zone, revision=changed.revision)

    @answers(202, shows=RECORDSET, conditional=True, waits=True, raises=_MISSING)
    def on_delete_one(self, req: Request, resp: falcon.Response, zone_id: str, recordset_id: str) -> None:
        """Delete an RRset."""
        zone, rrset = _ids(zone_id, recordset_id)
        question = DeleteRRset(caller=req.caller, zone_id=zone, rrset_id=rrset, if_match=req.matching())
        gone = self.central.call(question)
        shown = RECORDSET.shown(gone, req.base)
        send(resp, shown, 202)
        if WANTED in req.env:
            wait_for(req, resp, shown, zone_id=zone, revision=gone.revision, done=202, deleted=True)

    @answers(200, shows=RECORDSET, listing=OF_ALL, headers=_HEADERS, raises=(ZoneNotFound,))
    def on_get_all(self, req: Request, resp: falcon.Response) -> None:
        """A page of the RRsets that the caller's project created, in whatever zone."""
        self.list(req, resp, OF_ALL, None)

    @answers(301, shows=_MOVED, located=(301,), writes=(JSON, "text/plain"), raises=_MISSING)
    def on_get_any(self, req: Request, resp: falcon.Response, recordset_id: str) -> None:
        """Where an RRset lives: a redirect to its place in its zone, at the host that the client used."""
        ident = parse_id("recordset_id", recordset_id)
        found = self.central.call(GetRRset(caller=req.caller, zone_id=None, rrset_id=ident))
        place = f"{link_base(req.env)}/v2/zones/{found.zone_id}/recordsets/{found.id}"
        if "json" in req.env.get("HTTP_ACCEPT", "").lower():
            moved = {"code": 301, "title": "Moved Permanently", "description": None}
            send(resp, moved, 301, location=place)
            return
        resp.status = 301
        resp.content_type = "text/plain"
        resp.set_header("Location", place)
        resp.text = f"The recordset is at {place}\n"

    def list(self, req: Request, resp: falcon.Response, listing: Listing, zone_id: str | None) -> None:
        """A page, of one zone or of all. The total is left out where the client does not want it counted."""
        query = list_query(req, listing, self.settings, count=not req.flag(_HIDE_COUNTS))
        page = self.central.call(ListRRsets(caller=req.caller, zone_id=zone_id, query=query))
        send(resp, envelope(req, listing, query, RECORDSET.listed(page.items, req.base), page))


def _ids(zone_id: str, recordset_id: str) -> tuple[str, str]:
    return parse_id("zone_id", zone_id), parse_id("recordset_id", recordset_id)
