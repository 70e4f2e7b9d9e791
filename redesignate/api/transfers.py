# SPDX-License-Identifier: Apache-2.0
"""/v2/zones/tasks/transfer_requests and transfer_accepts: zones that change hands."""

from __future__ import annotations

import falcon
from msgspec.structs import replace

from redesignate.api.answers import Also, answers
from redesignate.api.paging import Listing, envelope, list_query
from redesignate.api.request import BODY, Request, Resource, parse_id, send
from redesignate.api.shapes.members import Body
from redesignate.api.shapes.transfers import ACCEPT, BRIEF, REQUEST, requests
from redesignate.commands.access import CheckAccess
from redesignate.commands.transfers import (
    AcceptTransfer,
    CreateTransferRequest,
    DeleteTransferRequest,
    GetTransferAccept,
    GetTransferRequest,
    ListTransferAccepts,
    ListTransferRequests,
    UpdateTransferRequest,
)
from redesignate.model.errors import (
    DuplicateTransferRequest,
    DuplicateZone,
    InvalidKey,
    InvalidTransferRequest,
    InvalidUUID,
    OverQuota,
    Problem,
    TransferAcceptNotFound,
    TransferRequestNotFound,
    ZoneNotFound,
)

_ORDERS = ("created_at", "id", "updated_at")
REQUESTS = Listing("transfer_requests", frozenset({"status"}), _ORDERS)
_TEXT = {"type": ["string", "null"]}
_OWNERS = ("project_id", "target_project_id", "key", "created_at", "updated_at")
_SHOWN = Also(BRIEF, dict.fromkeys(_OWNERS, _TEXT))
_OFFERING = (ZoneNotFound, DuplicateTransferRequest)
_ACCEPTING = (
    ZoneNotFound,
    TransferRequestNotFound,
    InvalidTransferRequest,
    InvalidKey,
    InvalidUUID,
    DuplicateZone,
    OverQuota,
)
ACCEPTS = Listing("transfer_accepts", frozenset({"status"}), _ORDERS, counted=True)


class TransferRequests(Resource):
    """Zones that are offered."""

    @answers(
        201,
        takes=REQUEST,
        optional=True,
        shows=_SHOWN,
        located=(201,),
        raises=_OFFERING,
    )
    def on_post_zone(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """Offer a zone."""
        ident = parse_id("zone_id", zone_id)
        try:
            new = REQUEST.created(req.json() if req.env[BODY] else {})
        except Problem as fault:
            asked = CheckAccess(caller=req.caller, rule="create_zone_transfer_request", zone_id=ident)
            raise self.bad_body(fault, asked) from None
        made = self.central.call(CreateTransferRequest(caller=req.caller, zone_id=ident, new=new))
        (shown,) = requests((made,), req.base)
        send(resp, shown, 201, location=shown.links["self"])

    @answers(200, shows=_SHOWN, listing=REQUESTS)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """A page of the requests that the project made or that name it."""
        query = list_query(req, REQUESTS, self.settings)
        page = self.central.call(ListTransferRequests(caller=req.caller, query=query))
        send(resp, envelope(req, REQUESTS, query, requests(page.items, req.base), page))

    @answers(200, shows=_SHOWN, raises=(TransferRequestNotFound,))
    def on_get_one(self, req: Request, resp: falcon.Response, request_id: str) -> None:
        """One request."""
        found = self.central.call(GetTransferRequest(caller=req.caller, request_id=_id(request_id)))
        send(resp, requests((found,), req.base)[0])

    @answers(200, takes=REQUEST, shows=_SHOWN, raises=(TransferRequestNotFound,))
    def on_patch_one(self, req: Request, resp: falcon.Response, request_id: str) -> None:
        """Change a request's description, and who may accept it."""
        ident = _id(request_id)

        def present() -> Body:
            return REQUEST.compared(
                self.central.call(GetTransferRequest(caller=req.caller, request_id=ident)), req.base
            )

        try:
            change = REQUEST.changed(req.json(), present)
        except Problem as fault:
            asked = CheckAccess(caller=req.caller, rule="update_zone_transfer_request", resource_id=ident)
            raise self.bad_body(fault, asked) from None
        changed = self.central.call(UpdateTransferRequest(caller=req.caller, request_id=ident, change=change))
        send(resp, requests((changed,), req.base)[0])

    @answers(204, raises=(TransferRequestNotFound,))
    def on_delete_one(self, req: Request, resp: falcon.Response, request_id: str) -> None:
        """Withdraw a request."""
        self.central.call(DeleteTransferRequest(caller=req.caller, request_id=_id(request_id)))
        resp.status = 204


class TransferAccepts(Resource):
    """Zones that were taken over."""

    @answers(201, takes=ACCEPT, shows=ACCEPT, located=(201,), raises=_ACCEPTING)
    def on_post(self, req: Request, resp: falcon.Response) -> None:
        """Take over a zone; the key is shown this once. Anybody may try: a fault of the body tells nothing."""
        new = ACCEPT.created(req.json())
        new = replace(new, zone_transfer_request_id=_id(new.zone_transfer_request_id))
        made = self.central.call(AcceptTransfer(caller=req.caller, new=new))
        shown = ACCEPT.shown(replace(made, key=new.key), req.base)
        send(resp, shown, 201, location=shown.links["self"])

    @answers(200, shows=ACCEPT, listing=ACCEPTS)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """A page of the acceptances."""
        query = list_query(req, ACCEPTS, self.settings)
        page = self.central.call(ListTransferAccepts(caller=req.caller, query=query))
        send(resp, envelope(req, ACCEPTS, query, ACCEPT.listed(page.items, req.base), page))

    @answers(200, shows=ACCEPT, raises=(TransferAcceptNotFound,))
    def on_get_one(self, req: Request, resp: falcon.Response, accept_id: str) -> None:
        """One acceptance."""
        ident = parse_id("transfer_accept_id", accept_id)
        send(resp, ACCEPT.shown(self.central.call(GetTransferAccept(caller=req.caller, accept_id=ident)), req.base))


def _id(text: str) -> str:
    return parse_id("transfer_request_id", text)
