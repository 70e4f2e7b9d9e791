# SPDX-License-Identifier: Apache-2.0
"""/v2/zones/tasks/imports: zones from zone files (RFC 1035 §5)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import falcon

from redesignate.api.answers import JSON, answers
from redesignate.api.paging import Listing, envelope, list_query
from redesignate.api.request import BODY, NO_BODY, ZONE_FILE, Request, Resource, parse_id, send
from redesignate.api.shapes.imports import FILE, IMPORT, imports
from redesignate.api.waiting import WANTED, wait_for_import
from redesignate.commands.access import CheckAccess
from redesignate.commands.imports import PART, AddImportPart, CreateImport, DeleteImport, GetImport, ListImports
from redesignate.model.caller import Caller
from redesignate.model.errors import EmptyBody, MultiplePoolsFound, NoValidPool, OverQuota, Problem, ZoneImportNotFound

IMPORTS = Listing(
    "imports", frozenset({"status", "message", "zone_id"}), ("created_at", "id", "updated_at"), counted=True
)


class Imports(Resource):
    """The project's imports."""

    @answers(200, shows=IMPORT, listing=IMPORTS)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """A page of the imports."""
        query = list_query(req, IMPORTS, self.settings)
        page = self.central.call(ListImports(caller=req.caller, query=query))
        send(resp, envelope(req, IMPORTS, query, imports(page.items, req.base), page))

    @answers(
        202,
        takes=FILE,
        reads=(JSON, ZONE_FILE),
        shows=IMPORT,
        located=(202,),
        waits=True,
        raises=(OverQuota, NoValidPool, MultiplePoolsFound, ZoneImportNotFound),
    )
    def on_post(self, req: Request, resp: falcon.Response) -> None:
        """Import a zone file, sent as `text/dns`, or in a JSON object with the zone's attributes."""
        attributes: dict[str, str] = {}
        try:
            if req.content_kind == ZONE_FILE:
                pieces = _pieces(req)
            else:
                body = FILE.created(req.json())
                attributes = body.get("attributes", {})
                content = body["zonefile"].encode()
                pieces = (content[at : at + PART] for at in range(0, len(content), PART))
            piece = next(pieces, b"")
            if not piece:
                raise EmptyBody(NO_BODY)
        except Problem as fault:
            raise self.bad_body(fault, CheckAccess(caller=req.caller, rule="create_zone_import")) from None
        after = next(pieces, b"")
        made = self.central.call(
            CreateImport(caller=req.caller, data=zlib.compress(piece, 1), last=not after, attributes=attributes)
        )
        number = 0
        while after:
            piece, after, number = after, next(pieces, b""), number + 1
            self.central.call(
                AddImportPart(
                    caller=req.caller,
                    import_id=made.id,
                    number=number,
                    data=zlib.compress(piece, 1),
                    last=not after,
                )
            )
        (shown,) = imports((made,), req.base)
        send(resp, shown, 202, location=shown.links["self"])
        if WANTED in req.env:
            wait_for_import(req, resp, shown, partial(self._shown, req.caller, req.base, made.id))

    @answers(200, shows=IMPORT, waits=True, raises=(ZoneImportNotFound,))
    def on_get_one(self, req: Request, resp: falcon.Response, import_id: str) -> None:
        """One import."""
        again = partial(self._shown, req.caller, req.base, parse_id("import_id", import_id))
        shown = again()
        send(resp, shown)
        if WANTED in req.env:
            wait_for_import(req, resp, shown, again)

    @answers(204, raises=(ZoneImportNotFound,))
    def on_delete_one(self, req: Request, resp: falcon.Response, import_id: str) -> None:
        """Remove an import."""
        self.central.call(DeleteImport(caller=req.caller, import_id=parse_id("import_id", import_id)))
        resp.status = 204

    def _shown(self, caller: Caller, base: str, import_id: str) -> Any:
        found = self.central.call(GetImport(caller=caller, import_id=import_id))
        return imports((found,), base)[0]


def _pieces(req: Request) -> Iterator[bytes]:
    """The body in pieces of PART octets. Raises BadInput and TooLarge as it is read."""
    content: bytes | None = req.env.get(BODY)
    if content is not None:
        yield from (content[at : at + PART] for at in range(0, len(content), PART))
        return
    stream = req.env["wsgi.input"]
    while piece := stream.read(PART):
        yield piece
