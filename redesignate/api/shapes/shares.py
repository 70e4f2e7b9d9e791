# SPDX-License-Identifier: Apache-2.0
"""A share of a zone as v2 shows and takes it."""

from __future__ import annotations

from redesignate.api.shapes.members import ID, TIME, Member, Shown, Text, Write
from redesignate.api.shapes.shape import Shape
from redesignate.model.limits import PROJECT_LENGTH
from redesignate.model.share import NewShare

SHARE: Shape[NewShare, None] = Shape(
    "shared_zone",
    Member("id", ID, "The share's id."),
    Member("zone_id", ID, "The zone that is shared."),
    Member("project_id", Shown("string"), "The project that owns the zone."),
    Member("target_project_id", Text(PROJECT_LENGTH), "The project that may use it.", Write.ONCE, required=True),
    Member("created_at", TIME, "When it was created."),
    Member("updated_at", TIME, "Always null: a share does not change.", unset=True),
    link="/v2/zones/{zone_id}/shares/{id}",
    links={"zone": "/v2/zones/{zone_id}"},
    new=NewShare,
)
