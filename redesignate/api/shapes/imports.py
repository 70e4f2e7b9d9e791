# SPDX-License-Identifier: Apache-2.0
"""An import of a zone file as v2 shows and takes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redesignate.api.shapes.members import ID, NUMBER, TIME, Member, OneOf, Shown, Text, TextMap, Write
from redesignate.api.shapes.shape import Shape
from redesignate.model.zonetask import TaskStatus, ZoneImport

_TEXT = Shown("string")
IMPORT: Shape[Any, Any] = Shape(
    "zone_import",
    Member("id", ID, "The import's id."),
    Member("status", OneOf(TaskStatus), "PENDING, then COMPLETE or ERROR."),
    Member("message", _TEXT, "How far it is; then that the zone is imported, or why it is not.", unset=True),
    Member("zone_id", ID, "The zone, once it is imported.", unset=True),
    Member("project_id", _TEXT, "The project whose import it is."),
    Member("version", NUMBER, "Rises with each change of the status."),
    Member("created_at", TIME, "When it was created."),
    Member("updated_at", TIME, "When it was last changed.", unset=True),
    link="/v2/zones/tasks/imports/{id}",
)
FILE: Shape[dict[str, Any], Any] = Shape(
    "zone_import",
    Member("zonefile", Text(), "The zone file.", Write.ALWAYS, required=True),
    Member("attributes", TextMap(), "The zone's attributes.", Write.ALWAYS),
)
"""What a POST sends as JSON."""


def imports(found: Iterable[ZoneImport], base: str) -> list[Any]:
    """Imports as JSON; `links.zone` leads to the zone of each that has one."""
    given = tuple(found)
    shown = IMPORT.listed(given, base)
    for one, item in zip(given, shown, strict=True):
        if one.zone_id is not None:
            item.links["zone"] = f"{base}/v2/zones/{one.zone_id}"
    return shown
