# SPDX-License-Identifier: Apache-2.0
"""Transfer requests and acceptances as v2 shows and takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redesignate.api.shapes.members import ID, TIME, Member, Null, OneOf, Shown, Text, Write
from redesignate.api.shapes.shape import Shape
from redesignate.model.limits import DESCRIPTION_LENGTH, PROJECT_LENGTH
from redesignate.model.transfer import (
    NewTransferAccept,
    NewTransferRequest,
    TransferRequest,
    TransferRequestChange,
    TransferStatus,
)

_ID = Member("id", ID, "The request's id.")
_ZONE = Member("zone_id", ID, "The zone that is offered.")
_NAME = Member("zone_name", Shown("string"), "That zone's name.")
_DESCRIPTION = Member("description", Text(DESCRIPTION_LENGTH), "Free text.", Write.ALWAYS, null=Null.VALUE)
_STATUS = Member("status", OneOf(TransferStatus), "ACTIVE, and COMPLETE once it was accepted.")
_LINK = "/v2/zones/tasks/transfer_requests/{id}"

REQUEST: Shape[NewTransferRequest, TransferRequestChange] = Shape(
    "zone_transfer_request",
    _ID,
    _ZONE,
    _NAME,
    Member("project_id", Shown("string"), "The project that offers it."),
    Member(
        "target_project_id",
        Text(PROJECT_LENGTH),
        "The project that alone may accept it; null: any that has the key.",
        Write.ALWAYS,
        null=Null.VALUE,
    ),
    _DESCRIPTION,
    Member("key", Shown("string"), "What the acceptance must send."),
    _STATUS,
    Member("created_at", TIME, "When it was created."),
    Member("updated_at", TIME, "When it was last changed.", unset=True),
    link=_LINK,
    new=NewTransferRequest,
    change=TransferRequestChange,
)
BRIEF: Shape[None, None] = Shape(
    "zone_transfer_request_seen_by_others", _ID, _ZONE, _DESCRIPTION, _STATUS, _NAME, link=_LINK
)
"""A request to all but its owner."""

ACCEPT: Shape[NewTransferAccept, None] = Shape(
    "zone_transfer_accept",
    Member("id", ID, "The acceptance's id."),
    Member("zone_transfer_request_id", Text(), "The request that is accepted.", Write.ONCE, required=True),
    Member("project_id", Shown("string"), "The zone's new owner."),
    Member(
        "key", Text(), "The request's key; null but in the answer to the POST.", Write.ONCE, required=True, unset=True
    ),
    Member("status", OneOf(TransferStatus), "COMPLETE."),
    Member("zone_id", ID, "The zone."),
    Member("created_at", TIME, "When it was created."),
    Member("updated_at", TIME, "When it was last changed.", unset=True),
    link="/v2/zones/tasks/transfer_accepts/{id}",
    links={"zone": "/v2/zones/{zone_id}"},
    new=NewTransferAccept,
)


def requests(found: Iterable[TransferRequest], base: str) -> list[Any]:
    """Requests as JSON, each as its reader may see it."""
    return [(REQUEST if one.detailed else BRIEF).shown(one, base) for one in found]
