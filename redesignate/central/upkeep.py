# SPDX-License-Identifier: Apache-2.0
"""What the producer has done now and then: overdue work woken again, old rows forgotten, apexes brought up to date."""

from __future__ import annotations

from redesignate.central import apex
from redesignate.central.rules import Answers, Rules
from redesignate.commands.upkeep import ForgetQuestions, PurgeZones, RefreshApexes, TrimJournal
from redesignate.commands.work import Overdue, PeerReturned
from redesignate.model.clock import SECOND
from redesignate.store.questions import Questions
from redesignate.store.unit import Work

SHARDS = 4096
HINTS = 500


def overdue(rules: Rules, work: Work, command: Overdue) -> tuple[str, ...]:
    """Zones whose work is due since `grace_s` and held by nobody, oldest first. One query.

    The sweep (`wake`) also finds what a clock that was set back has left waiting for a time far ahead.
    """
    before = work.now - int(command.grace_s * SECOND)
    found = work.outbox.overdue(before, command.first_shard, command.last_shard, command.limit)
    if command.wake:
        longest = 2 * rules.settings.poll_retry_interval * SECOND
        room = command.limit - len(found)
        found += work.outbox.stranded(work.now, longest, command.first_shard, command.last_shard, room)
        work.hints.extend(found)
    return found


def peer_returned(_rules: Rules, work: Work, command: PeerReturned) -> int:
    """Every zone of the pool that waits for this peer is due now; how many. The first few hundred are hinted at once.

    Three statements; the sweep finds the rest.
    """
    count = work.outbox.hurry(command.pool_id, command.peer_id, work.now)
    if count:
        work.hints.extend(work.outbox.overdue(work.now, 0, SHARDS - 1, HINTS))
    return count


def purge_zones(_rules: Rules, work: Work, command: PurgeZones) -> int:
    """Forget zones deleted long ago, with all they held; how many. Those a server has yet to drop are kept."""
    found = work.zones.purgeable(
        work.now - command.age_s * SECOND, command.first_shard, command.last_shard, command.limit
    )
    if found:
        work.rrsets.forget(found)
        work.journal.forget(found)
        work.peers.forget(found)
        work.zones.forget(found)
    return len(found)


def trim_journal(_rules: Rules, work: Work, command: TrimJournal) -> int:
    """Drop old journal rows; how many. Who asks for an older version gets the zone whole."""
    return work.journal.trim(work.now - command.age_s * SECOND, command.first_shard, command.last_shard, command.limit)


def refresh_apexes(_rules: Rules, work: Work, command: RefreshApexes) -> int:
    """Bring at most `limit` zones' apexes to their pools' NS records of now; how many were behind. Idempotent."""
    done = 0
    for pool_id, version in work.pools.apex_versions().items():
        for zone_id in work.zones.with_old_apex(pool_id, version, command.limit - done):
            done += apex.refresh(work, zone_id)
    return done


def forget_questions(_rules: Rules, work: Work, command: ForgetQuestions) -> int:
    """Forget questions that were carried out long ago: nobody asks them again. How many."""
    return Questions(work.conn).forget(command.age_s * SECOND, command.limit)


ANSWERS: Answers = {
    Overdue: overdue,
    PeerReturned: peer_returned,
    PurgeZones: purge_zones,
    TrimJournal: trim_journal,
    RefreshApexes: refresh_apexes,
    ForgetQuestions: forget_questions,
}
