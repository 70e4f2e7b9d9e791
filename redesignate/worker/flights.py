# SPDX-License-Identifier: Apache-2.0
"""The zones that this worker holds: each is one flight, from the task that central gave to its last word."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from redesignate.commands.work import BeginWork, Report
from redesignate.model.errors import Problem
from redesignate.model.work import Outcome, Task
from redesignate.observe.log import events
from redesignate.worker.attempt import Attempt, Leased
from redesignate.worker.job import Crew
from redesignate.worker.link import Batch, Link
from redesignate.worker.pools import PoolBook

MOST_FLIGHTS = 2000
BATCH = 50
"""Zones in one question: enough to share its cost, few enough that its transaction is short."""
REPORT_MOMENT_S = 0.004
"""How long outcomes are gathered; a few milliseconds of a status are worth less than a transaction for each zone."""
PACE_S, PACE_LOOK_S, PACE_BATCH = 0.1, 0.002, 4
"""The longest that zones on their way keep others waiting where the worker is to keep a pace, how often it looks, and
how many it begins with at once."""
Pace = Callable[[], int]
log = events(__name__)


@dataclass(slots=True)
class _Flight:
    """One zone. `hinted`: a hint came since central was last asked about it."""

    attempt: Attempt | None = None
    hinted: bool = False


class Flights:
    """Takes zones up, works on each until nothing is left to do, and tells central."""

    def __init__(
        self, *, name: str, lease_s: float, link: Link, pools: PoolBook, crew: Crew, pace: Pace | None = None
    ) -> None:
        """`pace`: zones that may be on their way at once; None: as many as come."""
        self._name = name
        self._lease_s = lease_s
        self._link = link
        self._pools = pools
        self._crew = crew
        self._pace = pace
        self._flights: dict[str, _Flight] = {}
        self._held: dict[str, list[asyncio.Future[None]]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._begin: Batch[str] = (
            Batch(self._send_begin, most=BATCH)
            if pace is None
            else Batch(self._send_paced, most=PACE_BATCH, at_once=1, patience_s=PACE_S)
        )
        self._begin_found: Batch[str] = Batch(self._send_begin, most=BATCH, at_once=1)
        self._reports: Batch[tuple[Outcome, asyncio.Future[Leased | None]]] = Batch(
            self._send_reports, most=BATCH, moment_s=REPORT_MOMENT_S
        )

    @property
    def room(self) -> int:
        """How many more zones may be taken up from the outbox."""
        if self._pace is not None:
            return max(self._pace() - self._on_their_way(), 0)
        return max(MOST_FLIGHTS - len(self._flights), 0)

    def hint(self, zone_id: str, *, urgent: bool = True) -> None:
        """There may be work for a zone. Hints for a zone in flight become one question, once its first word is out.

        urgent   False: found in the outbox; a thousand such zones must not keep a user's change waiting
        """
        flight = self._flights.get(zone_id)
        if flight is None:
            (self._begin if urgent else self._begin_found).add(zone_id)
            return
        waiting = flight.hinted
        flight.hinted = True
        if not waiting and flight.attempt is not None and flight.attempt.said:
            self._ask_again(zone_id, flight)

    def held(self, zone_id: str) -> asyncio.Future[None]:
        """Done when central has heard a first word of the zone, or there was nothing to do."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.setdefault(zone_id, []).append(future)
        return future

    async def stop(self, grace_s: float) -> None:
        """Take nothing up any more, let flights end for a while, then give the rest back, so that another worker need
        not wait for the leases."""
        self._stopping = True
        if self._running:
            await asyncio.wait(self._running, timeout=grace_s)
        attempts = [flight.attempt for flight in self._flights.values() if flight.attempt is not None]
        for running in list(self._running):
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if attempts:
            unfinished = tuple(attempt.untouched() for attempt in attempts)
            with contextlib.suppress(Problem, TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._link.ask(Report(worker=self._name, outcomes=unfinished, lease_s=0.0))

    def _ask_again(self, zone_id: str, flight: _Flight) -> None:
        flight.hinted = False
        self._begin.add(zone_id)

    def _release(self, zone_id: str) -> None:
        for future in self._held.pop(zone_id, ()):
            if not future.done():
                future.set_result(None)

    async def _send_begin(self, zone_ids: list[str]) -> None:
        wanted = tuple(dict.fromkeys(zone_ids))
        until = asyncio.get_running_loop().time() + self._lease_s / 2
        tasks: dict[str, Leased] = {}
        try:
            if not self._stopping:
                question = BeginWork(worker=self._name, zone_ids=wanted, lease_s=self._lease_s)
                tasks = self._leased(*await self._link.ask_patiently(question, until))
        finally:
            for zone_id in wanted:
                if zone_id in tasks:
                    self._adopt(zone_id, tasks[zone_id])
                elif zone_id not in self._flights:
                    self._release(zone_id)

    async def _send_paced(self, zone_ids: list[str]) -> None:
        """Begin, and keep the next ones waiting while too many are on their way, for a moment at the longest."""
        await self._send_begin(zone_ids)
        loop = asyncio.get_running_loop()
        end = loop.time() + PACE_S
        while self._pace is not None and self._on_their_way() >= self._pace() and loop.time() < end:
            await asyncio.sleep(PACE_LOOK_S)

    def _on_their_way(self) -> int:
        """Zones of which central has not heard a first word."""
        return sum(1 for flight in self._flights.values() if flight.attempt is None or not flight.attempt.said)

    def _leased(self, tasks: tuple[Task, ...], asked: float) -> dict[str, Leased]:
        return {task.zone_id: (task, asked + self._lease_s) for task in tasks}

    def _adopt(self, zone_id: str, leased: Leased) -> None:
        flight = self._flights.get(zone_id)
        if flight is not None:
            if flight.attempt is not None:
                flight.attempt.supersede(leased)
            return
        flight = self._flights[zone_id] = _Flight()
        running = asyncio.create_task(self._fly(zone_id, leased, flight))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _fly(self, zone_id: str, first: Leased, flight: _Flight) -> None:
        leased: Leased | None = first
        started: dict[str, float] = {}
        try:
            while leased is not None:
                task, lease_until = leased
                rig = await self._pools.rig(task.pool_id, task.pool_version)
                flight.attempt = Attempt(
                    task,
                    rig,
                    self._crew,
                    self._report,
                    lease_until,
                    started=started,
                    on_said=lambda: self._first_word(zone_id, flight),
                )
                leased = await flight.attempt.run()
                started = flight.attempt.started
        except Problem as problem:
            log.error("a zone could not be worked on", zone=zone_id, why=problem.message or problem.kind)
        except Exception:  # the loop of a service
            log.exception("a zone could not be worked on", zone=zone_id)
        finally:
            del self._flights[zone_id]
            self._release(zone_id)
            if flight.hinted:
                self._begin.add(zone_id)

    def _first_word(self, zone_id: str, flight: _Flight) -> None:
        self._release(zone_id)
        if flight.hinted:
            self._ask_again(zone_id, flight)

    async def _report(self, outcome: Outcome) -> Leased | None:
        flight = self._flights.get(outcome.zone_id)
        if flight is not None:
            flight.hinted = False
        answer: asyncio.Future[Leased | None] = asyncio.get_running_loop().create_future()
        self._reports.add((outcome, answer))
        return await answer

    async def _send_reports(self, batch: list[tuple[Outcome, asyncio.Future[Leased | None]]]) -> None:
        outcomes = tuple(outcome for outcome, _ in batch)
        until = asyncio.get_running_loop().time() + self._lease_s
        tasks: dict[str, Leased] = {}
        try:
            question = Report(worker=self._name, outcomes=outcomes, lease_s=self._lease_s)
            tasks = self._leased(*await self._link.ask_patiently(question, until))
        finally:
            for outcome, answer in batch:
                if not answer.done():
                    answer.set_result(tasks.get(outcome.zone_id))
