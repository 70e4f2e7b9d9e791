# SPDX-License-Identifier: Apache-2.0
"""A pool as v2 shows and takes it: without the servers behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redesignate.api.shapes.members import (
    ID,
    NUMBER,
    TEXT,
    TIME,
    Member,
    Null,
    Shown,
    Text,
    TextMap,
    Whole,
    Write,
    json_type,
    refuse,
)
from redesignate.api.shapes.shape import Shape
from redesignate.commands.pools import PoolReach
from redesignate.model.limits import ATTRIBUTE_LENGTH, DESCRIPTION_LENGTH, PROJECT_LENGTH
from redesignate.model.pool import NewPool, NSRecord, PoolChange

PRIORITY = Whole(1, 10000)


@dataclass(frozen=True, slots=True)
class NSRecords:
    """An array of objects with `hostname` and `priority`."""

    def read(self, name: str, value: Any) -> tuple[NSRecord, ...]:
        """The NS records in the order given. Raises InvalidObject."""
        if not isinstance(value, list):
            raise refuse(f"{name} must be a list, not {json_type(value)}")
        return tuple([self._record(f"{name}[{at}]", item) for at, item in enumerate(value)])

    def schema(self, given: bool, /) -> dict[str, Any]:
        """An array of objects, each with both members."""
        members = {"hostname": TEXT.schema(given), "priority": PRIORITY.schema(given)}
        record = {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}
        return {"type": "array", "items": record}

    def _record(self, name: str, value: Any) -> NSRecord:
        if not isinstance(value, dict):
            raise refuse(f"{name} must be an object, not {json_type(value)}")
        if value.keys() != {"hostname", "priority"}:
            raise refuse(f"{name} must have the members hostname and priority, and no others")
        hostname = TEXT.read(f"{name}.hostname", value["hostname"])
        return NSRecord(hostname, PRIORITY.read(f"{name}.priority", value["priority"]))


POOL: Shape[NewPool, PoolChange] = Shape(
    "pool",
    Member("id", ID, "The pool's id."),
    Member(
        "project_id",
        Text(PROJECT_LENGTH),
        "The project that created it, if any.",
        Write.ONCE,
        null=Null.VALUE,
    ),
    Member("name", Text(50), "Its name, which no other pool has.", Write.ALWAYS, required=True),
    Member("description", Text(DESCRIPTION_LENGTH), "Free text.", Write.ALWAYS, null=Null.VALUE),
    Member(
        "attributes",
        TextMap(ATTRIBUTE_LENGTH),
        "What the scheduler compares with a zone's attributes.",
        Write.ALWAYS,
        null=Null.ABSENT,
    ),
    Member(
        "ns_records",
        NSRecords(),
        "The NS records at the apex of each of its zones.",
        Write.ALWAYS,
        null=Null.ABSENT,
    ),
    Member("created_at", TIME, "When it was created."),
    Member("updated_at", TIME, "When it was last changed.", unset=True),
    link="/v2/pools/{id}",
    new=NewPool,
    change=PoolChange,
)

REACH: Shape[PoolReach, PoolReach] = Shape(
    "pool progress",
    Member("pool_id", Shown("string", "uuid"), "The pool."),
    Member("old_ns_records", NUMBER, "Zones whose apex has the NS records of before."),
    Member("unqueued", NUMBER, "Zones that are still to be queued for servers that changed."),
    Member("pending", NUMBER, "Zones that some server of the pool does not serve as it should."),
)
