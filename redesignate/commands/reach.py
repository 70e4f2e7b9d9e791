# SPDX-License-Identifier: Apache-2.0
"""The command by which those who wait for nameservers ask how far they are."""

from __future__ import annotations

import msgspec

from redesignate.commands.base import Command
from redesignate.model.zone import Status
from redesignate.model.zonetask import TaskStatus


class ZoneReach(msgspec.Struct, frozen=True, kw_only=True):
    """How far the nameservers of a zone are.

    revision   the zone's newest; `confirmed` the one that enough of them serve, `served` the one that all of them do,
               or, where the zone is being deleted, at which all of them dropped it
    gone       whether the zone is deleted, and enough of them have dropped it
    """

    zone_id: str
    revision: int
    confirmed: int
    served: int
    status: Status
    gone: bool


class ImportReach(msgspec.Struct, frozen=True, kw_only=True):
    """How far an import is, and the zone that it has become."""

    import_id: str
    status: TaskStatus
    zone_id: str | None


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of them; those that do not exist are missing."""

    zones: tuple[ZoneReach, ...]
    imports: tuple[ImportReach, ...]


class AskReach(Command[Reached], tag="reach.ask", frozen=True):
    """Return how far the nameservers of these zones are, deleted ones too, and these imports."""

    zone_ids: tuple[str, ...] = ()
    import_ids: tuple[str, ...] = ()
