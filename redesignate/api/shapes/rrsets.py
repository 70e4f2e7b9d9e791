# SPDX-License-Identifier: Apache-2.0
"""An RRset as v2 shows and takes it: a `recordset`."""

from __future__ import annotations

from redesignate.api.shapes.members import ID, NUMBER, TIME, TTL, Member, Null, OneOf, Shown, Text, Texts, Write
from redesignate.api.shapes.shape import Shape
from redesignate.model.limits import DESCRIPTION_LENGTH, NAME_LENGTH
from redesignate.model.rrset import NewRRset, RRsetChange
from redesignate.model.zone import Action, Status

RECORDSET: Shape[NewRRset, RRsetChange] = Shape(
    "recordset",
    Member("id", ID, "The record set's id."),
    Member("zone_id", ID, "The zone that contains it."),
    Member("zone_name", Shown("string"), "That zone's name."),
    Member("project_id", Shown("string"), "The project that created it.", unset=True),
    Member("name", Text(NAME_LENGTH), "The owner name, absolute, as it was typed.", Write.ONCE, required=True),
    Member("type", Text(), "The type of its records, by its mnemonic.", Write.ONCE, required=True),
    Member("records", Texts("list of records"), "The records' data, in presentation form.", Write.ALWAYS),
    Member("ttl", TTL, "Seconds; null takes the zone's.", Write.ALWAYS, null=Null.VALUE),
    Member("description", Text(DESCRIPTION_LENGTH), "Free text.", Write.ALWAYS, null=Null.VALUE),
    Member("status", OneOf(Status), "How far its newest change has come."),
    Member("action", OneOf(Action), "The action that is in progress."),
    Member("version", NUMBER, "How many times it was written."),
    Member("created_at", TIME, "When it was created."),
    Member("updated_at", TIME, "When it was last changed.", unset=True),
    link="/v2/zones/{zone_id}/recordsets/{id}",
    new=NewRRset,
    change=RRsetChange,
)
