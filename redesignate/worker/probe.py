# SPDX-License-Identifier: Apache-2.0
"""Asks peers that are down, one question at a time each, until they answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from redesignate.backends.port import BackendError, BackendRefused
from redesignate.model.pool import Nameserver
from redesignate.observe.log import events
from redesignate.wire import ask
from redesignate.wire.client import NoAnswer
from redesignate.worker.health import Health
from redesignate.worker.job import NOTIFY_HEALTH, Crew
from redesignate.worker.pools import PoolBook, TargetRig

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 2.0
PROBE_TIMEOUT_S = 6.0
OUTSTANDING = 6
log = events(__name__)


class Probes:
    """One task for each peer that is down. `returned` is awaited with the peer once it answers."""

    def __init__(self, pools: PoolBook, returned: Callable[[Health], Awaitable[None]]) -> None:
        self._pools = pools
        self._returned = returned
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, health: Health, crew: Crew) -> None:
        """A peer went down. The place where NOTIFYs go needs no probe: nothing waits for it."""
        if health.key[1].startswith(NOTIFY_HEALTH):
            return
        log.warning("a nameserver is down", pool=health.key[0], peer=health.key[1], why=health.why)
        self._keep(self._probe(health, crew))

    def report(self, health: Health) -> None:
        """A peer answers again: tell central."""
        if not health.key[1].startswith(NOTIFY_HEALTH):
            self._keep(self._returned(health))

    def stop(self) -> None:
        """Probe no more."""
        for task in self._tasks:
            task.cancel()

    def _keep(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _probe(self, health: Health, crew: Crew) -> None:
        """Do not wait for one question before the next: a slow answer counts, and a return is seen soon."""
        loop = asyncio.get_running_loop()
        pause, back = FIRST_PAUSE_S, loop.create_future()
        asked: set[asyncio.Task[None]] = set()
        try:
            while health.down and crew.health.known(health):
                with contextlib.suppress(TimeoutError):
                    sent = await asyncio.wait_for(asyncio.shield(back), pause)
                    log.info("a nameserver answers again", pool=health.key[0], peer=health.key[1])
                    crew.health.answered(health, sent, loop.time())
                    return
                asked = {task for task in asked if not task.done()}
                if len(asked) < OUTSTANDING:
                    asked.add(asyncio.create_task(self._ask(health, crew, back)))
                pause = min(pause * 1.5, LONGEST_PAUSE_S)
        finally:
            for task in asked:
                task.cancel()

    async def _ask(self, health: Health, crew: Crew, back: asyncio.Future[float]) -> None:
        sent = asyncio.get_running_loop().time()
        if await self._answers(health, crew) and not back.done():
            back.set_result(sent)

    async def _answers(self, health: Health, crew: Crew) -> bool:
        pool_id, peer_id = health.key
        rig = self._pools.known(pool_id)
        if rig is None:
            return False
        server, target = rig.nameserver(peer_id), rig.target(peer_id)
        if server is not None:
            return await _asked(server, crew)
        return target is not None and await _pinged(target)


async def _asked(server: Nameserver, crew: Crew) -> bool:
    """Any answer will do, so the question is for the root, unsigned, which every server can refuse."""
    packet = ask.soa_query(".", crew.exchanger.new_id(), clock=crew.clock)
    try:
        await crew.exchanger.exchange(server.host, server.port, packet, PROBE_TIMEOUT_S, tcp=crew.all_tcp)
    except NoAnswer:
        return False
    return True


async def _pinged(target: TargetRig) -> bool:
    if target.backend is None:
        return False
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await target.backend.ping()
    except BackendRefused:
        return True
    except (BackendError, TimeoutError):
        return False
    return True
