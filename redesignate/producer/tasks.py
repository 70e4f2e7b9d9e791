# SPDX-License-Identifier: Apache-2.0
"""The producer's periodic tasks: one function for each task, and the table of them.

A task gets central, the shards that belong to this member, and its own settings; it returns how many things it did.
Each is idempotent, so a second member that works on the same shards does no harm. `service.py` decides when and how
often a task runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from redesignate.bus.port import Central
from redesignate.commands.inbound import ForgetCopies, SweepInbound
from redesignate.commands.pools import QueuePoolZones
from redesignate.commands.services import CheckServices
from redesignate.commands.transfers import HandOverRRsets
from redesignate.commands.upkeep import (
    FindUnplaced,
    ForgetQuestions,
    ForgetTasks,
    PlaceRRsets,
    PurgeZones,
    RefreshApexes,
    TrimJournal,
)
from redesignate.commands.work import Overdue
from redesignate.commands.zonetasks import ContinueMoves
from redesignate.config.settings import ProducerSettings, TaskSettings
from redesignate.coord.partitions import SHARDS
from redesignate.model.errors import Misconfigured
from redesignate.observe.log import events

log = events(__name__)

Task = Callable[[Central, range, TaskSettings], int]

GRACE_S = 2.0
"""How long work may be due before the sweep hints again: a hint normally arrives within milliseconds."""

ORPHAN_GRACE_S = 30.0
"""Every member hints at work that is due for so long, of any shard: a member's view of the group is wrong then."""

MOST_ROUNDS = 1000
ROWS = 1000
"""Order keys of one transaction."""
ONCE_A_MINUTE = TaskSettings(interval=60)


class OverdueSweep:
    """Hints again at due work that no worker took, after a crash, a lost message or a lost lease.

    While no work is taken (no worker runs) it pauses longer and longer, so that hints do not pile up in the broker.
    whole_every   once in so many runs it sweeps the shards of all members, for work that is due much longer
    """

    def __init__(self, *, longest_pause: int = 10, whole_every: int = 30) -> None:
        self._longest_pause = longest_pause
        self._whole_every = whole_every
        self._runs = 0
        self._skip = self._pause = 0
        self._last: tuple[str, ...] = ()

    def __call__(self, central: Central, mine: range, settings: TaskSettings) -> int:
        """One run. Cost: one question to central, two every `whole_every` runs, none while pausing."""
        self._runs += 1
        hinted = 0
        if len(mine) < SHARDS and self._runs % self._whole_every == 0:
            hinted += len(_hint(central, range(SHARDS), settings.batch_size, ORPHAN_GRACE_S))
        if self._skip:
            self._skip -= 1
            return hinted
        found = _hint(central, mine, settings.batch_size, GRACE_S) if mine else ()
        stuck = bool(found) and found == self._last
        self._pause = min(max(1, self._pause * 2), self._longest_pause) if stuck else 0
        self._skip, self._last = self._pause, found
        return hinted + len(found)


def _hint(central: Central, of: range, limit: int, grace_s: float) -> tuple[str, ...]:
    return central.call(Overdue(first_shard=of.start, last_shard=of.stop - 1, limit=limit, grace_s=grace_s, wake=True))


def purge_zones(central: Central, mine: range, settings: TaskSettings) -> int:
    """Purge zones deleted for longer than time_threshold, in batches. Cost: one question for each batch."""

    def batch() -> int:
        return central.call(
            PurgeZones(
                first_shard=mine.start,
                last_shard=mine.stop - 1,
                age_s=settings.time_threshold,
                limit=settings.batch_size,
            )
        )

    return _until_short(batch, settings.batch_size) if mine else 0


def trim_journal(central: Central, mine: range, settings: TaskSettings) -> int:
    """Delete journal rows older than time_threshold, in batches. Cost: one question for each batch."""

    def batch() -> int:
        return central.call(
            TrimJournal(
                first_shard=mine.start,
                last_shard=mine.stop - 1,
                age_s=settings.time_threshold,
                limit=settings.batch_size,
            )
        )

    return _until_short(batch, settings.batch_size) if mine else 0


def check_services(central: Central, mine: range, settings: TaskSettings) -> int:
    """Mark services as DOWN that were silent for time_threshold. Only the first member does this."""
    return central.call(CheckServices(silent_s=settings.time_threshold)) if _first(mine) else 0


def forget_services(central: Central, mine: range, settings: TaskSettings) -> int:
    """Remove STOPPED services, and those DOWN for time_threshold (0: never). Only the first member does this."""
    return central.call(CheckServices(forget_s=settings.time_threshold)) if _first(mine) else 0


def refresh_apexes(central: Central, mine: range, settings: TaskSettings) -> int:
    """Update zones' apexes after a change of a pool's NS records, where its command was interrupted. Only the first
    member does this."""
    if not _first(mine):
        return 0
    return _until_short(lambda: central.call(RefreshApexes(limit=settings.batch_size)), settings.batch_size)


def queue_pool_zones(central: Central, mine: range, settings: TaskSettings) -> int:
    """Queue the zones of pools whose servers have changed, where `pool update` was interrupted. Only the first member
    does this."""
    if not _first(mine):
        return 0
    done = 0
    for _ in range(MOST_ROUNDS):
        batch = central.call(QueuePoolZones(limit=settings.batch_size))
        done += batch.queued
        if not batch.more:
            break
    return done


def continue_moves(central: Central, mine: range, settings: TaskSettings) -> int:
    """Have servers drop zones that have moved to another pool and are served there. Only the first member does this.

    Cost: one question a run while no zone is being moved.
    """
    if not _first(mine):
        return 0
    done, after = 0, ""
    for _ in range(MOST_ROUNDS):
        step = central.call(ContinueMoves(after=after, limit=settings.batch_size))
        done, after = done + step.count, step.after
        if not step.more:
            break
    return done


def hand_over(central: Central, mine: range, settings: TaskSettings) -> int:
    """Write the RRsets of large zones that were transferred over to their owners, in steps. Only the first member does
    this. Cost: one question for each step."""
    if not _first(mine):
        return 0
    done, after = 0, ""
    for _ in range(MOST_ROUNDS):
        step = central.call(HandOverRRsets(limit=settings.batch_size, after=after))
        done, after = done + step.rrsets, step.after
        if not step.more:
            break
    return done


def trim_questions(central: Central, mine: range, settings: TaskSettings) -> int:
    """Delete the records of questions carried out time_threshold ago, in batches. Only the first member does this."""
    if not _first(mine):
        return 0
    command = ForgetQuestions(age_s=settings.time_threshold, limit=settings.batch_size)
    return _until_short(lambda: central.call(command), settings.batch_size)


def trim_tasks(central: Central, mine: range, settings: TaskSettings) -> int:
    """Delete the rows of exports, and of imports that failed, after time_threshold, in batches. Only the first member
    does this."""
    if not _first(mine):
        return 0
    command = ForgetTasks(age_s=settings.time_threshold, limit=settings.batch_size)
    return _until_short(lambda: central.call(command), settings.batch_size)


class OrderKeys:
    """Fills in the order keys that a process of an older release left out, during an upgrade: first in all zones, then
    in those that have changed since. Only the first member does this.

    Cost: one question a run while no zone changes.
    """

    def __init__(self) -> None:
        self._at, self._after = 0, ""

    def __call__(self, central: Central, mine: range, settings: TaskSettings) -> int:
        """One run."""
        if not _first(mine):
            return 0
        done = 0
        for _ in range(MOST_ROUNDS):
            found = central.call(FindUnplaced(at=self._at, after=self._after, limit=settings.batch_size))
            for zone_id in found.zone_ids:
                command = PlaceRRsets(zone_id=zone_id, limit=ROWS)
                done += _until_short(lambda command=command: central.call(command), ROWS)  # type: ignore[misc]  # bound
            self._at, self._after = found.at, found.after
            if not found.more:
                break
        return done


def refresh_secondaries(central: Central, mine: range, settings: TaskSettings) -> int:
    """Expire copies of SECONDARY zones that no worker could refresh, and hint at due zones that no worker took.

    Workers look for due zones by themselves; this finds those that they missed. The first member also deletes the
    copies that were served while large zones were changed.
    """
    if not mine:
        return 0
    sweep = SweepInbound(first_shard=mine.start, last_shard=mine.stop - 1, limit=settings.batch_size)
    done = central.call(sweep)
    if _first(mine):
        _until_short(lambda: central.call(ForgetCopies()), 1)
    return done


def _first(mine: range) -> bool:
    return bool(mine) and mine.start == 0


def _until_short(batch: Callable[[], int], full: int) -> int:
    done = 0
    for _ in range(MOST_ROUNDS):
        count = batch()
        done += count
        if count < full:
            break
    return done


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """One line of the table: how to make the task, the names in `enabled_tasks` that enable it, default settings."""

    make: Callable[[], Task]
    asked_by: frozenset[str]
    default: TaskSettings = ONCE_A_MINUTE


TASKS: Mapping[str, PeriodicTask] = {
    "overdue_work": PeriodicTask(
        OverdueSweep, frozenset({"overdue_work", "increment_serial", "delayed_notify", "worker_periodic_recovery"})
    ),
    "zone_purge": PeriodicTask(lambda: purge_zones, frozenset({"zone_purge"})),
    "journal_trim": PeriodicTask(lambda: trim_journal, frozenset({"journal_trim", "zone_purge"})),
    "apex_refresh": PeriodicTask(lambda: refresh_apexes, frozenset({"apex_refresh", "increment_serial"})),
    "pool_queue": PeriodicTask(
        lambda: queue_pool_zones,
        frozenset({"pool_queue", "overdue_work", "increment_serial", "delayed_notify", "worker_periodic_recovery"}),
    ),
    "zone_moves": PeriodicTask(
        lambda: continue_moves,
        frozenset({"zone_moves", "overdue_work", "increment_serial", "delayed_notify", "worker_periodic_recovery"}),
    ),
    "zone_handover": PeriodicTask(
        lambda: hand_over,
        frozenset({"zone_handover", "overdue_work", "increment_serial", "delayed_notify", "worker_periodic_recovery"}),
    ),
    "questions_trim": PeriodicTask(lambda: trim_questions, frozenset({"questions_trim", "zone_purge"})),
    "tasks_trim": PeriodicTask(lambda: trim_tasks, frozenset({"tasks_trim", "zone_purge"})),
    "order_keys": PeriodicTask(
        OrderKeys,
        frozenset({"order_keys", "overdue_work", "increment_serial", "delayed_notify", "worker_periodic_recovery"}),
    ),
    "periodic_secondary_refresh": PeriodicTask(lambda: refresh_secondaries, frozenset({"periodic_secondary_refresh"})),
    "periodic_check_service_status": PeriodicTask(lambda: check_services, frozenset({"periodic_check_service_status"})),
    "periodic_cleanup_stopped_service_status": PeriodicTask(
        lambda: forget_services, frozenset({"periodic_cleanup_stopped_service_status"})
    ),
}

IGNORED: Mapping[str, str] = {
    "increment_serial": "serials rise with each change; overdue_work does the rest",
    "delayed_notify": "servers are notified at once; overdue_work covers the rest",
    "worker_periodic_recovery": "overdue_work does it",
    "periodic_exists": "no such notifications are sent",
}
"""Names of Designate's tasks that `enabled_tasks` may list and that have no work of their own here, and why."""


def chosen(settings: ProducerSettings) -> dict[str, tuple[Task, TaskSettings]]:
    """Return the tasks to run, by name: all, or those that `enabled_tasks` lists.

    Raises Misconfigured on an unknown name.
    """
    asked = settings.enabled_tasks
    for name in asked or ():
        if name in IGNORED:
            log.info("task has no work of its own", task=name, why=IGNORED[name])
        elif name not in TASKS:
            known = ", ".join(sorted({*TASKS, *IGNORED}))
            raise Misconfigured(f"[service:producer] enabled_tasks: there is no task {name!r}; choose from {known}")
    return {
        name: (entry.make(), settings.tasks.get(name, entry.default))
        for name, entry in TASKS.items()
        if asked is None or entry.asked_by & set(asked)
    }
