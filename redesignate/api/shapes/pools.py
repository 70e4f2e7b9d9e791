# SPDX-License-Identifier: Apache-2.0
"""A pool as v2 shows it: without the servers behind it."""

from __future__ import annotations

from redesignate.api.shapes.members import ID, TIME, Member, Shown, Text, TextMap
from redesignate.api.shapes.shape import Shape
from redesignate.model.limits import ATTRIBUTE_LENGTH, DESCRIPTION_LENGTH

POOL: Shape[None, None] = Shape(
    "pool",
    Member("id", ID, "The pool's id."),
    Member("project_id", Shown("string"), "The project that created it, if any."),
    Member("name", Text(50), "Its name."),
    Member("description", Text(DESCRIPTION_LENGTH), "Free text."),
    Member("attributes", TextMap(ATTRIBUTE_LENGTH), "What the scheduler compares with a zone's attributes."),
    Member("ns_records", Shown("array", items="nameserver"), "The NS records at the apex of each of its zones."),
    Member("created_at", TIME, "When it was created."),
    Member("updated_at", TIME, "When it was last changed."),
    link="/v2/pools/{id}",
)
