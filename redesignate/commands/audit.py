# SPDX-License-Identifier: Apache-2.0
"""The audit: what servers are believed to serve is compared with what they answer."""

from __future__ import annotations

from redesignate.commands.base import Command
from redesignate.model.audit import Difference, RestingZone


class ZonesAtRest(Command[tuple[RestingZone, ...]], tag="audit.zones", frozen=True):
    """A page of the zones of shards first..last without work in the outbox, by id, those after `after`.

    pool_id   of this pool alone; None: of all
    Fewer than `limit`: there are no more.
    """

    after: str = ""
    first_shard: int = 0
    last_shard: int = 4095
    pool_id: str | None = None
    limit: int = 100


class ReportDifferences(Command[int], tag="audit.differences", frozen=True):
    """Nameservers that do not serve zones at rest as they should. How many of these zones were queued for it.

    Idempotent: what has changed or was queued since counts for nothing.
    """

    differences: tuple[Difference, ...]
