# SPDX-License-Identifier: Apache-2.0
"""Brings one target to the zone's wanted state: backend calls and NOTIFY. Short, because `plan` decides everything."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from redesignate.backends.port import Backend, BackendError, BackendRefused, BackendZone, NotOurs
from redesignate.model.pool import Endpoint
from redesignate.model.tsigkey import TSIGKey
from redesignate.model.work import PeerOutcome, Role
from redesignate.observe.log import Seldom, events
from redesignate.wire import client, message
from redesignate.wire.client import NoAnswer
from redesignate.wire.message import Malformed, Rcode
from redesignate.wire.served import UNKNOWN_ZONE, rcode_text
from redesignate.worker import plan
from redesignate.worker.attempt import Attempt
from redesignate.worker.health import NOTIFY_HEALTH
from redesignate.worker.plan import Step
from redesignate.worker.pools import MAKING_S, TargetConnection, Unusable

NOTIFY_TIMEOUT_S = 2.0
LAST_ANSWER_S = 1.0
"""How long a target's answer to the NOTIFY is still waited for when the outcome of every nameserver is known."""
R = TypeVar("R")
_About = tuple[str, int]
"""The name and serial of the zone that a NOTIFY is about."""
_unsigned = Seldom(300.0)
log = events(__name__)


class _LeaseLost(Exception):
    """Another worker may have the zone by now."""


async def apply(attempt: Attempt, target: TargetConnection) -> PeerOutcome:
    """The outcome of one target, at the latest when its window ends. Changes nothing once the lease has run out."""
    target_id = target.target.id
    known, health = attempt.known.get(target_id), attempt.health[target_id]
    steps = plan.steps(attempt.task, known, notified=target.notify is not None)
    no_turn = f"{target.target.type}: had to wait longer than {attempt.context.window:g} s"
    work = _TargetWork(attempt, target, present=known is not None and known.present, doing=no_turn)
    why: str | None = None
    tried = True
    try:
        async with asyncio.timeout_at(attempt.deadlines[target_id]):
            why = target.wrong or await work.run(steps)
    except TimeoutError:
        why, tried = work.doing, work.had_turn
    except (BackendError, Unusable) as error:
        why = str(error)
        if isinstance(error, NotOurs) and target.notify is not None:
            attempt.signals.not_ours[target.notify] = why
    except _LeaseLost:
        why, tried = "the lease ran out", False
    finally:
        attempt.signals.mark_notified(target.notify, ok=why is None)
        if work.leaving is not None:
            work.leave()
        if work.notifier is not None:
            work.notifier.cancel()
    if why is None and known is not None and known.attempts:
        health.repaired(asyncio.get_running_loop().time())
    return PeerOutcome(peer_id=target_id, role=Role.TARGET, ok=why is None, present=work.present, why=why, tried=tried)


async def notify_only(attempt: Attempt, target: TargetConnection) -> None:
    """NOTIFY a target that needs nothing else in this attempt, until the zone is served or this is cancelled."""
    if target.notify is not None:
        attempt.signals.mark_notified(target.notify)
        about = (attempt.task.name, attempt.task.serial)
        with contextlib.suppress(Unusable):
            key = attempt.pool.key_for(about[0], target.target.tsigkey_id)
            await _notify(attempt, target, about, key, None)


async def notify_once(attempt: Attempt, at: Endpoint) -> None:
    """The NOTIFY of `also_notifies`, signed only if the zone has a key of its own; its answer counts for nothing."""
    about = (attempt.task.name, attempt.task.serial)
    try:
        await _send(attempt, at, about, attempt.pool.key_for(about[0], None), NOTIFY_TIMEOUT_S)
    except NoAnswer:
        pass
    except Unusable as error:
        if (counted := _unsigned.turn()) is not None:
            log.warning("an also_notifies address gets no NOTIFY", zone=about[0], why=str(error), **counted)


@dataclass(slots=True)
class _TargetWork:
    """One target in one attempt.

    present    whether the target has the zone
    doing      why it failed, if time is up
    had_turn   False while it queues behind other zones of the target: no failure, however long it takes
    leaving    releases the zone's place among those that the target is making, where it holds one
    """

    attempt: Attempt
    target: TargetConnection
    present: bool
    doing: str
    had_turn: bool = True
    notifier: asyncio.Task[None] | None = None
    leaving: asyncio.TimerHandle | None = None

    async def run(self, steps: tuple[Step, ...]) -> str | None:
        """Take the steps, and wait until the target answers the NOTIFY, or serves the zone without having answered.

        Returns why that did not come about, or None. A target that has lost the zone is given it back, once.
        """
        answer = await self._take(steps)
        if answer is None:
            return None
        attempt, at = self.attempt, self.target.notify
        assert at is not None
        signals, served = attempt.signals, attempt.signals.served[at]
        self.doing = self.target.silence
        may_create = Step.UPDATE in steps
        heard = attempt.context.health.of(attempt.task.pool_id, NOTIFY_HEALTH + self.target.target.id)
        while True:
            wanted: list[asyncio.Future[Any]] = [answer, served]
            await asyncio.wait([*wanted, signals.polls_over], return_when=asyncio.FIRST_COMPLETED)
            if not (answer.done() or served.done() or heard.down):
                await asyncio.wait(wanted, timeout=LAST_ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
            rcode = answer.result() if answer.done() else None
            if rcode not in UNKNOWN_ZONE or not may_create:
                break
            attempt.context.denied(attempt.task.pool_id, at)
            may_create = self.present = False
            answer = await self._take((Step.CREATE, Step.NOTIFY_ZONE)) or answer
        if rcode == Rcode.NOERROR:
            return None
        if rcode is not None:
            self.doing = f"{at} answers {rcode_text(rcode)} to NOTIFY"
            await asyncio.wait([served, signals.polls_over], return_when=asyncio.FIRST_COMPLETED)
        return None if served.done() else self.doing

    async def _take(self, steps: tuple[Step, ...]) -> asyncio.Future[int] | None:
        """Take the steps in order; the future of the rcode that answers the NOTIFY. Raises as `_call`, and Unusable."""
        task, key_id, answer, fetching = self.attempt.task, self.target.target.tsigkey_id, None, False
        for step in steps:
            match step:
                case Step.CREATE:
                    fetching = await self._make()
                case Step.UPDATE:
                    await self._call(lambda backend, zone: backend.update(zone))
                case Step.DELETE:
                    self._refuse_down()
                    await self._call(lambda backend, zone: backend.delete(zone, task.hard_delete))
                    self.present = False
                case Step.NOTIFY_ZONE | Step.NOTIFY_CATALOG:
                    about = task.catalog if step is Step.NOTIFY_CATALOG and task.catalog else (task.name, task.serial)
                    # here, so that a key that cannot be used fails the target and not a lost task
                    pool = self.attempt.pool
                    key = pool.key_for(about[0], key_id) if key_id or pool.zone_keys else None
                    answer = asyncio.get_running_loop().create_future()
                    if self.notifier is not None:
                        self.notifier.cancel()
                    self.notifier = asyncio.create_task(
                        _notify(self.attempt, self.target, about, key, answer, wait=fetching)
                    )
                    self.attempt.signals.mark_notified(self.target.notify)
                    if step is Step.NOTIFY_CATALOG:
                        self.present = task.present
        return answer

    def leave(self) -> None:
        """Let the target make another zone, if it is making this one."""
        if self.leaving is not None:
            self.leaving.cancel()
            self.leaving = None
            self.target.making.release()

    async def _make(self) -> bool:
        """Create the zone; whether the target fetches it by itself. It then keeps its place for a while, until it is
        served, so that a target is not given more new zones than it fetches. Raises as `_call`."""
        self._refuse_down()
        self.leave()
        self.had_turn = False
        await self.target.making.acquire()
        loop = asyncio.get_running_loop()
        self.leaving = loop.call_at(self.attempt.deadlines[self.target.target.id], self.leave)
        fetching = bool(await self._call(lambda backend, zone: backend.create(zone)))
        self.present = True
        if self.leaving is not None:  # counted from now on: named may have been slow to make it
            self.leaving.cancel()
            self.leaving = loop.call_later(MAKING_S if fetching else 0, self.leave)
        return fetching

    def _refuse_down(self) -> None:
        """A backend that is down is not asked for each zone; its probe asks."""
        health = self.attempt.health[self.target.target.id]
        if health.down:
            raise BackendError(health.why or f"{self.target.target.type}: no answer")

    async def _call(self, call: Callable[[Backend, BackendZone], Coroutine[Any, Any, R]]) -> R:
        """One backend call, when there is a free slot; its answer. Raises BackendError, _LeaseLost."""
        attempt, target = self.attempt, self.target
        assert target.backend is not None
        loop, context, health = asyncio.get_running_loop(), attempt.context, attempt.health[target.target.id]
        self.had_turn = False
        async with target.slots:
            self.had_turn = True
            sent = loop.time()
            if sent >= attempt.lease_until:
                raise _LeaseLost
            self.doing = f"{target.target.type}: no answer within {context.window:g} s"
            try:
                async with asyncio.timeout(context.call_timeout):
                    found = await call(target.backend, BackendZone(attempt.task.zone_id, attempt.task.name))
            except BackendRefused:
                health.answered(sent, loop.time())
                raise
            except (BackendError, TimeoutError) as error:
                why = str(error) or f"{target.target.type}: no answer within {context.call_timeout:g} s"
                health.silent(sent, loop.time(), why)
                raise BackendError(why) from None
            except Exception as error:  # a third party's backend may raise anything; the zone's other peers go on
                log.exception("a backend raised an unexpected error", target=target.target.id)
                raise BackendError(f"{target.target.type}: {error!r}") from error
            except asyncio.CancelledError:
                if loop.time() >= attempt.deadlines[target.target.id]:
                    health.silent(sent, loop.time(), self.doing)
                raise
        health.answered(sent, loop.time())
        return found


async def _notify(
    attempt: Attempt,
    target: TargetConnection,
    about: _About,
    key: TSIGKey | None,
    answer: asyncio.Future[int] | None,
    *,
    wait: bool = False,
) -> None:
    """Send, and again at the measured moments, until the zone is served there or this is cancelled.

    wait   leave out the first: the target is fetching the zone already
    """
    at = target.notify
    assert at is not None
    loop = asyncio.get_running_loop()
    health = attempt.context.health.of(attempt.task.pool_id, NOTIFY_HEALTH + target.target.id)
    served = attempt.signals.served[at]
    takes = [
        attempt.health[server.id].usual.get((known := attempt.known.get(server.id)) is not None and known.present, 0.0)
        for server in attempt.pool.pool.nameservers
        if server.port == at.port and server.host == at.host
    ]
    started, moments = loop.time(), plan.notify_moments(max(takes, default=0.0))
    if wait:
        await asyncio.sleep(next(moments))
    while not served.done():
        sent, again = loop.time(), started + next(moments)
        try:
            rcode = await _send(attempt, at, about, key, max(again - sent, 0.05))
        except NoAnswer as silence:
            health.silent(sent, loop.time(), str(silence))
        except asyncio.CancelledError:
            health.cancel(sent, loop.time(), target.silence)
            raise
        else:
            health.answered(sent, loop.time())
            if answer is not None and not answer.done():
                answer.set_result(rcode)
        await asyncio.sleep(max(again - loop.time(), 0))


async def _send(attempt: Attempt, at: Endpoint, about: _About, key: TSIGKey | None, timeout: float) -> int:
    """One NOTIFY, of the zone or of the catalog that lists it; the rcode of its answer.

    Raises NoAnswer, also for an answer that cannot be read.
    """
    context = attempt.context
    packet = client.notify_message(*about, context.exchanger.new_id(), key, clock=context.clock)
    answer = await context.exchanger.exchange(at.host, at.port, packet, timeout, tcp=context.all_tcp)
    try:
        return message.read(answer).rcode
    except Malformed as wrong:
        raise NoAnswer(str(wrong)) from wrong
