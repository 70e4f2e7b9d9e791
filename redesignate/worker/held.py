# SPDX-License-Identifier: Apache-2.0
"""The zones that this worker holds by lease: taken up on hints, worked on (`zonework`), reported in batches."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from redesignate.commands.work import BeginWork, Report
from redesignate.model.errors import Problem
from redesignate.model.work import Outcome, Task
from redesignate.observe.log import Seldom, events
from redesignate.threads.batch import Gather
from redesignate.worker.attempt import WorkerContext
from redesignate.worker.link import Link
from redesignate.worker.pools import PoolCache
from redesignate.worker.zonework import Leased, State, ZoneWork

MOST_ZONES = 2000
BATCH = 50
"""Zones in one question: enough to share its cost, few enough that its transaction is short."""
REPORT_MOMENT_S = 0.004
"""How long outcomes are gathered; a few milliseconds of a status are worth less than a transaction for each zone."""
ON_WAY, ON_WAY_SERVERS, LEAST_ON_WAY = 16, 32, 2
"""Zones on their way at once where the worker shares its process with the API, how many nameservers they may have
together, and how many they may be in any case. They share Python's one running thread: a zone that waits for its turn
brings all that is changed meanwhile, more at once would each be slower, and fewer than are changed in the time that one
takes would be a queue."""
PACE_S, LONGEST_PACE_S, PACE_BATCH = 0.1, 1.0, 8
"""There: the longest that zones on their way delay others, for each nameserver of their pool and in all; and how many
zones it begins at once. Servers that are given more than they can do answer nothing any more."""
MOST_QUEUED = 20_000
"""Zones that wait for their turn. Further hints are dropped: the outbox has those zones too."""
SHARE, REST_S, REST_LOOK_S = 0.12, 0.5, 0.01
"""There, while requests wait: the share of the time that this loop may take (mdns and central take about twice as much
for the same zones), the longest that it rests for that, and how often it looks."""
Crowded = Callable[[], bool]
log = events(__name__)


class HeldZones:
    """Leases zones, has each worked on until nothing is left to do, and reports to central. For one event loop."""

    def __init__(
        self,
        *,
        name: str,
        lease_s: float,
        link: Link,
        pools: PoolCache,
        context: WorkerContext,
        crowded: Crowded | None = None,
    ) -> None:
        """`crowded`: whether requests wait for the thread that runs; None: this process answers none."""
        self._name = name
        self._lease_s = lease_s
        self._link = link
        self._pools = pools
        self._context = context
        self._crowded = crowded
        self._rested = (asyncio.get_running_loop().time(), time.thread_time())
        self._zones: dict[str, ZoneWork] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._beyond = Seldom()
        self._queued: dict[str, bool] = {}
        self._moved = asyncio.Event()
        self._begin: Gather[str] = (
            Gather(self._send_begin, most=BATCH)
            if crowded is None
            else Gather(self._send_paced, most=PACE_BATCH, at_once=1, patience_s=PACE_S)
        )
        self._begin_found: Gather[str] = Gather(self._send_begin, most=BATCH, at_once=1)
        self._reports: Gather[tuple[Outcome, asyncio.Future[Leased | None]]] = Gather(
            self._send_reports, most=BATCH, moment_s=REPORT_MOMENT_S
        )

    @property
    def room(self) -> int:
        """How many more zones may be taken up from the outbox; beside the API, zones with a first report do not
        count."""
        if self._crowded is None:
            return max(MOST_ZONES - len(self._zones), 0)
        most = min(ON_WAY, max(LEAST_ON_WAY, ON_WAY_SERVERS // self._pools.servers()))
        return max(most - sum(work.state is not State.REPORTED for work in self._zones.values()), 0)

    def hint(self, zone_id: str, *, urgent: bool = True, reported: asyncio.Future[None] | None = None) -> None:
        """There may be work for a zone. Hints for a held zone become one question, after its first interim report.

        A zone that waits for its turn already keeps it, unless it has become urgent.

        urgent    False: found in the outbox; a thousand such zones must not delay a user's change
        reported  set once central has a first report of the zone, or there was nothing to do
        """
        if reported is not None:
            self._waiting.setdefault(zone_id, []).append(reported)
        work = self._zones.get(zone_id)
        if work is None:
            waits = self._queued.get(zone_id)
            if waits or (waits is False and not urgent):
                return
            if len(self._queued) >= MOST_QUEUED:
                if (others := self._beyond.turn()) is not None:
                    log.warning("hints are left out, the producer's sweep repeats them", queued=MOST_QUEUED, **others)
                self._release(zone_id)
                return
            self._queued[zone_id] = urgent
            (self._begin if urgent else self._begin_found).add(zone_id)
        elif not work.hinted:
            work.hinted = True
            if work.state is State.REPORTED:
                self._ask_again(zone_id, work)

    async def stop(self, grace_s: float) -> None:
        """Take up nothing more, give work a while to end, then return the leases, so that another worker need not
        wait for them to run out."""
        self._stopping = True
        if self._running:
            await asyncio.wait(self._running, timeout=grace_s)
        unfinished = tuple(work.untouched() for work in self._zones.values())
        for running in list(self._running):
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if unfinished:
            with contextlib.suppress(Problem, TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._link.ask(Report(worker=self._name, outcomes=unfinished, lease_s=0.0))

    def _ask_again(self, zone_id: str, work: ZoneWork) -> None:
        work.hinted = False
        self._begin.add(zone_id)

    def _release(self, zone_id: str) -> None:
        for reported in self._waiting.pop(zone_id, ()):
            if not reported.done():
                reported.set_result(None)

    async def _send_paced(self, zone_ids: list[str]) -> None:
        """Begin, and delay the next ones while too many are on their way, for a moment at the longest; and while
        requests wait, until this loop has had no more than its share of the time: many nameservers, or slow ones, then
        get fewer changes, each with more in it."""
        await self._send_begin(zone_ids)
        loop = asyncio.get_running_loop()
        if len(self._zones) >= LEAST_ON_WAY and not self.room:
            await self._some_reported(min(PACE_S * self._pools.servers(), LONGEST_PACE_S))
        since, used = self._rested
        end = min(loop.time() + REST_S, since + (time.thread_time() - used) / SHARE)
        while loop.time() < end and self._crowded is not None and self._crowded():
            await asyncio.sleep(min(REST_LOOK_S, end - loop.time()))
        self._rested = loop.time(), time.thread_time()

    async def _some_reported(self, most_s: float) -> None:
        """Wait until there is room for another zone, for so long at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                while not self.room:
                    self._moved.clear()
                    await self._moved.wait()

    async def _send_begin(self, zone_ids: list[str]) -> None:
        """Lease these zones and start the work on those that central hands out."""
        wanted = tuple(zone_ids)
        for zone_id in wanted:
            self._queued.pop(zone_id, None)
        until = asyncio.get_running_loop().time() + self._lease_s / 2
        tasks: dict[str, Leased] = {}
        answered = False
        try:
            if not self._stopping:
                question = BeginWork(worker=self._name, zone_ids=wanted, lease_s=self._lease_s)
                found, asked = await self._link.ask_patiently(question, until)
                tasks = {task.zone_id: (task, asked + self._lease_s) for task in found}
                answered = True
        finally:
            for zone_id in wanted:
                held = self._zones.get(zone_id)
                if zone_id in tasks:
                    self._work_on(tasks[zone_id]) if held is None else held.supersede(tasks[zone_id])
                elif held is None:
                    self._release(zone_id)
                elif answered:
                    held.lose()

    def _work_on(self, leased: Leased) -> None:
        zone_id = leased[0].zone_id

        def answered() -> None:
            self._release(zone_id)
            self._moved.set()
            if work.hinted and work.state is State.REPORTED:
                self._ask_again(zone_id, work)

        work = self._zones[zone_id] = ZoneWork(
            leased, context=self._context, pools=self._pools, report=self._report, on_answer=answered
        )
        running = asyncio.create_task(self._run(zone_id, work))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _run(self, zone_id: str, work: ZoneWork) -> None:
        try:
            await work.run()
        except Problem as problem:
            log.error("a zone could not be worked on", zone=zone_id, why=problem.message or problem.kind)
        except Exception:  # the loop of a service
            log.exception("a zone could not be worked on", zone=zone_id)
        finally:
            del self._zones[zone_id]
            if zone_id in self._waiting:
                self._release(zone_id)
            self._moved.set()
            if work.hinted:
                self.hint(zone_id)

    async def _report(self, outcome: Outcome) -> Leased | None:
        """Report with others of this moment; the zone's newer task, if there is one. While requests wait it is begun
        in its turn instead, as another zone's is."""
        work = self._zones.get(outcome.zone_id)
        if work is not None:
            work.hinted = False  # the answer will say what the hint meant
        answer: asyncio.Future[Leased | None] = asyncio.get_running_loop().create_future()
        self._reports.add((outcome, answer))
        newer = await answer
        if newer is None or work is None or not outcome.final or self._crowded is None or not self._crowded():
            return newer
        work.hinted = True
        return None

    async def _send_reports(self, batch: list[tuple[Outcome, asyncio.Future[Leased | None]]]) -> None:
        until = asyncio.get_running_loop().time() + self._lease_s
        tasks: dict[str, Leased] = {}
        try:
            question = Report(worker=self._name, outcomes=tuple(outcome for outcome, _ in batch), lease_s=self._lease_s)
            found: tuple[Task, ...]
            found, asked = await self._link.ask_patiently(question, until)
            tasks = {task.zone_id: (task, asked + self._lease_s) for task in found}
        finally:
            for outcome, answer in batch:
                if not answer.done():
                    answer.set_result(tasks.get(outcome.zone_id))
