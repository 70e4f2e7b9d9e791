# SPDX-License-Identifier: Apache-2.0
"""Commands about zone files that are exported."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand
from redesignate.model.paging import ListQuery, Page
from redesignate.model.zonetask import Place, ZoneExport, ZoneFilePart


class CreateExport(CallerCommand[ZoneExport], tag="export.create", frozen=True):
    zone_id: str


class GetExport(CallerCommand[ZoneExport], tag="export.get", frozen=True):
    export_id: str


class ListExports(CallerCommand[Page[ZoneExport]], tag="export.list", frozen=True):
    query: ListQuery


class DeleteExport(CallerCommand[None], tag="export.delete", frozen=True):
    export_id: str


class ReadZoneFile(CallerCommand[ZoneFilePart], tag="export.read", frozen=True):
    """Read a part of a zone as a zone file. `at`: None for the first; all parts are of the first one's revision.
    `any_size`: beyond the owner's quota too, for callers that may export every zone."""

    zone_id: str
    at: Place | None = None
    any_size: bool = False
