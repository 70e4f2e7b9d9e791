# SPDX-License-Identifier: Apache-2.0
"""The producer: it runs every task in a thread of its own, at once and then at its interval, until it is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable

from redesignate.bus.port import Central
from redesignate.config.settings import ProducerSettings, TaskSettings
from redesignate.coord.partitions import shards
from redesignate.coord.port import ALONE, Group, Place
from redesignate.model.errors import TimedOut, Unavailable
from redesignate.observe.log import events
from redesignate.producer.tasks import Task, chosen
from redesignate.threads.service import Daemon

log = events(__name__)
Monotonic = Callable[[], float]
MEMBERSHIP_S = 3.0


class Periodic:
    """Runs one piece of work at its interval. It never overlaps itself, and a failure never stops it.

    last_success  when it last succeeded, by the clock given (None: never); the watchdog reads it
    failures      the number of failures in a row since then
    """

    def __init__(self, name: str, interval_s: float, work: Callable[[], int], clock: Monotonic) -> None:
        self.name = name
        self.interval_s = interval_s
        self._work = work
        self._clock = clock
        self._due = self._born = clock()
        self.last_success: float | None = None
        self.failures = 0

    def turn(self) -> float:
        """Run if due; return the seconds until it is due again (0 after a run that took longer than the interval)."""
        now = self._clock()
        if now < self._due:
            return self._due - now
        self._run()
        self._due = now + self.interval_s
        return max(0.0, self._due - self._clock())

    def overdue(self) -> bool:
        """Whether it has not succeeded for three intervals and a minute, so that an operator should look."""
        since = self._clock() - (self._born if self.last_success is None else self.last_success)
        return since > 3 * self.interval_s + 60

    def _run(self) -> None:
        try:
            done = self._work()
        except (Unavailable, TimedOut) as problem:  # logged once: central comes back by itself
            if self.failures == 0:
                log.warning("task is waiting for central", task=self.name, why=problem.message)
            self.failures += 1
        except Exception:  # the loop of a service
            log.exception("task failed", task=self.name)
            self.failures += 1
        else:
            if done:
                log.debug("task done", task=self.name, count=done)
            self.last_success, self.failures = self._clock(), 0


class Producer:
    """All periodic tasks of one process, over the shards that belong to this member of the group.

    clock   monotonic seconds
    """

    def __init__(
        self, central: Central, group: Group, settings: ProducerSettings, *, clock: Monotonic = time.monotonic
    ) -> None:
        """Raises Misconfigured on an unknown task in `enabled_tasks`."""
        self._central = central
        self._group = group
        self._place: Place = ALONE
        self._membership = Periodic("membership", MEMBERSHIP_S, self._refresh, clock)
        self.tasks = tuple(
            Periodic(name, task_settings.interval, self._bound(task, task_settings), clock)
            for name, (task, task_settings) in chosen(settings).items()
        )
        self._daemons = [Daemon(f"task-{one.name}", one.turn) for one in (self._membership, *self.tasks)]

    def start(self) -> None:
        """Try once to find our place in the group, then start every task and return."""
        self._membership.turn()
        for daemon in self._daemons:
            daemon.start()
        log.info("producer started", tasks=" ".join(periodic.name for periodic in self.tasks))

    def stop(self, timeout_s: float = 10.0) -> None:
        """Start no further runs, wait for those that run, and leave the group."""
        end = time.monotonic() + timeout_s
        for daemon in self._daemons:
            daemon.stop(0)
        for daemon in self._daemons:
            daemon.stop(max(0.0, end - time.monotonic()))
        self._group.leave()

    def place(self) -> Place:
        """Return this member's number in the group, and the number of members."""
        return self._place

    def last_success(self) -> dict[str, float | None]:
        """Return when each task last succeeded, by the clock given."""
        return {periodic.name: periodic.last_success for periodic in self.tasks}

    def _bound(self, task: Task, settings: TaskSettings) -> Callable[[], int]:
        return lambda: task(self._central, shards(self._place), settings)

    def _refresh(self) -> int:
        place = self._group.refresh()
        if place != self._place:
            mine = shards(place)
            log.info("shards", first=mine.start, last=mine.stop - 1, member=place.index + 1, members=place.count)
            self._place = place
        return 0
