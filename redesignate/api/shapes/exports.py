# SPDX-License-Identifier: Apache-2.0
"""An export of a zone as v2 shows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redesignate.api.shapes.members import ID, NUMBER, TIME, Member, OneOf, Shown
from redesignate.api.shapes.shape import Shape
from redesignate.model.zonetask import TaskStatus, ZoneExport

_TEXT = Shown("string")
EXPORT: Shape[Any, Any] = Shape(
    "zone_export",
    Member("id", ID, "The export's id."),
    Member("status", OneOf(TaskStatus), "COMPLETE once the file can be downloaded."),
    Member("message", _TEXT, "Why it failed.", unset=True),
    Member("zone_id", ID, "The zone."),
    Member("project_id", _TEXT, "The project whose export it is."),
    Member("location", _TEXT, "Where the file is.", unset=True),
    Member("version", NUMBER, "Rises with each change of the export."),
    Member("created_at", TIME, "When it was created."),
    Member("updated_at", TIME, "When it was last changed.", unset=True),
    link="/v2/zones/tasks/exports/{id}",
)


def exports(found: Iterable[ZoneExport], base: str) -> list[Any]:
    """Exports as JSON; `links.export` leads to the file of each that has one."""
    given = tuple(found)
    shown = EXPORT.listed(given, base)
    for one, item in zip(given, shown, strict=True):
        if one.location is not None:
            item.links["export"] = item.links["self"] + "/export"
    return shown
