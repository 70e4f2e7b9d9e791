# SPDX-License-Identifier: Apache-2.0
"""Commands about pools."""

from __future__ import annotations

import msgspec

from redesignate.commands.base import CallerCommand, Command
from redesignate.model.paging import ListQuery, Page
from redesignate.model.pool import NewPool, Pool, PoolChange, PoolSpec


class ListPools(CallerCommand[Page[Pool]], tag="pool.list", frozen=True):
    query: ListQuery


class GetPool(CallerCommand[Pool], tag="pool.get", frozen=True):
    pool_id: str


class CreatePool(CallerCommand[Pool], tag="pool.create", frozen=True):
    new: NewPool


class UpdatePool(CallerCommand[Pool], tag="pool.update", frozen=True):
    """Change what the API shows of a pool. Its servers are `ApplyPool`'s to change."""

    pool_id: str
    change: PoolChange


class PoolReach(msgspec.Struct, frozen=True, kw_only=True):
    """How many zones of a pool a change of it has not reached; each is counted as far as 10,000.

    old_ns_records  zones whose apex has the NS records of before
    unqueued        zones that are not queued yet for servers that changed
    pending         zones that some server of the pool does not serve yet as it should
    """

    pool_id: str
    old_ns_records: int
    unqueued: int
    pending: int


class GetPoolReach(CallerCommand[PoolReach], tag="pool.reach", frozen=True):
    pool_id: str


class ApplyPool(CallerCommand[Pool], tag="pool.apply", frozen=True):
    """Create the pool, or make the stored one (found by id, or else by name) as the spec says. Idempotent.

    Where its servers change, the first `limit` zones are queued with it; `QueuePoolZones` queues the others.
    """

    spec: PoolSpec
    limit: int = 1000


class DeletePool(CallerCommand[None], tag="pool.delete", frozen=True):
    pool_id: str


class QueuedZones(msgspec.Struct, frozen=True, kw_only=True):
    """How far changes of pools' servers have come. `queued`: zones of this batch; `left`: of all that follow, about;
    `more`: whether a further batch is needed."""

    queued: int
    left: int
    more: bool


class QueuePoolZones(Command[QueuedZones], tag="pool.queue", frozen=True):
    """Queue the next zones of a pool whose servers have changed; at most `limit` zones, of any pool, are looked at."""

    limit: int = 1000
