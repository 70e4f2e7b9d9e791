# SPDX-License-Identifier: Apache-2.0
"""/v2/zones/tasks/exports: zones as zone files (RFC 1035 §5)."""

from __future__ import annotations

from collections.abc import Iterator

import falcon

from redesignate.api.answers import answers
from redesignate.api.paging import Listing, envelope, list_query
from redesignate.api.request import ZONE_FILE, Request, Resource, parse_id, send
from redesignate.api.shapes.exports import EXPORT, exports
from redesignate.bus.port import Central
from redesignate.commands.exports import CreateExport, DeleteExport, GetExport, ListExports, ReadZoneFile
from redesignate.model.caller import Caller
from redesignate.model.errors import OverQuota, ZoneExportNotFound, ZoneNotFound
from redesignate.model.zonetask import ZoneFilePart

EXPORTS = Listing(
    "exports", frozenset({"status", "message", "zone_id"}), ("created_at", "id", "updated_at"), counted=True
)


class Exports(Resource):
    """The project's exports, and the files that they stand for."""

    @answers(202, shows=EXPORT, located=(202,), raises=(ZoneNotFound, OverQuota))
    def on_post_zone(self, req: Request, resp: falcon.Response, zone_id: str) -> None:
        """Export a zone; no body is needed."""
        made = self.central.call(CreateExport(caller=req.caller, zone_id=parse_id("zone_id", zone_id)))
        (shown,) = exports((made,), req.base)
        send(resp, shown, 202, location=shown.links["self"])

    @answers(200, shows=EXPORT, listing=EXPORTS)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """A page of the exports."""
        query = list_query(req, EXPORTS, self.settings)
        page = self.central.call(ListExports(caller=req.caller, query=query))
        send(resp, envelope(req, EXPORTS, query, exports(page.items, req.base), page))

    @answers(200, shows=EXPORT, raises=(ZoneExportNotFound,))
    def on_get_one(self, req: Request, resp: falcon.Response, export_id: str) -> None:
        """One export."""
        found = self.central.call(GetExport(caller=req.caller, export_id=parse_id("export_id", export_id)))
        send(resp, exports((found,), req.base)[0])

    @answers(204, raises=(ZoneExportNotFound,))
    def on_delete_one(self, req: Request, resp: falcon.Response, export_id: str) -> None:
        """Remove an export."""
        self.central.call(DeleteExport(caller=req.caller, export_id=parse_id("export_id", export_id)))
        resp.status = 204

    @answers(200, writes=(ZONE_FILE,), raises=(ZoneExportNotFound, ZoneNotFound, OverQuota))
    def on_get_file(self, req: Request, resp: falcon.Response, export_id: str) -> None:
        """Download the zone as it is now."""
        found = self.central.call(GetExport(caller=req.caller, export_id=parse_id("export_id", export_id)))
        send_zone_file(self.central, req.caller, resp, found.zone_id)


def send_zone_file(
    central: Central, caller: Caller, resp: falcon.Response, zone_id: str, *, any_size: bool = False
) -> None:
    """Answer with a zone file, read in parts as the client takes them. Raises what the first part raises.

    any_size  beyond the quota too, for who may export any zone

    A failure of a later one breaks the connection off, so that nobody takes a part for the whole.
    """
    first = central.call(ReadZoneFile(caller=caller, zone_id=zone_id, any_size=any_size))
    resp.content_type = f"{ZONE_FILE}; charset=UTF-8"
    if first.after is None:
        resp.data = first.text.encode()
    else:
        resp.stream = _parts(central, caller, zone_id, first)


def _parts(central: Central, caller: Caller, zone_id: str, part: ZoneFilePart) -> Iterator[bytes]:
    yield part.text.encode()
    while part.after is not None:
        part = central.call(ReadZoneFile(caller=caller, zone_id=zone_id, at=part.after))
        yield part.text.encode()
