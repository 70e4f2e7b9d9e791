# SPDX-License-Identifier: Apache-2.0
"""Notices that a target's server was restarted, by its own word.

A server that is back within seconds was never down, and may have lost some zones only, none of which is asked for.
Servers that do not say when they began (`Backend.ping`) are left to the audit's round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from redesignate.backends.port import BackendError
from redesignate.observe.log import events
from redesignate.worker.health import HealthTable, PeerKey
from redesignate.worker.pools import PoolCache, TargetConnection

LOOK_S = 10.0
PING_TIMEOUT_S = 6.0
"""A slower answer is not waited for, even if the backend's own limit is longer (`rndc_timeout`). That costs others
nothing: a control connection has one command in flight, so a cancelled one loses its own answer alone, and the next
command connects again."""
log = events(__name__)


class Restarts:
    """What the targets of the pools at hand say of their start. For one event loop.

    restarted   called with the ids of the pool and the target whose answer has changed
    """

    def __init__(self, pools: PoolCache, health: HealthTable, restarted: Callable[[str, str], None]) -> None:
        self._pools = pools
        self._health = health
        self._restarted = restarted
        self._began: dict[PeerKey, str] = {}

    async def run(self) -> None:
        """Ask every target, again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOK_S
            try:
                await self.look()
            except Exception:  # the loop of a service
                log.exception("servers could not be asked for their start")
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def look(self) -> None:
        """Ask every target that is not down once: one command each."""
        targets = {(pool.pool.id, each.target.id): each for pool in self._pools.every() for each in pool.targets}
        self._began = {key: began for key, began in self._began.items() if key in targets}
        await asyncio.gather(*(self._ask(key, target) for key, target in targets.items()))

    async def _ask(self, key: PeerKey, target: TargetConnection) -> None:
        if target.backend is None or self._health.of(*key).down:
            return
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                began = await target.backend.ping()
        except (BackendError, TimeoutError):
            return  # the attempts of its zones say so
        if began is None:
            return
        before = self._began.get(key)
        self._began[key] = began
        if before not in (None, began):
            log.info("a server was restarted", target=key[1], began=began)
            self._restarted(*key)
