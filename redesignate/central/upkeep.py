# SPDX-License-Identifier: Apache-2.0
"""What the producer has done now and then: overdue work woken again, old rows forgotten, apexes brought up to date."""

from __future__ import annotations

from redesignate.bus.port import Overdue, PurgeZones, TrimJournal
from redesignate.central import apex
from redesignate.central.rules import Rules
from redesignate.model.clock import SECOND
from redesignate.store.unit import Work

SHARDS = 4096
HINTS = 500


def overdue(rules: Rules, work: Work, asked: Overdue) -> tuple[str, ...]:
    """Zones whose work is due since `grace_s` and held by nobody, oldest first. One query.

    The sweep (`wake`) also finds what a clock that was set back has left waiting for a time far ahead.
    """
    before = work.now - int(asked.grace_s * SECOND)
    found = work.outbox.overdue(before, asked.first_shard, asked.last_shard, asked.limit)
    if asked.wake:
        longest = 2 * rules.settings.poll_retry_interval * SECOND
        room = asked.limit - len(found)
        found += work.outbox.stranded(work.now, longest, asked.first_shard, asked.last_shard, room)
        work.hints.extend(found)
    return found


def peer_returned(work: Work, pool_id: str, peer_id: str) -> int:
    """Every zone of the pool that waits for this peer is due now; how many. The first few hundred are hinted at once.

    Three statements; the sweep finds the rest.
    """
    count = work.outbox.hurry(pool_id, peer_id, work.now)
    if count:
        work.hints.extend(work.outbox.overdue(work.now, 0, SHARDS - 1, HINTS))
    return count


def purge_zones(work: Work, asked: PurgeZones) -> int:
    """Forget zones deleted long ago, with all they held; how many. Those a server has yet to drop are kept."""
    found = work.zones.purgeable(work.now - asked.age_s * SECOND, asked.first_shard, asked.last_shard, asked.limit)
    if found:
        work.rrsets.forget(found)
        work.journal.forget(found)
        work.peers.forget(found)
        work.zones.forget(found)
    return len(found)


def trim_journal(work: Work, asked: TrimJournal) -> int:
    """Drop old journal rows; how many. Who asks for an older version gets the zone whole."""
    return work.journal.trim(work.now - asked.age_s * SECOND, asked.first_shard, asked.last_shard, asked.limit)


def refresh_apexes(work: Work, limit: int) -> int:
    """Bring at most `limit` zones' apexes to their pools' NS records of now; how many were behind. Idempotent."""
    done = 0
    for pool_id, version in work.pools.apex_versions().items():
        for zone_id in work.zones.with_old_apex(pool_id, version, limit - done):
            done += apex.refresh(work, zone_id)
    return done
