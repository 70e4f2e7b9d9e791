# SPDX-License-Identifier: Apache-2.0
"""A top-level domain as v2 shows and takes it."""

from __future__ import annotations

from redesignate.api.shapes.members import ID, TIME, Member, Null, Text, Write
from redesignate.api.shapes.shape import Shape
from redesignate.model.limits import DESCRIPTION_LENGTH, NAME_LENGTH
from redesignate.model.tld import NewTLD, TLDChange

TLD: Shape[NewTLD, TLDChange] = Shape(
    "tld",
    Member("id", ID, "The entry's id."),
    Member("name", Text(NAME_LENGTH), "The name, without the final dot.", Write.ALWAYS, required=True),
    Member("description", Text(DESCRIPTION_LENGTH), "Free text.", Write.ALWAYS, null=Null.VALUE),
    Member("created_at", TIME, "When it was created."),
    Member("updated_at", TIME, "When it was last changed.", unset=True),
    link="/v2/tlds/{id}",
    new=NewTLD,
    change=TLDChange,
)
