# SPDX-License-Identifier: Apache-2.0
"""Asks peers that are down, one question at a time each, until they answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from redesignate.backends.port import BackendError, BackendRefused
from redesignate.model.pool import Endpoint, Nameserver
from redesignate.observe.log import events
from redesignate.wire import client
from redesignate.wire.client import NoAnswer
from redesignate.worker.attempt import WorkerContext
from redesignate.worker.health import NOTIFY_HEALTH, PeerHealth
from redesignate.worker.pools import PoolCache, TargetConnection

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 2.0
PROBE_TIMEOUT_S = 6.0
OUTSTANDING = 6
log = events(__name__)


class Probes:
    """One task for each peer that is down. `returned` is awaited with the peer once it answers."""

    def __init__(self, pools: PoolCache, returned: Callable[[PeerHealth], Awaitable[None]]) -> None:
        self._pools = pools
        self._returned = returned
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, health: PeerHealth, context: WorkerContext) -> None:
        """A peer went down. The address that NOTIFYs go to needs no probe: nothing waits for it."""
        if health.key[1].startswith(NOTIFY_HEALTH):
            return
        log.warning("a nameserver is down", **self._named(health), why=health.why)
        self._keep(self._probe(health, context))

    def report(self, health: PeerHealth) -> None:
        """A peer answers again: `returned` reports it to central."""
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

    async def _probe(self, health: PeerHealth, context: WorkerContext) -> None:
        """Do not wait for one question before the next: a slow answer counts, and a return is noticed soon."""
        loop = asyncio.get_running_loop()
        pause, back = FIRST_PAUSE_S, loop.create_future()
        asked: set[asyncio.Task[None]] = set()
        try:
            while health.down and context.health.known(health):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        sent = await asyncio.shield(back)
                    log.info("a nameserver answers again", **self._named(health))
                    health.answered(sent, loop.time())
                    return
                asked = {task for task in asked if not task.done()}
                if len(asked) < OUTSTANDING:
                    asked.add(asyncio.create_task(self._ask(health, context, back)))
                pause = min(pause * 1.5, LONGEST_PAUSE_S)
        finally:
            for task in asked:
                task.cancel()

    def _named(self, health: PeerHealth) -> dict[str, object]:
        """A peer as a person knows it, for the log; its id alone where its pool is not held any longer."""
        pool_id, peer_id = health.key
        pool = self._pools.known(pool_id)
        if pool is None:
            return {"pool": pool_id, "id": peer_id}
        server, target = pool.nameserver(peer_id), pool.target(peer_id)
        if server is not None:
            return {"server": str(Endpoint(server.host, server.port)), "pool": pool.pool.name, "id": peer_id}
        if target is None:
            return {"pool": pool.pool.name, "id": peer_id}
        options = target.target.options
        address = f"{options.get('host', '127.0.0.1')}:{options.get('port', '53')}"
        return {"target": f"{target.target.type} {address}", "pool": pool.pool.name, "id": peer_id}

    async def _ask(self, health: PeerHealth, context: WorkerContext, back: asyncio.Future[float]) -> None:
        sent = asyncio.get_running_loop().time()
        if await self._answers(health, context) and not back.done():
            back.set_result(sent)

    async def _answers(self, health: PeerHealth, context: WorkerContext) -> bool:
        pool_id, peer_id = health.key
        pool = self._pools.known(pool_id)
        if pool is None:
            return False
        server, target = pool.nameserver(peer_id), pool.target(peer_id)
        if server is not None:
            return await _asked(server, context)
        return target is not None and await _pinged(target)


async def _asked(server: Nameserver, context: WorkerContext) -> bool:
    """Any answer will do, so the question is for the root, unsigned, which every server can refuse."""
    packet = client.soa_query(".", context.exchanger.new_id(), clock=context.clock)
    try:
        await context.exchanger.exchange(server.host, server.port, packet, PROBE_TIMEOUT_S, tcp=context.all_tcp)
    except NoAnswer:
        return False
    return True


async def _pinged(target: TargetConnection) -> bool:
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
