# SPDX-License-Identifier: Apache-2.0
"""The producer's periodic tasks: they hint again at overdue work, delete old rows, bring apexes up to date and fill in
order keys."""

from __future__ import annotations

from redesignate.central import apex
from redesignate.central.repeats import KEPT_S
from redesignate.central.rules import Answers, Rules
from redesignate.commands.hint import Hint, Kind
from redesignate.commands.upkeep import (
    FindUnplaced,
    ForgetQuestions,
    ForgetTasks,
    PlaceRRsets,
    PurgeZones,
    RefreshApexes,
    TrimJournal,
    UnplacedZones,
)
from redesignate.commands.work import Overdue, PeerReturned
from redesignate.model.clock import SECOND
from redesignate.store.exports import Exports
from redesignate.store.handovers import Handovers
from redesignate.store.imports import Imports
from redesignate.store.kept import Kept
from redesignate.store.questions import Questions
from redesignate.store.repeats import Repeats
from redesignate.store.shares import Shares
from redesignate.store.transfers import Transfers
from redesignate.store.unit import Work
from redesignate.store.unplaced import UnplacedRRsets

SHARDS = 4096
MOST_TASKS = 1000
"""Exports of a zone, and imports of a project that failed."""
HINTS = 500
OVERLAP = 900 * SECOND
"""How far back changes are looked at again: a transaction may last, and hosts' clocks differ."""


def overdue(rules: Rules, work: Work, command: Overdue) -> tuple[str, ...]:
    """List zones whose work has been due for `grace_s` and is not leased, oldest first. One query.

    The sweep (`wake`) also finds work that waits for a time far ahead because a clock was set back.
    """
    grace = int(command.grace_s * SECOND)
    found = work.outbox.overdue(work.now, grace, command.first_shard, command.last_shard, command.limit)
    if command.wake:
        longest = 2 * rules.settings.poll_retry_interval * SECOND
        room = command.limit - len(found)
        found += work.outbox.stranded(work.now, longest, command.first_shard, command.last_shard, room)
        work.hints += [Hint(Kind.OUTBOUND, zone_id) for zone_id in found]
    return found


def peer_returned(_rules: Rules, work: Work, command: PeerReturned) -> int:
    """Make every zone of the pool that waits for this peer due now; return how many. Hints at the first HINTS.

    Three statements; the sweep finds the rest.
    """
    count = work.outbox.hurry(command.pool_id, command.peer_id, work.now)
    if count:
        overdue_now = work.outbox.overdue(work.now, 0, 0, SHARDS - 1, HINTS)
        work.hints += [Hint(Kind.OUTBOUND, zone_id) for zone_id in overdue_now]
    return count


def purge_zones(_rules: Rules, work: Work, command: PurgeZones) -> int:
    """Purge zones deleted long ago, with all their rows; return how many. Those a server still has are kept."""
    found = work.zones.purgeable(
        work.now - command.age_s * SECOND, command.first_shard, command.last_shard, command.limit
    )
    if found:
        work.rrsets.forget(found)
        work.journal.forget(found)
        work.peers.forget(found)
        Kept(work.conn).forget(found)
        Exports(work.conn).forget(found)
        Imports(work.conn).forget(found)
        Shares(work.conn).forget(found)
        Transfers(work.conn, work.secrets).forget(found)
        Handovers(work.conn).forget(found)
        work.zones.forget(found)
    return len(found)


def trim_journal(_rules: Rules, work: Work, command: TrimJournal) -> int:
    """Delete old journal rows; return how many. A server with an older serial then gets the whole zone."""
    return work.journal.trim(work.now - command.age_s * SECOND, command.first_shard, command.last_shard, command.limit)


def refresh_apexes(_rules: Rules, work: Work, command: RefreshApexes) -> int:
    """Update at most `limit` zones' apexes to their pools' current NS records; return how many. Idempotent."""
    done = 0
    for pool_id, version in work.pools.apex_versions().items():
        for zone_id in work.zones.with_old_apex(pool_id, version, command.limit - done):
            done += apex.refresh(work, zone_id)
    return done


def forget_questions(_rules: Rules, work: Work, command: ForgetQuestions) -> int:
    """Delete the records of questions carried out long ago, which are not repeated any more, and those of clients'
    requests; return how many."""
    done = Repeats(work.conn).forget(KEPT_S * SECOND, command.limit)
    return done + Questions(work.conn).forget(command.age_s * SECOND, command.limit)


def forget_tasks(_rules: Rules, work: Work, command: ForgetTasks) -> int:
    """Delete rows of exports and of imports that failed: those that are old, and the oldest beyond MOST_TASKS of a zone
    or a project; return how many."""
    before = work.now - command.age_s * SECOND if command.age_s else 0
    done = Exports(work.conn).forget_old(before, MOST_TASKS, command.limit)
    return done + Imports(work.conn).forget_failed(before, MOST_TASKS, command.limit - done)


def find_unplaced(_rules: Rules, work: Work, command: FindUnplaced) -> UnplacedZones:
    """Find zones in which a process of an older release has left order keys out, during an upgrade.

    Behind the last zone the next step begins OVERLAP ago, so that zones at rest are not looked at again. One query.
    """
    rows = UnplacedRRsets(work.conn).looked_at(command.at, command.after, command.limit)
    more = len(rows) == command.limit
    return UnplacedZones(
        zone_ids=tuple(row.id for row in rows if row.wrong),
        at=rows[-1].updated_at if more else work.now - OVERLAP,
        after=rows[-1].id if more else "",
        more=more,
    )


def place_rrsets(_rules: Rules, work: Work, command: PlaceRRsets) -> int:
    """Write order keys of a zone; return how many. Nothing that is served changes: no revision. Idempotent."""
    count = UnplacedRRsets(work.conn).place(command.zone_id, command.limit)
    if count:
        work.events.append(("order keys filled in", {"zone": command.zone_id, "rrsets": count}))
    return count


ANSWERS: Answers = {
    Overdue: overdue,
    PeerReturned: peer_returned,
    PurgeZones: purge_zones,
    TrimJournal: trim_journal,
    RefreshApexes: refresh_apexes,
    ForgetQuestions: forget_questions,
    ForgetTasks: forget_tasks,
    FindUnplaced: find_unplaced,
    PlaceRRsets: place_rrsets,
}
