# SPDX-License-Identifier: Apache-2.0
"""A change of a pool's servers reaches its zones: each is queued again, in batches that whoever comes next resumes."""

from __future__ import annotations

from collections.abc import Collection

from redesignate.central import catalogs
from redesignate.central.rules import Answers, Rules
from redesignate.commands.pools import GetPoolReach, PoolReach, QueuedZones, QueuePoolZones
from redesignate.model.errors import PoolNotFound
from redesignate.model.pool import Pool
from redesignate.store.few import MANY
from redesignate.store.poolchanges import PoolChange, PoolChanges
from redesignate.store.poolguard import PoolGuard
from redesignate.store.unit import Work

LISTED_AT_ONCE = 100
"""Zones of a batch that lists them in a new catalog zone: creations in the pool wait for it, or on Galera undo it."""


def begin(work: Work, pool: Pool, forgotten: Collection[str], limit: int) -> None:
    """Have every zone of a pool queued, and the states of these peers forgotten. Call under the pool's lock.

    The first `limit` zones are queued at once, so that a small pool needs no second transaction. Not on Galera: another
    node may have created and served a zone by the old definition that is not seen here before the commit.
    Cost   at most nine statements, of the size of a batch, and those of `catalogs.fill`; one counts the pool's zones
    """
    changes = PoolChanges(work.conn)
    change = changes.begin(pool.id, pool.version, forgotten)
    if not PoolGuard(work.conn).needed():
        _batch(work, changes, change, limit)


def queue_pool_zones(_rules: Rules, work: Work, command: QueuePoolZones) -> QueuedZones:
    """Queue the next zones of a pool whose servers have changed; say how many, and what is left. Idempotent.

    Cost   at most eight statements, of the size of a batch, and those of `catalogs.fill` where the pool has a new
           catalog; two where nothing is left
    """
    changes = PoolChanges(work.conn)
    change = changes.next()
    queued = _batch(work, changes, change, command.limit) if change else 0
    pools, left = changes.left()
    return QueuedZones(queued=queued, left=left, more=pools > 0)


def pool_reach(rules: Rules, work: Work, command: GetPoolReach) -> PoolReach:
    """Return how many zones of a pool its last changes have not reached. Raises Forbidden, PoolNotFound.

    Cost   five queries; each counts MANY rows of an index at most
    """
    rules.policy.may("get_pool", command.caller, {})
    pool_id = command.pool_id
    if work.pools.get(pool_id) is None:
        raise PoolNotFound("Could not find Pool")
    return PoolReach(
        pool_id=pool_id,
        old_ns_records=work.zones.count_old_apexes(pool_id, work.pools.apex_versions()[pool_id], MANY),
        unqueued=PoolChanges(work.conn).unqueued(pool_id),
        pending=work.outbox.count(pool_id, MANY),
    )


def _batch(work: Work, changes: PoolChanges, change: PoolChange, limit: int) -> int:
    """Queue the zones of the next window and note that they are, so that a zone is queued or still to come."""
    catalog = catalogs.unfinished(work, change.pool_id)
    window = changes.window(change, min(limit, LISTED_AT_ONCE) if catalog else limit)
    # first the rows, as a report does: one that is being stored ends before, or is refused; then all of it is there
    work.outbox.enqueue_pool(change.pool_id, work.now, change.up_to, window.last)
    if change.peers:
        work.peers.forget_peers(change.peers, change.up_to, window.last)
    if catalog is not None:
        catalogs.fill(work, catalog, change.up_to, window.last)
    changes.advance(change, window)
    if window.last is None and change.queued:
        work.events.append(
            ("pool changed on every zone", {"pool": change.pool_id, "zones": change.queued + window.mine})
        )
    return window.mine


ANSWERS: Answers = {
    GetPoolReach: pool_reach,
    QueuePoolZones: queue_pool_zones,
}
