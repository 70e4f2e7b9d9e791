# SPDX-License-Identifier: Apache-2.0
"""What a move to another pool takes, and how far it has come."""

from __future__ import annotations

from typing import Any

from redesignate.api.shapes.members import ID, Member, Null, Shown, Text, Write
from redesignate.api.shapes.shape import Shape
from redesignate.commands.zonetasks import MoveStep

MOVE: Shape[dict[str, Any], None] = Shape(
    "pool_move",
    Member("pool_id", Text(form="uuid"), "The pool; without it, the scheduler chooses.", Write.ONCE, null=Null.VALUE),
)

_SOURCE = {
    "type": "object",
    "properties": {
        "pool_id": {"type": "string", "format": "uuid", "description": "A pool that it is leaving."},
        "step": {
            "type": "string",
            "enum": [step.value for step in MoveStep],
            "description": "What that pool waits for.",
        },
        "servers_left": {"type": "integer", "description": "Servers that are still to serve it, or to drop it."},
        "error": {"type": ["string", "null"], "description": "Why one of them does not."},
    },
    "required": ["pool_id", "step", "servers_left", "error"],
}
MOVED: Shape[None, None] = Shape(
    "zone move",
    Member("zone_id", ID, "The zone."),
    Member("pool_id", ID, "The pool that it is in."),
    Member("status", Shown("string"), "`COMPLETE`, or `PENDING` while a pool that it left still has it."),
    Member("sources", Shown("array", items=_SOURCE), "The pools that it is leaving."),
)
