# SPDX-License-Identifier: Apache-2.0
"""A zone as v2 shows and takes it, the names it is delegated to, and the servers it is on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redesignate.api.shapes.members import (
    FLAG,
    ID,
    NUMBER,
    TIME,
    TTL,
    Member,
    Null,
    OneOf,
    Shown,
    Text,
    TextMap,
    Texts,
    Write,
)
from redesignate.api.shapes.shape import Shape
from redesignate.model.limits import ATTRIBUTE_LENGTH, DESCRIPTION_LENGTH, NAME_LENGTH
from redesignate.model.pool import NSRecord
from redesignate.model.work import PeerView
from redesignate.model.zone import Action, NewZone, Status, ZoneChange, ZoneType

TYPE = OneOf(ZoneType, ("PRIMARY", "SECONDARY"))

ZONE: Shape[NewZone, ZoneChange] = Shape(
    "zone",
    Member("id", ID, "The zone's id."),
    Member("pool_id", ID, "The pool whose nameservers serve it; the scheduler chooses it.", Write.IGNORED),
    Member("project_id", Shown("string"), "The project that owns it.", unset=True),
    Member(
        "name",
        Text(NAME_LENGTH),
        "Its name, absolute, in the case it was typed.",
        Write.ONCE,
        required=True,
        shown_as="shown_name",
    ),
    Member("email", Text(NAME_LENGTH, "email"), "The SOA's mailbox.", Write.ALWAYS, null=Null.ABSENT),
    Member("description", Text(DESCRIPTION_LENGTH), "Free text.", Write.ALWAYS, null=Null.VALUE),
    Member("ttl", TTL, "Seconds, for record sets without a TTL of their own.", Write.ALWAYS, null=Null.ABSENT),
    Member("serial", NUMBER, "The SOA's serial."),
    Member("status", OneOf(Status), "How far the newest change has come."),
    Member("action", OneOf(Action), "The action that is in progress."),
    Member("version", NUMBER, "How many times it was written."),
    Member("attributes", TextMap(ATTRIBUTE_LENGTH), "Hints to the scheduler.", Write.ALWAYS, null=Null.ABSENT),
    Member(
        "type",
        TYPE,
        "Whether its content is edited here or transferred.",
        Write.ONCE,
        null=Null.ABSENT,
    ),
    Member(
        "masters",
        Texts(),
        "A SECONDARY zone's primaries, `host` or `host:port`.",
        Write.ALWAYS,
        null=Null.ABSENT,
        field="primaries",
    ),
    Member("shared", FLAG, "Whether other projects may use it."),
    Member("created_at", TIME, "When it was created."),
    Member("updated_at", TIME, "When it was last changed.", unset=True),
    Member(
        "transferred_at", TIME, "When a SECONDARY zone was last fetched, or a CATALOG zone was complete.", unset=True
    ),
    link="/v2/zones/{id}",
    new=NewZone,
    change=ZoneChange,
)

NAMESERVER: Shape[None, None] = Shape(
    "nameserver",
    Member("hostname", Shown("string"), "The name of a nameserver."),
    Member("priority", NUMBER, "Its rank, the lowest first."),
)

PEER: Shape[None, None] = Shape(
    "peer",
    Member("address", Shown("string"), "Where the server is."),
    Member("role", Shown("string"), "What it is to the zone: nameserver, target, or primary of a SECONDARY zone."),
    Member("state", Shown("string"), "current, behind, absent, expired or unknown."),
    Member("serial", NUMBER, "The serial that it was last seen to serve.", unset=True),
    Member("since", TIME, "Since when it has the content that it has.", unset=True),
    Member("attempts", NUMBER, "Failed attempts since the last good one."),
    Member("error", Shown("string"), "Why the last attempt failed.", unset=True),
    Member("next_try", TIME, "When the next attempt is due.", unset=True),
)


def nameservers(records: Iterable[NSRecord]) -> dict[str, list[dict[str, Any]]]:
    """The names that a zone is delegated to."""
    return {"nameservers": NAMESERVER.listed(records)}


def peers(views: Iterable[PeerView]) -> dict[str, list[dict[str, Any]]]:
    """On which server a zone is, and why not on the others."""
    return {"peers": PEER.listed(views)}
