# SPDX-License-Identifier: Apache-2.0
"""Asks one nameserver for a zone's serial until it is as wanted or the time is up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from redesignate.model.pool import Endpoint, Nameserver
from redesignate.model.tsigkey import TSIGKey
from redesignate.model.work import PeerOutcome, PeerState, Role
from redesignate.wire import ask, tsig
from redesignate.wire.client import NoAnswer
from redesignate.wire.names import Malformed
from redesignate.worker import plan
from redesignate.worker.health import Health
from redesignate.worker.job import Job
from redesignate.worker.pools import Unusable

PATIENCE_S = 0.25
OUTSTANDING = 5
UNTOLD_S = 0.5
"""How long a nameserver is asked whose target could not be told: little will change before that is tried again."""

Reply = ask.SOAAnswer | str
"""What came back, or why nothing of use did."""


async def poll(job: Job, server: Nameserver) -> PeerOutcome:
    """The outcome of one nameserver, at the latest when its window ends.

    Where an answer is slow to come the question is asked again and both answers are waited for: a server that takes
    seconds is slow and not wrong. A server known to be down is not asked.
    """
    at = Endpoint(server.host, server.port)
    health = job.health(server.id)
    asking: _Asking | None = None
    try:
        if health.down:
            outcome = _failed(server, health.why or f"no answer from {at}", job.known(server.id))
        else:
            asking = _Asking(job, at, health, job.rig.key(server.tsigkey_id), job.deadline(server.id))
            outcome = await asking.outcome(server)
    except Unusable as wrong:
        outcome = _failed(server, str(wrong), job.known(server.id))
    finally:
        if asking is not None:
            asking.stop()
    job.mark_polled(at, ok=outcome.ok)
    known = job.known(server.id)
    if outcome.ok and known is not None and known.attempts:
        job.crew.health.mended(health, asyncio.get_running_loop().time())
    return outcome


def _failed(server: Nameserver, why: str, known: PeerState | None) -> PeerOutcome:
    """Silence says nothing about the zone: what was known of it is still what is known."""
    present, serial = (known.present, known.serial) if known else (False, None)
    return PeerOutcome(peer_id=server.id, role=Role.NAMESERVER, ok=False, present=present, serial=serial, why=why)


@dataclass(slots=True)
class _Asking:
    job: Job
    at: Endpoint
    health: Health
    key: TSIGKey | None
    deadline: float
    asked: bool = False
    last: Reply | None = None
    sent: dict[asyncio.Task[Reply], float] = field(default_factory=dict)

    async def outcome(self, server: Nameserver) -> PeerOutcome:
        """Ask until satisfied or out of time."""
        why: str | None = None
        try:
            async with asyncio.timeout_at(self.deadline) as limit:
                await self.job.wait_told(self.at)
                loop = asyncio.get_running_loop()
                if not_ours := self.job.not_ours(self.at):
                    return _failed(server, not_ours, None)
                if self.job.untold(self.at):
                    limit.reschedule(min(self.deadline, loop.time() + UNTOLD_S))
                await self._until_right(loop)
        except TimeoutError:
            why = self._why_not()
            if self.sent:
                now = asyncio.get_running_loop().time()
                self.job.crew.health.silent(self.health, min(self.sent.values()), now, f"no answer from {self.at}")
        if not isinstance(self.last, ask.SOAAnswer):
            return _failed(server, why or "", self.job.known(server.id))
        seen = self.last.serial
        absent = why is not None and seen is None and self.last.rcode in plan.GONE
        return PeerOutcome(
            peer_id=server.id, role=Role.NAMESERVER, ok=why is None, present=seen is not None, serial=seen, why=why,
            absent=absent,
        )  # fmt: skip

    def stop(self) -> None:
        """Wait for no answer any more."""
        if self.sent:
            now = asyncio.get_running_loop().time()
            self.job.crew.health.break_off(self.health, min(self.sent.values()), now, f"no answer from {self.at}")
        for task in self.sent:
            task.cancel()

    async def _until_right(self, loop: asyncio.AbstractEventLoop) -> None:
        pauses = plan.poll_pauses()
        due, patience = loop.time() + next(pauses), PATIENCE_S
        while True:
            now = loop.time()
            if now >= due:
                if self.sent:
                    oldest = min(self.sent.values())
                    self.job.crew.health.silent(self.health, oldest, now, f"no answer from {self.at}")
                    if self.health.hopeless:
                        raise TimeoutError
                    patience = min(patience * 2, plan.LONGEST_POLL_PAUSE_S)
                if len(self.sent) < OUTSTANDING:
                    self.sent[asyncio.create_task(self._query(self.deadline - now))] = now
                    self.asked = True
                due = now + patience
            if not self.sent:
                await asyncio.sleep(due - now)
                continue
            done, _ = await asyncio.wait(self.sent, timeout=due - now, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                continue
            if self._right(done, loop.time()):
                return
            due, patience = min(due, loop.time() + next(pauses)), PATIENCE_S

    def _right(self, done: set[asyncio.Task[Reply]], now: float) -> bool:
        for task in done:
            sent, reply = self.sent.pop(task), task.result()
            if isinstance(reply, str):
                self.last = self.last or reply
                self.job.crew.health.silent(self.health, sent, now, reply)
                continue
            self.last = reply
            self.job.crew.health.answered(self.health, sent, now)
            if plan.fault(self.job.task, self.at, reply) is None:
                return True
        return False

    async def _query(self, timeout: float) -> Reply:
        crew = self.job.crew
        packet = ask.soa_query(self.job.task.name, crew.exchanger.new_id(), self.key, clock=crew.clock)
        try:
            answer = await crew.exchanger.exchange(
                self.at.host, self.at.port, packet, min(timeout, crew.call_timeout), tcp=crew.all_tcp
            )
        except NoAnswer as silence:
            return f"no answer from {self.at}: {silence}"
        try:
            return ask.read_soa_answer(answer, packet, self.key, clock=crew.clock)
        except (Malformed, tsig.Refused) as wrong:
            return f"{self.at} gives no proper answer: {wrong}"

    def _why_not(self) -> str:
        if isinstance(self.last, ask.SOAAnswer):
            return plan.fault(self.job.task, self.at, self.last) or f"{self.at} answered too late"
        if not self.asked:
            return f"{self.at} was not asked: no target could be told within {self.job.crew.window:g} s"
        waited = asyncio.get_running_loop().time() - self.job.begun
        return self.last or f"no answer from {self.at} within {max(waited, 0.1):.1f} s"
