# SPDX-License-Identifier: Apache-2.0
"""Asks one nameserver for a zone's serial until it is as wanted or the time is up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from redesignate.model.pool import Endpoint, Nameserver
from redesignate.model.tsigkey import TSIGKey
from redesignate.model.work import PeerOutcome, PeerState, Role
from redesignate.wire import client, tsig
from redesignate.wire.client import NoAnswer
from redesignate.wire.message import Malformed
from redesignate.wire.served import DENIALS, GONE
from redesignate.worker import plan
from redesignate.worker.attempt import Attempt
from redesignate.worker.health import PeerHealth
from redesignate.worker.pools import Unusable

PATIENCE_S = 0.25
OUTSTANDING = 5
NOT_NOTIFIED_S = 0.5
"""How long a nameserver is polled whose target could not be notified: little will change before the next attempt."""


async def poll(attempt: Attempt, server: Nameserver) -> PeerOutcome:
    """The outcome of one nameserver, at the latest when its window ends.

    Where an answer is slow to come the question is asked again and both answers are waited for: a server that takes
    seconds is slow and not wrong. A server known to be down is not asked.
    """
    at, health, known = Endpoint(server.host, server.port), attempt.health[server.id], attempt.known.get(server.id)
    loop = asyncio.get_running_loop()
    asking: _Asking | None = None
    try:
        if health.down:
            outcome = _failed(server, health.why or f"no answer from {at}", known)
        else:
            key = attempt.pool.key(server.tsigkey_id) if server.tsigkey_id else None
            there = known is not None and known.present
            asking = _Asking(attempt, at, health, key, attempt.deadlines[server.id], there)
            outcome = await asking.outcome(server, loop)
    except Unusable as wrong:
        outcome = _failed(server, str(wrong), known)
    finally:
        if asking is not None and asking.sent:
            health.cancel(min(asking.sent.values()), loop.time(), f"no answer from {at}")
            for task in asking.sent:
                task.cancel()
    attempt.signals.mark_polled(at, ok=outcome.ok)
    if outcome.ok and known is not None and known.attempts:
        health.repaired(loop.time())
    return outcome


def _failed(server: Nameserver, why: str, known: PeerState | None, *, tried: bool = True) -> PeerOutcome:
    """Silence says nothing about the zone: what was known of it is still what is known."""
    present, serial = (known.present, known.serial) if known else (False, None)
    return PeerOutcome(
        peer_id=server.id, role=Role.NAMESERVER, ok=False, present=present, serial=serial, why=why, tried=tried
    )


@dataclass(slots=True)
class _Asking:
    """The questions to one nameserver in one attempt.

    there   whether the server had the zone before
    last    what came back last, or why nothing usable did
    right   whether that is what the task wants
    sent    the questions without an answer, and when each was sent
    """

    attempt: Attempt
    at: Endpoint
    health: PeerHealth
    key: TSIGKey | None
    deadline: float
    there: bool
    asked: bool = False
    last: client.SOAAnswer | str | None = None
    right: bool = False
    sent: dict[asyncio.Task[None], float] = field(default_factory=dict)

    async def outcome(self, server: Nameserver, loop: asyncio.AbstractEventLoop) -> PeerOutcome:
        """Ask until the answer is right or time is up."""
        signals = self.attempt.signals
        why: str | None = None
        try:
            async with asyncio.timeout_at(self.deadline) as limit:
                await asyncio.wait([signals.notified[self.at]])
                if not_ours := signals.not_ours.get(self.at):
                    return _failed(server, not_ours, None)
                if self.at in signals.failed:
                    limit.reschedule(min(self.deadline, loop.time() + NOT_NOTIFIED_S))
                await self._until_right(loop)
        except TimeoutError:
            why = self._fault(loop.time())
            if self.sent:
                self.health.silent(min(self.sent.values()), loop.time(), f"no answer from {self.at}")
        last, known, task = self.last, self.attempt.known.get(server.id), self.attempt.task
        if not isinstance(last, client.SOAAnswer):
            return _failed(server, why or "", known, tried=self.asked)
        if why is not None and last.rcode in DENIALS and task.present and known and known.present:
            self.attempt.context.denied(task.pool_id, self.at)
        absent = why is not None and last.serial is None and last.rcode in GONE
        later = plan.ahead(task, self.at, last) if why is None and last.serial != task.serial else None
        return PeerOutcome(
            peer_id=server.id, role=Role.NAMESERVER, ok=why is None, present=last.serial is not None,
            serial=last.serial, why=why or later, absent=absent, ahead=later is not None,
        )  # fmt: skip

    async def _until_right(self, loop: asyncio.AbstractEventLoop) -> None:
        """Return at the first right answer. Raises TimeoutError where the server went down meanwhile."""
        began, usual = loop.time(), self.health.usual.get(self.there, plan.FIRST_POLL_S)
        pause, patience, wrong = max(plan.FIRST_POLL_S, usual / 4), PATIENCE_S, False  # what takes long varies by more
        due = began + min(usual, plan.LATEST_FIRST_POLL_S)
        while not self.right:
            now = loop.time()
            if now >= due:
                if self.sent:
                    self.health.silent(min(self.sent.values()), now, f"no answer from {self.at}")
                    if self.health.hopeless:
                        raise TimeoutError
                    patience = min(patience * 2, plan.LONGEST_POLL_PAUSE_S)
                if len(self.sent) < OUTSTANDING:
                    self.sent[asyncio.create_task(self._query(loop, now))] = now
                    self.asked = True
                due = now + patience
            if not self.sent:
                await asyncio.sleep(due - now)
                continue
            done, _ = await asyncio.wait(self.sent, timeout=due - now, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                del self.sent[task]
                task.result()
            if done and not self.right:
                pause, patience, wrong = plan.longer(pause), PATIENCE_S, True
                due = min(due, loop.time() + pause)
        self.health.usual[self.there] = plan.learned(usual, loop.time() - began, at_once=not wrong)

    async def _query(self, loop: asyncio.AbstractEventLoop, sent: float) -> None:
        """Ask once, and keep the answer; one that comes after the right answer counts for nothing."""
        context, task = self.attempt.context, self.attempt.task
        packet = client.soa_query(task.name, context.exchanger.new_id(), self.key, clock=context.clock)
        timeout = min(self.deadline - sent, context.call_timeout)
        try:
            answer = await context.exchanger.exchange(self.at.host, self.at.port, packet, timeout, tcp=context.all_tcp)
            reply = client.read_soa_answer(answer, packet, self.key, clock=context.clock)
        except NoAnswer as silence:
            why = f"no answer from {self.at}: {silence}"
        except (Malformed, tsig.Refused) as wrong:
            why = f"{self.at} gave an invalid answer: {wrong}"
        else:
            self.health.answered(sent, loop.time())
            if not self.right:
                self.last, self.right = reply, plan.fault(task, self.at, reply) is None
            return
        self.last = self.last or why
        self.health.silent(sent, loop.time(), why)

    def _fault(self, now: float) -> str:
        if isinstance(self.last, client.SOAAnswer):
            return plan.fault(self.attempt.task, self.at, self.last) or f"{self.at} answered too late"
        if not self.asked:
            window = self.attempt.context.window
            return f"{self.at} was not asked: no target could be notified within {window:g} s"
        waited = now - self.attempt.begun
        return self.last or f"no answer from {self.at} within {max(waited, 0.1):.1f} s"
