# SPDX-License-Identifier: Apache-2.0
"""Commands of the audit, which compares servers' recorded states with their answers."""

from __future__ import annotations

import msgspec

from redesignate.commands.base import Command
from redesignate.model.audit import Difference, RestingZone


class ZonesAtRest(Command[tuple[RestingZone, ...]], tag="audit.zones", frozen=True):
    """Return a page of the zones of shards first..last without work in the outbox, by id, after the id `after`.

    pool_id   only zones of this pool; None: of all
    busy      include zones with work
    Fewer than `limit` zones: there are no more.
    """

    after: str = ""
    first_shard: int = 0
    last_shard: int = 4095
    pool_id: str | None = None
    busy: bool = False
    limit: int = 100


class ReportDifferences(Command[int], tag="audit.differences", frozen=True):
    """Report nameservers that do not serve zones at rest as they should. Returns how many zones were queued for it.

    Idempotent: differences of zones that have changed or were queued since are ignored.
    """

    differences: tuple[Difference, ...]


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """The number of zones that were queued, and of those whose serials were raised past a foreign one."""

    queued: int
    moved: int


class RestoreZones(Command[Restored], tag="audit.restore", frozen=True):
    """After a backup was restored: record how servers differ from these zones, raise serials past foreign ones
    without a limit, and queue every one of the zones. Use it while no service runs. Idempotent."""

    zone_ids: tuple[str, ...]
    differences: tuple[Difference, ...] = ()
