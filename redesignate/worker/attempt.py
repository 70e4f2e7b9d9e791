# SPDX-License-Identifier: Apache-2.0
"""One attempt at one zone: every peer side by side, a first word as soon as some of them are right, a last word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from redesignate.model.pool import Endpoint, Nameserver
from redesignate.model.work import Outcome, PeerOutcome, Role, Task
from redesignate.worker.apply import notify_once, notify_only, tell
from redesignate.worker.job import Crew, Job
from redesignate.worker.plan import Stand, done, stand
from redesignate.worker.poll import poll
from redesignate.worker.pools import PoolRig, TargetRig

WORD_AFTER_S = 0.020
"""How long a success waits for others before it is reported alone."""
LOOK_AGAIN_S = (0.1, 0.2, 0.4)
"""Pauses of looking for something newer while slow peers hold the zone, for central hints nobody of a held zone."""

Leased = tuple[Task, float]
"""A task, and until when (loop seconds) it is ours alone."""
Report = Callable[[Outcome], Awaitable[Leased | None]]


@dataclass(slots=True)
class Attempt:
    """One attempt. `newer` may be set from outside to a task that takes this one's place.

    report    sends an outcome to central; its answer is the zone's newer task, if there is one
    started   when each peer was first tried without success; handed from a superseded attempt to the next
    """

    task: Task
    rig: PoolRig
    crew: Crew
    report: Report
    lease_until: float
    started: dict[str, float] = field(default_factory=dict)
    on_said: Callable[[], None] = lambda: None
    """Called once central has heard a first word."""
    said: bool = False
    newer: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    newer_task: Leased | None = None
    _waiting: list[PeerOutcome] = field(default_factory=list)

    def supersede(self, leased: Leased) -> None:
        """Central wants something newer than this attempt's task."""
        newest = self.newer_task[0] if self.newer_task else self.task
        if leased[0].revision > newest.revision:
            self.newer_task = leased
            if not self.newer.done():
                self.newer.set_result(None)

    def untouched(self) -> Outcome:
        """What to report when this attempt is broken off: nothing came of it."""
        return self._outcome((), final=True)

    async def run(self) -> Leased | None:
        """Work until every peer is right or out of time and central knows it; returns the task that comes next."""
        if self.task.superseded:
            return await self.report(self._outcome(self._leave_all(), final=True))
        job = Job(self.task, self.rig, self.crew, self.lease_until, dict(self.started))
        peers, others = self._start(job)
        try:
            finished = await self._watch(peers)
            self._keep_windows(peers)
        finally:
            for task in [*peers, *others]:
                task.cancel()
        if not finished:
            return self.newer_task
        outcomes = [task.result() for task in peers] + self._waiting
        return await self.report(self._outcome(tuple(outcomes), final=True)) or self.newer_task

    def _leave_all(self) -> tuple[PeerOutcome, ...]:
        """Another zone has the name now: this one is gone wherever it was, and nobody may be told so."""
        pool = self.rig.pool
        roles = [(target.id, Role.TARGET) for target in pool.targets]
        roles += [(server.id, Role.NAMESERVER) for server in pool.nameservers]
        return tuple(PeerOutcome(peer_id=peer_id, role=role, ok=True, present=False) for peer_id, role in roles)

    def _start(self, job: Job) -> tuple[list[asyncio.Task[PeerOutcome]], list[asyncio.Task[None]]]:
        """Start every peer's work. Targets that have heard the news are notified anew while some server lags."""
        servers = [server for server in job.rig.pool.nameservers if self._stand(job, server.id, Role.NAMESERVER)]
        lingering = {Endpoint(server.host, server.port) for server in servers if self._lingers(job, server.id)}
        telling = [
            rig
            for rig in job.rig.targets
            if self._stand(job, rig.target.id, Role.TARGET) or (lingering and self._may_serve(rig, lingering))
        ]
        answering = [server for server in servers if not job.health(server.id).down]
        reminded = [rig for rig in job.rig.targets if rig not in telling] if answering and self.task.present else []
        current = {Endpoint(server.host, server.port) for server in self._current(job)}
        everyone = {Endpoint(server.host, server.port) for server in job.rig.pool.nameservers}
        job.expect_polls(everyone, {Endpoint(server.host, server.port) for server in servers}, current)
        job.expect_telling({rig.notify for rig in [*telling, *reminded] if rig.notify is not None})
        work: list[tuple[str, Coroutine[Any, Any, PeerOutcome]]] = []
        work += [(rig.target.id, tell(job, rig)) for rig in telling]
        work += [(server.id, poll(job, server)) for server in servers]
        for peer_id, _ in work:
            self.started.setdefault(peer_id, job.begun)
        others = [asyncio.create_task(notify_only(job, rig)) for rig in reminded]
        if telling and self.task.present:
            others += [asyncio.create_task(notify_once(job, at)) for at in job.rig.pool.also_notifies]
        return [asyncio.create_task(coroutine, name=peer_id) for peer_id, coroutine in work], others

    def _current(self, job: Job) -> list[Nameserver]:
        """The nameservers that are known to be right already."""
        servers = [(server, job.known(server.id)) for server in job.rig.pool.nameservers]
        return [server for server, known in servers if known is not None and done(self.task, known)]

    def _lingers(self, job: Job, peer_id: str) -> bool:
        """Whether a nameserver went on serving a zone after its target was told that it is gone."""
        known = job.known(peer_id)
        return not self.task.present and known is not None and known.attempts > 0 and known.serial is not None

    def _may_serve(self, rig: TargetRig, at: set[Endpoint]) -> bool:
        """Whether a target is behind one of these nameservers; where no target's address says so, each may be."""
        addresses = {each.notify for each in self.rig.targets}
        return rig.notify in at or not at & addresses

    def _keep_windows(self, peers: list[asyncio.Task[PeerOutcome]]) -> None:
        """A peer that is still being tried goes on within its first window, so that steady edits cannot hide it."""
        pending = {peer.get_name() for peer in peers if not peer.done()}
        self.started = {peer_id: since for peer_id, since in self.started.items() if peer_id in pending}

    def _stand(self, job: Job, peer_id: str, role: Role) -> bool:
        known = job.known(peer_id)
        found = stand(self.task, known, self.crew.clock(), well=job.health(peer_id).well)
        if found is Stand.WAIT and known is not None:
            self._waiting.append(
                PeerOutcome(
                    peer_id=peer_id, role=role, ok=False, present=known.present, serial=known.serial,
                    why=known.error, tried=False,
                )
            )  # fmt: skip
        return found is Stand.TRY

    async def _watch(self, peers: list[asyncio.Task[PeerOutcome]]) -> bool:
        """Wait for the peers, with words to central on the way. Whether all are done."""
        loop = asyncio.get_running_loop()
        words: set[asyncio.Task[None]] = set()
        spoken: set[asyncio.Task[PeerOutcome]] = set()
        pauses = iter(LOOK_AGAIN_S)
        next_word: float | None = None
        try:
            while pending := {peer for peer in peers if not peer.done()}:
                waits: list[asyncio.Future[Any]] = [*pending, self.newer]
                wait_s = None if next_word is None else max(next_word - loop.time(), 0)
                await asyncio.wait(waits, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
                if self.newer.done():
                    return False
                good = {peer for peer in peers if peer.done() and peer not in spoken and peer.result().ok}
                if next_word is not None and loop.time() >= next_word:
                    spoken |= good
                    words.add(asyncio.create_task(self._word(peers)))
                    next_word = loop.time() + next(pauses, LOOK_AGAIN_S[-1])
                elif any(peer.result().role is Role.NAMESERVER for peer in good):
                    next_word = min(next_word or loop.time() + WORD_AFTER_S, loop.time() + WORD_AFTER_S)
            return True
        finally:
            if words:
                await asyncio.wait(words)  # a last word must not overtake a first

    async def _word(self, peers: list[asyncio.Task[PeerOutcome]]) -> None:
        # failures are counted, so each is said once, in the last word
        done = tuple(peer.result() for peer in peers if peer.done() and not peer.cancelled() and peer.result().ok)
        answer = await self.report(self._outcome(done, final=False))
        self.said = True
        self.on_said()
        if answer is not None:
            self.supersede(answer)

    def _outcome(self, peers: tuple[PeerOutcome, ...], *, final: bool) -> Outcome:
        task = self.task
        return Outcome(zone_id=task.zone_id, revision=task.revision, present=task.present, peers=peers, final=final)
