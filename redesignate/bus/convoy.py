# SPDX-License-Identifier: Apache-2.0
"""Convoys: questions that would queue for the same lock travel together, in one message and one transaction.

Writers of one zone wait for each other in any case, in central, on the zone's row. Here they wait on the asking side:
the first request is sent at once, alone; those that arrive while it is in flight share the next message
(`threads/batch.py`). So nobody waits longer than without, nobody waits for somebody else's zone, and a busy zone costs
a fraction for each change.
"""

from __future__ import annotations

from typing import Any

from redesignate.commands.base import Command
from redesignate.commands.rrsets import CreateRRset, DeleteRRset, UpdateRRset

MOST = 32
"""Questions in one message: the first of them waits for the last."""

Lane = tuple[str, str | None]
"""A zone's id and the project that asks: a stranger's requests, which fail, do not travel with the owner's."""


def lane(command: Command[Any]) -> Lane | None:
    """What a command would queue for: the zone whose row it locks first of all. None: it goes by itself."""
    if isinstance(command, CreateRRset | UpdateRRset | DeleteRRset):
        return command.zone_id, command.caller.project_id
    return None
