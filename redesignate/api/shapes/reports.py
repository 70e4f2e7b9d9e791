# SPDX-License-Identifier: Apache-2.0
"""What the admin API reports of all projects."""

from __future__ import annotations

from redesignate.api.shapes.members import NUMBER, Member, Shown
from redesignate.api.shapes.shape import Shape

COUNTS: Shape[None, None] = Shape(
    "counts",
    Member("zones", NUMBER, "Zones."),
    Member("records", NUMBER, "Records that users made."),
    Member("tenants", NUMBER, "Projects that have zones."),
)

_ID = Member("id", Shown("string"), "The project.")
_LINK = "/admin/reports/tenants/{quoted}"

PROJECT: Shape[None, None] = Shape("project", _ID, Member("zone_count", NUMBER, "How many zones it has."), link=_LINK)
PROJECT_ZONES: Shape[None, None] = Shape(
    "project_with_zones",
    _ID,
    Member("zones_count", NUMBER, "How many zones it has.", field="zone_count"),
    Member("zones", Shown("array", items={"type": "string"}), "The names of the first 1,000, by name."),
    link=_LINK,
)
