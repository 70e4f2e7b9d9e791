# SPDX-License-Identifier: Apache-2.0
"""The audit: what servers are believed to serve is compared with what they answer."""

from __future__ import annotations

import msgspec

from redesignate.commands.base import Command
from redesignate.model.audit import Difference, RestingZone


class ZonesAtRest(Command[tuple[RestingZone, ...]], tag="audit.zones", frozen=True):
    """A page of the zones of shards first..last without work in the outbox, by id, those after `after`.

    pool_id   of this pool alone; None: of all
    busy      also those with work
    Fewer than `limit`: there are no more.
    """

    after: str = ""
    first_shard: int = 0
    last_shard: int = 4095
    pool_id: str | None = None
    busy: bool = False
    limit: int = 100


class ReportDifferences(Command[int], tag="audit.differences", frozen=True):
    """Nameservers that do not serve zones at rest as they should. How many of these zones were queued for it.

    Idempotent: what has changed or was queued since counts for nothing.
    """

    differences: tuple[Difference, ...]


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """How many zones were queued, and the serials of how many of them moved past a foreign one."""

    queued: int
    moved: int


class RestoreZones(Command[Restored], tag="audit.restore", frozen=True):
    """After a backup was put back: write down how servers differ from these zones, move serials past foreign ones
    without a limit, and queue every one of the zones. For a time at which no service runs. Idempotent."""

    zone_ids: tuple[str, ...]
    differences: tuple[Difference, ...] = ()
