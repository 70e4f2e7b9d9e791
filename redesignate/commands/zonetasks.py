# SPDX-License-Identifier: Apache-2.0
"""Commands about zones that leave their servers: without a word to them, or for those of another pool."""

from __future__ import annotations

from enum import Enum

import msgspec

from redesignate.commands.base import CallerCommand, Command
from redesignate.model.zone import Zone


class AbandonZone(CallerCommand[None], tag="zone.abandon", frozen=True):
    """Forget a zone; its servers keep it and are not asked to drop it."""

    zone_id: str


class MoveZone(CallerCommand[Zone], tag="zone.move", frozen=True):
    """Move a zone to another pool; without `pool_id`, to the one that the scheduler's filters choose."""

    zone_id: str
    pool_id: str | None = None


class MoveStep(Enum):
    """What a pool that a zone has left is waiting for.

    WAITING   the servers of the zone's pool do not all serve it yet: this pool's servers keep it
    REMOVING  this pool's servers are being asked to drop it
    """

    WAITING = "WAITING"
    REMOVING = "REMOVING"


class MoveSource(msgspec.Struct, frozen=True, kw_only=True):
    """A pool that a zone is leaving.

    servers_left  how many servers are still to serve the zone (WAITING), or to drop it (REMOVING)
    error         why one of them does not, in one line; None where nothing failed
    """

    pool_id: str
    step: MoveStep
    servers_left: int
    error: str | None = None


class ZoneMove(msgspec.Struct, frozen=True, kw_only=True):
    """How far the moves of a zone to its pool have come; without sources they are complete."""

    zone_id: str
    pool_id: str
    sources: tuple[MoveSource, ...]

    @property
    def status(self) -> str:
        """In a word."""
        return "PENDING" if self.sources else "COMPLETE"


class GetZoneMove(CallerCommand[ZoneMove], tag="zone.moved", frozen=True):
    zone_id: str


class MovesLooked(msgspec.Struct, frozen=True, kw_only=True):
    """One step through the zones that are being moved. `count`: how many went on; `after`: where the next step begins;
    `more`: whether there is one."""

    count: int
    after: str
    more: bool


class ContinueMoves(Command[MovesLooked], tag="zone.moves", frozen=True):
    """Look at `limit` zones that are being moved, in the order of ids, behind the zone `after`: where all servers of
    the new pool serve a zone, have those of the former drop it."""

    after: str = ""
    limit: int = 100
