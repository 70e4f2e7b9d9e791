# SPDX-License-Identifier: Apache-2.0
"""A blacklisted pattern as v2 shows and takes it."""

from __future__ import annotations

from redesignate.api.shapes.members import ID, TIME, Member, Null, Text, Write
from redesignate.api.shapes.shape import Shape
from redesignate.model.blacklist import BlacklistChange, NewBlacklist
from redesignate.model.limits import DESCRIPTION_LENGTH
from redesignate.model.pattern import LONGEST

BLACKLIST: Shape[NewBlacklist, BlacklistChange] = Shape(
    "blacklist",
    Member("id", ID, "The entry's id."),
    Member("pattern", Text(LONGEST, "regex"), "What is searched in zone names.", Write.ALWAYS, required=True),
    Member("description", Text(DESCRIPTION_LENGTH), "Free text.", Write.ALWAYS, null=Null.VALUE),
    Member("created_at", TIME, "When it was created."),
    Member("updated_at", TIME, "When it was last changed.", unset=True),
    link="/v2/blacklists/{id}",
    new=NewBlacklist,
    change=BlacklistChange,
)
