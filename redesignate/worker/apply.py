# SPDX-License-Identifier: Apache-2.0
"""Tells one target of a zone: backend, then NOTIFY. Short, because `plan` has decided everything."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from redesignate.backends.port import Backend, BackendError, BackendRefused, BackendZone, NotOurs
from redesignate.model.pool import Endpoint
from redesignate.model.tsigkey import TSIGKey
from redesignate.model.work import PeerOutcome, PeerState, Role
from redesignate.observe.log import events
from redesignate.wire import ask, message
from redesignate.wire.client import NoAnswer
from redesignate.wire.message import Rcode
from redesignate.wire.names import Malformed
from redesignate.worker import plan
from redesignate.worker.health import Health
from redesignate.worker.job import NOTIFY_HEALTH, Job
from redesignate.worker.plan import Do
from redesignate.worker.pools import TargetRig, Unusable

NOTIFY_TIMEOUT_S = 2.0
LAST_WORD_S = 1.0
"""How long a target's answer to the NOTIFY is waited for when every nameserver's outcome is there."""
log = events(__name__)


class _LeaseLost(Exception):
    """Another worker may have the zone by now."""


async def tell(job: Job, rig: TargetRig) -> PeerOutcome:
    """The outcome of one target, at the latest when its window ends. Touches nothing once the lease has run out."""
    telling = _Telling(job, rig, job.known(rig.target.id))
    why: str | None = None
    tried = True
    try:
        async with asyncio.timeout_at(job.deadline(rig.target.id)):
            why = await telling.run()
    except TimeoutError:
        why = telling.doing
    except (BackendError, Unusable) as error:
        why = str(error)
        if isinstance(error, NotOurs):
            job.mark_not_ours(rig.notify, why)
    except _LeaseLost:
        why, tried = "the lease ran out", False
    finally:
        job.mark_told(rig.notify, ok=why is None)
        telling.stop()
    if why is None and telling.known is not None and telling.known.attempts:
        job.crew.health.mended(telling.health, asyncio.get_running_loop().time())
    return PeerOutcome(
        peer_id=rig.target.id, role=Role.TARGET, ok=why is None, present=telling.there, why=why, tried=tried
    )


async def notify_only(job: Job, rig: TargetRig) -> None:
    """NOTIFY a target that has no other news to hear in this attempt, until the zone is served or we are cancelled."""
    if rig.notify is not None:
        job.mark_told(rig.notify)
        with contextlib.suppress(Unusable):
            await _notify(job, rig, Do.NOTIFY_ZONE, None)


async def notify_once(job: Job, at: Endpoint) -> None:
    """The unsigned NOTIFY of `also_notifies`; nobody waits for what it says."""
    with contextlib.suppress(NoAnswer):
        await _send(job, at, _packet(job, Do.NOTIFY_ZONE, None), NOTIFY_TIMEOUT_S)


@dataclass(slots=True)
class _Telling:
    job: Job
    rig: TargetRig
    known: PeerState | None
    there: bool = False
    doing: str = ""
    notifier: asyncio.Task[None] | None = None

    @property
    def health(self) -> Health:
        return self.job.health(self.rig.target.id)

    async def run(self) -> str | None:
        """Take every step; why it did not succeed, or None."""
        self.there = self.known is not None and self.known.present
        self.doing = f"{self.rig.target.type}: had no turn within {self.job.crew.window:g} s"
        if self.rig.wrong is not None:
            return self.rig.wrong
        steps = plan.steps(self.job.task, self.known, notified=self.rig.notify is not None)
        answer: asyncio.Future[int] | None = None
        for step in steps:
            match step:
                case Do.CREATE:
                    await self._create()
                case Do.UPDATE:
                    await self._call(lambda backend, zone: backend.update(zone))
                case Do.DELETE:
                    await self._delete()
                case Do.NOTIFY_ZONE | Do.NOTIFY_CATALOG:
                    answer = self._start_notify(step)
        return None if answer is None else await self._heard(answer, steps)

    def stop(self) -> None:
        """End the NOTIFYs."""
        if self.notifier is not None:
            self.notifier.cancel()

    async def _create(self) -> None:
        self._refuse_down()
        await self._call(lambda backend, zone: backend.create(zone))
        self.there = True

    async def _delete(self) -> None:
        self._refuse_down()
        await self._call(lambda backend, zone: backend.delete(zone, self.job.task.hard_delete))
        self.there = False

    def _refuse_down(self) -> None:
        """A backend that answers nobody is not asked for each zone; its probe asks."""
        if self.health.down:
            raise BackendError(self.health.why or f"{self.rig.target.type}: no answer")

    async def _call(self, call: Callable[[Backend, BackendZone], Coroutine[Any, Any, None]]) -> None:
        assert self.rig.backend is not None
        loop, crew = asyncio.get_running_loop(), self.job.crew
        async with self.rig.line:
            if self.job.lease_lost():
                raise _LeaseLost
            sent = loop.time()
            self.doing = f"{self.rig.target.type}: no answer within {crew.window:g} s"
            try:
                async with asyncio.timeout(crew.call_timeout):
                    await call(self.rig.backend, BackendZone(self.job.task.zone_id, self.job.task.name))
            except BackendRefused:
                crew.health.answered(self.health, sent, loop.time())
                raise
            except (BackendError, TimeoutError) as error:
                why = str(error) or f"{self.rig.target.type}: no answer within {crew.call_timeout:g} s"
                crew.health.silent(self.health, sent, loop.time(), why)
                raise BackendError(why) from None
            except Exception as error:  # a third party's backend may raise anything; the zone's other peers go on
                log.exception("a backend failed in a way of its own", target=self.rig.target.id)
                raise BackendError(f"{self.rig.target.type}: {error!r}") from error
            except asyncio.CancelledError:
                if loop.time() >= self.job.deadline(self.rig.target.id):
                    crew.health.silent(self.health, sent, loop.time(), self.doing)
                raise
        crew.health.answered(self.health, sent, loop.time())

    def _start_notify(self, step: Do) -> asyncio.Future[int]:
        assert self.rig.notify is not None
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.job.rig.key(self.rig.target.tsigkey_id)  # a missing key fails the target, not a task that nobody awaits
        self.stop()
        self.notifier = asyncio.create_task(_notify(self.job, self.rig, step, answer))
        self.job.mark_told(self.rig.notify)
        if step is Do.NOTIFY_CATALOG:
            self.there = self.job.task.present
        return answer

    async def _heard(self, answer: asyncio.Future[int], steps: tuple[Do, ...]) -> str | None:
        """Wait until the target answers the NOTIFY, or serves the zone without having answered."""
        assert self.rig.notify is not None
        at = self.rig.notify
        self.doing = f"no answer to NOTIFY from {at}"
        rcode = await self._first(answer, at)
        if rcode in plan.UNKNOWN_ZONE and Do.UPDATE in steps:
            # it has lost the zone: give it back, and notify again
            self.there = False
            await self._create()
            rcode = await self._first(self._start_notify(Do.NOTIFY_ZONE), at)
        if rcode == Rcode.NOERROR:
            return None
        served = self.job.served(at)
        if rcode is not None:
            self.doing = f"{at} answers {plan.rcode_text(rcode)} to NOTIFY"
            await asyncio.wait([served, self.job.polls_over], return_when=asyncio.FIRST_COMPLETED)
        return None if served.done() else self.doing

    async def _first(self, answer: asyncio.Future[int], at: Endpoint) -> int | None:
        """The answer's rcode; None when the zone is served first, or when no more nameserver is waited for anyway."""
        told: list[asyncio.Future[Any]] = [answer, self.job.served(at)]
        await asyncio.wait([*told, self.job.polls_over], return_when=asyncio.FIRST_COMPLETED)
        if not self.job.health(NOTIFY_HEALTH + self.rig.target.id).down:
            await asyncio.wait(told, timeout=LAST_WORD_S, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None


def _packet(job: Job, step: Do, key: TSIGKey | None) -> bytes:
    """The NOTIFY for the zone, or for the catalog that lists it."""
    name, serial = job.task.name, job.task.serial
    if step is Do.NOTIFY_CATALOG and job.task.catalog is not None:
        name, serial = job.task.catalog
    return ask.notify_message(name, serial, job.crew.exchanger.new_id(), key, clock=job.crew.clock)


async def _notify(job: Job, rig: TargetRig, step: Do, answer: asyncio.Future[int] | None) -> None:
    """Send, and again at the measured moments, until the zone is served there or we are cancelled."""
    assert rig.notify is not None
    loop, health = asyncio.get_running_loop(), job.health(NOTIFY_HEALTH + rig.target.id)
    key = job.rig.key(rig.target.tsigkey_id)
    started, moments = loop.time(), plan.notify_moments()
    next(moments)
    while not job.served(rig.notify).done():
        sent, again = loop.time(), started + next(moments)
        try:
            rcode = await _send(job, rig.notify, _packet(job, step, key), max(again - sent, 0.05))
        except NoAnswer as silence:
            job.crew.health.silent(health, sent, loop.time(), str(silence))
        except asyncio.CancelledError:
            job.crew.health.break_off(health, sent, loop.time(), f"no answer to NOTIFY from {rig.notify}")
            raise
        else:
            job.crew.health.answered(health, sent, loop.time())
            if answer is not None and not answer.done():
                answer.set_result(rcode)
        await asyncio.sleep(max(again - loop.time(), 0))


async def _send(job: Job, at: Endpoint, packet: bytes, timeout: float) -> int:
    """One NOTIFY; the rcode of its answer. Raises NoAnswer, also for an answer that cannot be read."""
    answer = await job.crew.exchanger.exchange(at.host, at.port, packet, timeout, tcp=job.crew.all_tcp)
    try:
        return message.read(answer).rcode
    except Malformed as wrong:
        raise NoAnswer(str(wrong)) from wrong
