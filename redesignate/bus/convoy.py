# SPDX-License-Identifier: Apache-2.0
"""Convoys: questions that would queue for the same lock share one message and one transaction.

Writers of one zone wait for each other in any case, in central, on the zone's row. Here they wait on the sending side:
the first request is sent at once, alone; those that arrive while it is in flight share the next message
(`threads/batch.py`). So no request waits longer than without, none waits for another zone, and each change of a busy
zone costs a fraction.
"""

from __future__ import annotations

from typing import Any

from redesignate.commands.base import Command
from redesignate.commands.rrsets import CreateRRset, DeleteRRset, UpdateRRset, UpsertRRset

MOST = 32
"""The most questions in one message: the first of them waits for the last."""

Lane = tuple[str, str | None]
"""A zone's id and the caller's project: requests of another project, which fail, do not share the owner's message."""


def lane(command: Command[Any]) -> Lane | None:
    """Return the lane of a command: the zone whose row it locks first. None: it is sent by itself."""
    if isinstance(command, CreateRRset | UpdateRRset | UpsertRRset | DeleteRRset):
        return command.zone_id, command.caller.project_id
    return None
